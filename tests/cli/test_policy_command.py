"""Policies and attestations on the command line."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.commandline import ENTRY, Result, call, environment, spawn
from support.sources import ROOT

EXAMPLES = ROOT / "docs" / "policies"
ANSWER = {"allowed", "grants", "policy", "decided_by", "errors", "on"}
SERVING = """
@id("serving-only")
forbid (principal, action == Action::"pull", resource)
unless { context has purpose && context.purpose == "serving" };
"""
REVIEW = "https://example.com/review/v1"


@pytest.fixture(scope="module")
def asked_template(tmp_path_factory: pytest.TempPathFactory, published_template: Path) -> Path:
    """vision/mlp:1 by the admin alice; bob may pull and promote in vision/; carol may nothing."""
    place = tmp_path_factory.mktemp("asked")
    home = Path(shutil.copytree(published_template, place / "home"))
    for name in ("bob", "carol"):
        call("identity", "create", "--name", name, "-o", place / f"{name}.pem").done()
        call("--home", home, "member", "add", place / f"{name}.pub").done()
    call("--home", home, "grant", "bob", "pull,promote", "vision/").done()
    (place / "serving.cedar").write_text(SERVING)
    (place / "review.json").write_text('{"verdict": "good"}')
    return place


@pytest.fixture
def place(tmp_path: Path, asked_template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory, the current one, with home, bob.pem, carol.pem, serving.cedar and review.json."""
    copied = Path(shutil.copytree(asked_template, tmp_path / "place"))
    monkeypatch.chdir(copied)
    return copied


def at(place: Path, *arguments: object, by: str = "") -> Result:
    identity = ("--identity", place / f"{by}.pem") if by else ()
    return call("--home", place / "home", *identity, *arguments)


def asking(member: str = "bob", action: str = "pull", on: str = "vision/mlp:1") -> tuple[str, ...]:
    return ("--as", member, "--action", action, "--on", on)


def test_set_puts_a_policy_in_force_and_purpose_satisfies_it(place: Path) -> None:
    done = at(place, "policy", "set", "serving.cedar").done()
    assert re.search(r"^in force +serving-only$", done.out, re.M)
    refused = at(place, "pull", "vision/mlp", "-o", place / "out", by="bob")
    assert (refused.code, "error [policy-denied]" in refused.err) == (4, True)
    assert "serving-only" in refused.err
    assert "--purpose pull" in refused.next()
    at(place, "pull", "vision/mlp", "-o", place / "out", "--purpose", "serving", by="bob").done()
    at(place, "run", "vision/mlp", "--input", "random", "--purpose", "serving", by="bob").done()
    assert at(place, "run", "vision/mlp", "--input", "random", by="bob").code == 4


def test_the_next_step_of_a_denial_answers_the_same_question(place: Path) -> None:
    at(place, "policy", "set", EXAMPLES / "two-attestations.cedar").done()
    refused = at(place, "alias", "vision/mlp:1", "best", by="bob")
    explained = at(place, *refused.next().removeprefix("registry ").split(), "--json").done().document()
    assert (explained["allowed"], explained["decided_by"]) == (False, ["two-approvals-before-promote"])


def test_a_purpose_that_is_no_name_is_refused_before_anything_is_asked(place: Path) -> None:
    before = at(place, "log", "--json").document()
    refused = at(place, "pull", "vision/mlp", "-o", place / "out", "--purpose", "two words", by="bob")
    assert (refused.code, "error [invalid-reference]" in refused.err) == (2, True)
    assert at(place, "log", "--json").document() == before


def test_set_json_and_an_empty_file_clears(place: Path) -> None:
    document = at(place, "policy", "set", "serving.cedar", "--json").done().document()
    assert set(document) == {"policies", "seq"}
    assert document["policies"] == ["serving-only"]
    (place / "empty.cedar").write_text("\n")
    cleared = at(place, "policy", "set", "empty.cedar").done()
    assert "no policies" in cleared.out
    assert "holds no policy" in cleared.err
    at(place, "run", "vision/mlp", "--input", "random", by="bob").done()


def test_show_prints_the_text_as_it_was_set(place: Path) -> None:
    nothing = at(place, "policy", "show").done()
    assert (nothing.out, "No policies" in nothing.err) == ("", True)
    at(place, "policy", "set", "serving.cedar").done()
    assert spawn("--home", place / "home", "policy", "show").done().out == SERVING
    shown = at(place, "policy", "show", "--json").done().document()
    assert shown == {"policies": ["serving-only"], "text": SERVING}


def test_a_terminal_is_not_steered_by_a_policys_text(place: Path) -> None:
    (place / "odd.cedar").write_text(f"// \x1b[31m red\n\t{SERVING}")
    at(place, "policy", "set", "odd.cedar").done()
    master, terminal = pty.openpty()
    subprocess.run(
        [*ENTRY, "--home", str(place / "home"), "policy", "show"],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        env=environment(),
        check=True,
    )
    os.close(terminal)
    shown = os.read(master, 4096)
    os.close(master)
    assert b"\x1b" not in shown
    assert b"\t" in shown
    assert b"serving-only" in shown
    assert "\x1b" in at(place, "policy", "show").done().out  # to a file, to be set again


