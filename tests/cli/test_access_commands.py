"""Members, teams, grants and rotations: what each command prints, and how it refuses."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.errors import InvalidInput
from registry_cli.times import moment, short
from support.commandline import Result, call, spawn

CHANGED = {"seq", "rotated", "resealed", "unreadable"}


def enroll(home: Path, directory: Path, name: str, *options: str) -> Path:
    call("identity", "create", "--name", name, "-o", directory / f"{name}.pem").done()
    call("--home", home, "member", "add", directory / f"{name}.pub", *options).done()
    return directory / f"{name}.pem"


@pytest.fixture(scope="module")
def peopled_template(tmp_path_factory: pytest.TempPathFactory, published_template: Path) -> Path:
    """vision/mlp:1 by the admin alice; bob; eve, an auditor; team ml with bob in it; dan, disabled."""
    place = tmp_path_factory.mktemp("peopled")
    home = Path(shutil.copytree(published_template, place / "home"))
    for name, *options in (["bob"], ["dan"], ["eve", "--role", "auditor"]):
        enroll(home, place, name, *options)
    call("--home", home, "team", "create", "ml").done()
    call("--home", home, "team", "add", "ml", "bob").done()
    call("--home", home, "member", "disable", "dan").done()
    return place


@pytest.fixture
def place(tmp_path: Path, peopled_template: Path) -> Path:
    """A directory with home, bob.pem, dan.pem and eve.pem."""
    return Path(shutil.copytree(peopled_template, tmp_path / "place"))


def at(place: Path, *arguments: object, by: str = "") -> Result:
    identity = ("--identity", place / f"{by}.pem") if by else ()
    return call("--home", place / "home", *identity, *arguments)


def test_add_prints_the_fingerprint_and_says_to_compare_it(home: Path, tmp_path: Path) -> None:
    made = call("identity", "create", "--name", "bob", "-o", tmp_path / "bob.pem", "--json").document()
    added = spawn("--home", home, "member", "add", tmp_path / "bob.pub").done()
    assert re.search(rf"^fingerprint +{made['fingerprint']}$", added.out, re.M)
    assert re.search(r"^role +member$", added.out, re.M)
    assert "Compare the fingerprint with bob" in added.err
    assert "Compare" not in added.out


def test_add_json(home: Path, tmp_path: Path) -> None:
    call("identity", "create", "--name", "bob", "-o", tmp_path / "bob.pem").done()
    added = call("--home", home, "member", "add", tmp_path / "bob.pub", "--role", "admin", "--json").done()
    document = added.document()
    assert set(document) == {"name", "role", "keyid", "fingerprint"} | CHANGED
    assert (document["name"], document["role"], document["rotated"]) == ("bob", "admin", [])
    assert added.err == ""


def test_member_list_names_everybody_who_ever_was(place: Path) -> None:
    listed = at(place, "member", "list").done()
    for line in (
        r"alice +admin +active",
        r"bob +member +active +ml ",
        r"dan +member +disabled",
        r"eve +auditor",
    ):
        assert re.search(rf"^{line}", listed.out, re.M)
    found = at(place, "member", "list", "--json").done().document()["members"]
    assert [one["name"] for one in found] == ["alice", "bob", "dan", "eve"]
    assert set(found[0]) == {"name", "role", "state", "teams", "keyid", "enrolled", "disabled"}


def test_member_show_has_every_key(place: Path) -> None:
    at(place, "identity", "rotate", by="bob").done()
    shown = at(place, "member", "show", "bob", "--json").done().document()
    assert len(shown["keys"]) == 2
    assert set(shown["keys"][0]) == {"keyid", "fingerprint", "suite", "since"}
    people = at(place, "member", "show", "bob").done().out
    newest, oldest = people.index(shown["keys"][1]["keyid"]), people.index(shown["keys"][0]["keyid"])
    assert newest < oldest < people.index("counts no more")
    assert "disabled" in at(place, "member", "show", "dan").done().out


def test_disable_says_what_was_rotated_and_what_it_cannot_do(place: Path) -> None:
    at(place, "grant", "bob", "pull", "vision/mlp").done()
    done = at(place, "member", "disable", "bob", "--reason", "left").done()
    assert re.search(r"^rotated +2 vault\(s\): ml, vision/mlp$", done.out, re.M)
    assert re.search(r"^keys +1 file key\(s\) sealed again$", done.out, re.M)
    assert "cannot be taken back" in done.err


def test_disable_json(place: Path) -> None:
    document = at(place, "member", "disable", "bob", "--reason", "left", "--json").done().document()
    assert set(document) == {"name", "reason"} | CHANGED
    assert (document["name"], document["reason"], document["rotated"]) == ("bob", "left", ["ml"])


def test_the_last_admin_cannot_be_disabled(place: Path, tmp_path: Path) -> None:
    refused = at(place, "member", "disable", "alice")
    assert (refused.code, "error [conflict]" in refused.err) == (6, True)
    assert "another admin" in refused.next()
    enroll(place / "home", place, "zoe", "--role", "admin")
    at(place, "member", "disable", "alice", by="zoe").done()
    assert at(place, "member", "disable", "zoe", by="zoe").code == 6
    assert at(place, "grant", "bob", "pull", "vision/").code == 4


def test_teams(place: Path) -> None:
    made = at(place, "team", "create", "qa", "--json").done().document()
    assert set(made) == {"team"} | CHANGED
    joined = at(place, "team", "add", "qa", "bob", "--json").done().document()
    assert set(joined) == {"team", "name"} | CHANGED
    assert at(place, "team", "list", "--json").document() == {
        "teams": [{"team": "ml", "members": ["bob"]}, {"team": "qa", "members": ["bob"]}]
    }
    people = at(place, "team", "list").done().out
    assert re.search(r"^qa +bob", people, re.M)
    left = at(place, "team", "remove", "qa", "bob", "--json").done().document()
    assert (left["name"], left["rotated"]) == ("bob", ["qa"])
    assert "cannot be taken back" in at(place, "team", "remove", "ml", "bob").done().err


def test_no_teams_says_what_to_do(home: Path) -> None:
    listed = call("--home", home, "team", "list").done()
    assert listed.out == ""
    assert "team create" in listed.err
    assert call("--home", home, "team", "list", "--json").document() == {"teams": []}


def test_grant_and_grants(place: Path) -> None:
    granted = at(place, "grant", "ml", "push,pull", "vision/").done()
    assert re.search(r"^granted +pull, push on vision/$", granted.out, re.M)
    document = (
        at(place, "grant", "bob", "promote", "vision/mlp", "--until", "2999-01-31", "--json")
        .done()
        .document()
    )
    assert set(document) == {"grantee", "actions", "target", "until"} | CHANGED
    assert document["until"] == "2999-01-31T00:00:00.000000Z"
    people = at(place, "grants").done().out
    assert re.search(r"^ml \(team\) +pull +vision/ +\d+", people, re.M)
    assert re.search(r"^bob +promote +vision/mlp +2999-01-31 00:00 +\d+", people, re.M)
    found = at(place, "grants", "--json").done().document()["grants"]
    assert set(found[0]) == {"grantee", "kind", "action", "target", "until", "seq", "state"}
    mine = at(place, "grants", "--member", "bob", "--json").document()["grants"]
    assert [(one["action"], one["target"]) for one in mine] == [("promote", "vision/mlp")]
    # A version's reference asks about its model.
    there = at(place, "grants", "--on", "vision/mlp:prod", "--json").document()["grants"]
    assert there == mine
    nobody = at(place, "grants", "--member", "eve").done()
    assert (nobody.out, "--effective" in nobody.err) == ("", True)


def test_effective_grants_say_who_may_pull_this_and_why(place: Path) -> None:
    at(place, "grant", "ml", "pull", "vision/").done()
    found = (
        at(place, "grants", "--on", "vision/mlp:1", "--effective", "--json").done().document()["effective"]
    )
    pull = {one["member"]: one["why"] for one in found if one["action"] == "pull"}
    assert set(pull) == {"alice", "bob"}
    assert "admin" in pull["alice"][0]
    assert "vision/" in pull["bob"][0]
    assert "team ml" in pull["bob"][0]
    people = at(place, "grants", "--on", "vision/mlp:1", "--effective").done().out
    assert re.search(r"^bob +pull +vision/mlp +pull on vision/ granted to ml", people, re.M)
    assert re.search(r"^alice +everything +vision/mlp +alice is an admin", people, re.M)


def test_effective_grants_say_what_a_member_can_do(place: Path) -> None:
    at(place, "grant", "ml", "pull", "vision/").done()
    at(place, "grant", "bob", "push", "audio/").done()
    found = at(place, "grants", "--member", "bob", "--effective", "--json").document()["effective"]
    assert {(one["action"], one["target"]) for one in found} == {
        ("push", "audio/"),
        ("pull", "vision/"),
        ("pull", "vision/mlp"),
    }
    nothing = at(place, "grants", "--member", "eve", "--effective").done()
    assert (nothing.out, nothing.err) == ("", "Nothing is allowed there.\n")


def test_revoke_tells_what_is_still_allowed(place: Path) -> None:
    at(place, "grant", "ml", "pull", "vision/").done()
    at(place, "grant", "bob", "pull", "vision/mlp").done()
    done = at(place, "revoke", "bob", "pull", "vision/mlp").done()
    assert "1 vault(s): vision/mlp" in done.out
    assert "cannot be taken back" in done.err
    assert "bob may still pull there: pull on vision/ granted to ml" in done.err
    last = at(place, "revoke", "ml", "pull", "vision/", "--json").done().document()
    assert set(last) == {"grantee", "actions", "target", "still"} | CHANGED
    assert (last["still"], last["rotated"], last["resealed"]) == ([], ["vision/", "vision/mlp"], 1)


def test_revoking_push_rotates_nothing_and_warns_of_nothing(place: Path) -> None:
    at(place, "grant", "bob", "push", "vision/").done()
    done = at(place, "revoke", "bob", "push", "vision/").done()
    assert "rotated" not in done.out
    assert done.err == ""


def test_rotate_begins_anew_what_is_below(place: Path) -> None:
    document = at(place, "rotate", "vision/", "--json").done().document()
    assert set(document) == {"vault"} | CHANGED
    # A namespace has a vault of its own from its first model on.
    assert (document["rotated"], document["resealed"]) == (["vision/", "vision/mlp"], 1)
    people = at(place, "rotate", "vision/mlp", "--reencrypt").done()
    assert "1 file(s) encrypted again" in people.out
    assert "1 vault(s): ml" in at(place, "rotate", "ml").done().out
    at(place, "run", "vision/mlp", "--input", "random").done()
    at(place, "fsck").done()


def test_only_admins_and_holders_of_grant_change_anything(place: Path) -> None:
    at(place, "grant", "bob", "grant", "vision/mlp").done()
    for words in (
        ("team", "create", "mine"),
        ("team", "add", "ml", "eve"),
        ("member", "disable", "alice"),
        ("grant", "bob", "push", "vision/"),
        ("revoke", "bob", "grant", "vision/"),
        ("rotate", "vision/"),
        ("rotate", "ml"),
    ):
        refused = at(place, *words, by="bob")
        assert (refused.code, "error [not-permitted]" in refused.err) == (4, True), words
        assert refused.next()
    enroll(place / "home", place, "fay")
    at(place, "grant", "fay", "pull", "vision/mlp", by="bob").done()


@pytest.mark.parametrize(
    ("words", "code", "error", "hint"),
    [
        ("member add bob.pem", 2, "invalid-identity", ".pub"),
        ("member add home/registry.json", 2, "invalid-identity", "identity create"),
        ("member add absent.pub", 3, "not-found", ""),
        ("member add bob.pub", 6, "already-exists", "choose another"),
        ("member add bob.pub --role king", 2, "invalid-input", "auditor"),
        ("member show nobody", 3, "member-not-found", "member list"),
        ("member disable nobody", 3, "member-not-found", "member list"),
        ("member disable dan", 6, "already-exists", ""),
        ("team create ml", 6, "already-exists", "choose another"),
        ("team create bob", 6, "already-exists", "choose another"),
        ("team add nope bob", 3, "member-not-found", "team list"),
        ("team add ml nobody", 3, "member-not-found", "member list"),
        ("team add ml bob", 6, "already-exists", ""),
        ("team add ml dan", 6, "conflict", ""),
        ("team add ml eve", 4, "not-permitted", "second identity"),
        ("team remove ml eve", 3, "member-not-found", ""),
        ("grant nobody pull vision/", 3, "member-not-found", "member list"),
        ("grant dan pull vision/", 6, "conflict", ""),
        ("grant eve pull vision/", 4, "not-permitted", "second identity"),
        ("grant bob dance vision/", 2, "invalid-input", "promote"),
        ("grant bob , vision/", 2, "invalid-input", "promote"),
        ("grant bob pull vision", 2, "invalid-input", "vision/"),
        ("grant bob pull vision/mlp:1", 2, "invalid-input", "vision/mlp"),
        ("grant bob pull vi$ion/", 2, "invalid-reference", "letters"),
        ("grant bob pull vision/ --until someday", 2, "invalid-input", "30d"),
        ("grant bob pull vision/ --until 999999999w", 2, "invalid-input", "30d"),
        ("grant bob pull vision/ --until 2020-01-01", 2, "invalid-input", ""),
        ("revoke bob pull vision/", 3, "grant-not-found", "registry grants"),
        ("revoke nobody pull vision/", 3, "grant-not-found", "registry grants"),
        ("grants --member nobody", 3, "member-not-found", "member list"),
        ("grants --on vision", 2, "invalid-input", "vision/"),
        ("grants --on vision/mlp:0", 2, "invalid-reference", "vision/resnet50"),
        ("rotate absent/", 3, "member-not-found", "namespace/"),
        ("rotate ../etc", 3, "member-not-found", "namespace/"),
    ],
)
def test_refusals_have_a_code_and_a_next_step(
    place: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int, error: str, hint: str
) -> None:
    monkeypatch.chdir(place)
    refused = at(place, *words.split())
    assert (refused.code, refused.out) == (code, ""), refused.err
    assert f"error [{error}]" in refused.err
    if hint:
        assert hint in refused.next()
    document = at(place, *words.split(), "--json").document()
    assert document["error"]["code"] == error


def test_every_table_fits_eighty_columns(place: Path) -> None:
    team = "the-team-for-computer-vision"
    at(place, "team", "create", team).done()
    at(place, "team", "add", team, "bob").done()
    target = "computer-vision/resnet50-int8-per-channel"
    at(place, "grant", team, "pull,promote", target, "--until", "10w").done()
    at(place, "grant", "eve", "pull", target)
    for words in (
        ("member", "list"),
        ("team", "list"),
        ("grants",),
        ("grants", "--effective"),
        ("log",),
        ("policy", "history"),
        ("attestations", "vision/mlp"),
    ):
        shown = at(place, *words).done().out
        assert max(map(len, shown.splitlines()), default=0) <= 80, words


def test_the_log_tells_acts_and_refusals_in_words(place: Path) -> None:
    at(place, "grant", "ml", "pull", "vision/", "--until", "2999-01-31").done()
    at(place, "revoke", "ml", "pull", "vision/").done()
    at(place, "run", "vision/mlp", "--input", "random", by="bob")
    shown = " ".join(at(place, "log", "--limit", "100").done().out.split())
    for said in (
        "enroll eve as auditor",
        "team-add ml: bob",
        "disable dan",
        "grant vision/: pull to ml until 2999-01-31 00:00",
        "revoke vision/: pull from ml",
        "refusal vision/mlp:1: pull refused: bob may not pull here",
    ):
        assert said in shown
    entries = at(place, "log", "--json").done().document()["entries"]
    assert {"seq", "kind", "target", "envelope"} <= set(entries[0])
    assert entries[0]["kind"] == "refusal"


NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2027-02-01", datetime(2027, 2, 1, tzinfo=UTC)),
        ("2027-02-01T18:00", datetime(2027, 2, 1, 18, tzinfo=UTC)),
        ("2027-02-01T18:00:05.25Z", datetime(2027, 2, 1, 18, 0, 5, 250_000, tzinfo=UTC)),
        ("2027-02-01T18:00+01:00", datetime(2027, 2, 1, 17, tzinfo=UTC)),
        ("30d", NOON + timedelta(days=30)),
        ("12h", NOON + timedelta(hours=12)),
        ("45m", NOON + timedelta(minutes=45)),
        ("2s", NOON + timedelta(seconds=2)),
        ("3w", NOON + timedelta(weeks=3)),
    ],
)
def test_times_as_people_write_them(text: str, meant: datetime) -> None:
    assert moment(text, NOON) == meant


@pytest.mark.parametrize(
    "text",
    ["", "soon", "d", "-3d", "3 d", "3y", "1.5h", "٣d", "2027-02-30", "9999-12-31T23:59-12:00", "999999999w"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        moment(text, NOON)


def test_recorded_times_are_short_for_people() -> None:
    assert short("until 2027-01-31T18:00:00.000000Z") == "until 2027-01-31 18:00"
    assert short("2027-01-31T18:00:07.250000Z") == "2027-01-31 18:00:07"