def test_history_leads_back_to_an_earlier_text(place: Path) -> None:
    first = at(place, "policy", "set", "serving.cedar", "--json").document()["seq"]
    at(place, "policy", "set", EXAMPLES / "freeze-windows.cedar").done()
    people = at(place, "policy", "history").done().out
    assert people.index("weekend-freeze") < people.index("serving-only")
    assert re.search(rf"^ +{first} +20..-..-.. ..:.. +alice +serving-only", people, re.M)
    found = at(place, "policy", "history", "--json").done().document()["history"]
    assert set(found[0]) == {"seq", "time", "by", "text", "in_force"}
    assert [one["in_force"] for one in found] == [True, False]
    earlier = at(place, "policy", "show", "--entry", first).done().out
    assert earlier == SERVING == found[1]["text"]
    absent = at(place, "policy", "show", "--entry", "0")
    assert (absent.code, "policy history" in absent.next()) == (3, True)


def test_test_answers_for_a_file_that_is_not_set(place: Path) -> None:
    denied = at(place, "policy", "test", "serving.cedar", *asking())
    assert denied.code == 4
    assert re.search(r"^answer +DENIED$", denied.out, re.M)
    assert re.search(r"^grants +pull on vision/ granted to bob$", denied.out, re.M)
    assert re.search(r"^decided by +serving-only$", denied.out, re.M)
    assert denied.err == ""
    allowed = at(place, "policy", "test", "serving.cedar", *asking(), "--purpose", "serving", "--json").done()
    document = allowed.document()
    assert set(document) == ANSWER
    assert (document["allowed"], document["policy"], document["on"]) == (True, True, "vision/mlp:1")
    # Nothing was set.
    at(place, "policy", "test", *asking()).done()


def test_test_without_a_grant_is_denied_whatever_the_policies_say(place: Path) -> None:
    for words in ((), ("serving.cedar",)):
        denied = at(place, "policy", "test", *words, *asking("carol"), "--purpose", "serving")
        assert denied.code == 4
        assert "none allows it" in denied.out


def test_test_takes_time_alias_client_and_host(place: Path) -> None:
    freeze = (
        "policy",
        "test",
        EXAMPLES / "freeze-windows.cedar",
        *asking("bob", "promote"),
        "--alias",
        "prod",
    )
    assert at(place, *freeze, "--time", "2027-01-31").code == 4  # a Sunday
    assert at(place, *freeze, "--time", "2027-02-02T10:00").code == 0
    clients = ("policy", "test", EXAMPLES / "known-clients.cedar", *asking("bob", "pull"))
    assert at(place, *clients, "--client", "curl/8").code == 4
    assert at(place, *clients).code == 0  # this program
    (place / "host.cedar").write_text(
        '@id("h") forbid (principal, action, resource) when { context.client.host == "attic" };'
    )
    assert at(place, "policy", "test", "host.cedar", *asking(), "--host", "attic").code == 4
    assert at(place, "policy", "test", "host.cedar", *asking(), "--host", "cellar").code == 0


def test_test_asks_about_grants(place: Path) -> None:
    (place / "g.cedar").write_text(
        '@id("g") forbid (principal, action == Action::"grant", resource)'
        ' when { context.grantee == "carol" && context.actions.contains(Right::"push") };'
    )
    form = ("policy", "test", "g.cedar", *asking("alice", "grant", "vision/"), "--grantee", "carol")
    for grants, code in (("pull,push", 4), ("pull", 0)):
        assert at(place, *form, "--grants", grants).code == code


def test_explain_ends_with_0_and_names_what_decided(place: Path) -> None:
    at(place, "policy", "set", "serving.cedar").done()
    denied = at(place, "policy", "explain", *asking()).done()
    assert re.search(r"^answer +DENIED$", denied.out, re.M)
    assert re.search(r"^decided by +serving-only$", denied.out, re.M)
    document = at(place, "policy", "explain", *asking(), "--purpose", "serving", "--json").done().document()
    assert (document["allowed"], document["grants"]) == (True, ["pull on vision/ granted to bob"])
    admin = at(place, "policy", "explain", *asking("alice"), "--purpose", "serving").done().out
    assert "an admin may do everything" in admin
    nobody = at(place, "policy", "explain", *asking("carol")).done()
    assert "none allows it" in nobody.out


def test_a_permit_that_covers_nothing_is_told(place: Path) -> None:
    (place / "p.cedar").write_text('@id("only-push") permit (principal, action == Action::"push", resource);')
    denied = at(place, "policy", "test", "p.cedar", *asking())
    assert denied.code == 4
    assert "no policy permits it" in denied.out


def test_only_an_admin_sets_policies(place: Path) -> None:
    refused = at(place, "policy", "set", "serving.cedar", by="bob")
    assert (refused.code, "error [not-permitted]" in refused.err) == (4, True)
    assert "No policies" in at(place, "policy", "show").err


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (b"forbid (principal, action, resource) when { resource.nonsense };", "invalid-policy", "nonsense"),
        (b"forbid (principal, action", "invalid-policy", "policy 1"),
        (b'@id("twin") forbid(principal,action,resource);' * 2, "invalid-policy", "twin"),
        (b"\xff\xfe", "invalid-input", "UTF-8"),
    ],
)
def test_a_text_that_does_not_hold_is_refused_and_not_set(
    place: Path, text: bytes, error: str, said: str
) -> None:
    (place / "bad.cedar").write_bytes(text)
    for words in (("policy", "set", "bad.cedar"), ("policy", "test", "bad.cedar", *asking())):
        refused = at(place, *words)
        assert (refused.code, refused.out) == (2, "")
        assert f"error [{error}]" in refused.err
        assert said in refused.err
    assert at(place, "policy", "history", "--json").document() == {"history": []}


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("policy", "set", "absent.cedar"), 3, "not-found"),
        (("policy", "test", "absent.cedar", *asking()), 3, "not-found"),
        (("policy", "test", *asking("nobody")), 3, "member-not-found"),
        (("policy", "test", *asking(action="dance")), 2, "invalid-input"),
        (("policy", "test", *asking(on="vision/absent")), 3, "reference-not-found"),
        (("policy", "explain", *asking(on="vision/mlp:7")), 3, "reference-not-found"),
        (("policy", "explain", *asking(on="vision")), 2, "invalid-reference"),
        (("policy", "explain", *asking(action="grant", on="vision")), 2, "invalid-input"),
        (("policy", "explain", *asking(), "--time", "soon"), 2, "invalid-input"),
        (("policy", "explain", *asking(action="grant", on="vision/"), "--grants", "x"), 2, "invalid-input"),
        (("attest", "vision/mlp", "--type", REVIEW, "--predicate", "absent.json"), 3, "not-found"),
        (("attest", "vision/mlp", "--type", REVIEW, "--predicate", "serving.cedar"), 2, "invalid-input"),
        (("attest", "vision/mlp", "--type", "two words", "--predicate", "review.json"), 2, "invalid-input"),
        (("attest", "vision/no", "--type", REVIEW, "--predicate", "review.json"), 3, "reference-not-found"),
        (("attestations", "vision/no"), 3, "reference-not-found"),
        (("attestations", "nonsense"), 2, "invalid-reference"),
    ],
)
def test_refusals_have_a_code(place: Path, words: tuple[str, ...], code: int, error: str) -> None:
    refused = at(place, *words)
    assert (refused.code, refused.out) == (code, ""), refused.err
    assert f"error [{error}]" in refused.err
    assert at(place, *words, "--json").document()["error"]["code"] == error


def test_attest_and_attestations(place: Path) -> None:
    form = ("--type", REVIEW, "--predicate", "review.json")
    attested = at(place, "attest", "vision/mlp:prod", *form, by="bob").done()
    assert re.search(r"^attested +vision/mlp:1$", attested.out, re.M)
    document = at(place, "attest", "vision/mlp", *form, "--json").done().document()
    assert set(document) == {"reference", "type", "seq"}
    found = at(place, "attestations", "vision/mlp", "--json").done().document()
    assert found["reference"] == "vision/mlp:1"
    assert [one["signer"] for one in found["attestations"]] == ["alice", "bob", "alice"]
    assert set(found["attestations"][1]) == {
        *("type", "signer", "teams", "active", "time", "seq", "predicate")
    }
    assert found["attestations"][1]["predicate"] == {"verdict": "good"}
    at(place, "member", "disable", "bob").done()
    people = at(place, "attestations", "vision/mlp").done().out
    assert "3 attestation(s)" in people
    assert re.search(rf"^{re.escape(REVIEW)} +bob \(disabled", people, re.M)


def test_attest_needs_some_right_on_the_model(place: Path) -> None:
    refused = at(place, "attest", "vision/mlp", "--type", REVIEW, "--predicate", "review.json", by="carol")
    assert (refused.code, "error [not-permitted]" in refused.err) == (4, True)


def test_attestations_open_a_gate(place: Path) -> None:
    (place / "gate.cedar").write_text(
        '@id("reviewed") forbid (principal, action == Action::"promote", resource)'
        f' unless {{ resource.hasTag("{REVIEW}") && resource.getTag("{REVIEW}").others >= 1 }};'
    )
    at(place, "policy", "set", "gate.cedar").done()
    assert at(place, "alias", "vision/mlp:1", "best").code == 4
    at(place, "attest", "vision/mlp:1", "--type", REVIEW, "--predicate", "review.json", by="bob").done()
    at(place, "alias", "vision/mlp:1", "best").done()
