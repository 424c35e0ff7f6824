"""Further attestations: who may sign one, what it may say, and that a changed one is found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from registry import acts, attesting, catalog, members
from registry.attesting import attest, attest_value, attestations
from registry.checkout import checkout
from registry.context import Context
from registry.crypto import dsse
from registry.errors import (
    BadAttestation,
    BadReference,
    BadSignature,
    Denied,
    Disabled,
    InvalidInput,
    ReferenceNotFound,
    Untrusted,
    Yanked,
)
from registry.fsck import fsck
from registry.records import tables
from registry.records.database import writing
from support import worlds
from support.company import MODEL, Company

REVIEW = "https://example.com/review/v1"


@pytest.fixture
def reviewed(company: Company, tiny: Path) -> Company:
    """bob may pull, carol is an auditor, dave may nothing; there is a version."""
    company.enroll("bob", "dave")
    company.enroll("carol", role="auditor")
    company.team("qa", "bob")
    company.grant("bob", "pull", MODEL)
    company.publish(tiny)
    return company


def test_what_was_attested_is_listed_with_who_said_it(company_anywhere: Company, tiny: Path) -> None:
    company = company_anywhere
    company.enroll("bob")
    company.enroll("carol", role="auditor")
    company.team("qa", "bob")
    company.grant("bob", "pull", MODEL)
    company.publish(tiny)
    (company.root / "review.json").write_text(json.dumps({"passed": True, "text": "größe", "n": 2**53 - 1}))
    with company.open("bob") as context:
        ref, seq = attest(context, MODEL, REVIEW, company.root / "review.json")
        assert (str(ref), catalog.log(context, 1)[0]["seq"]) == (f"{MODEL}:1", seq)
    with company.open("carol") as context:
        attest_value(context, f"{MODEL}:1", "https://example.com/audit/v1", {})
        exact, found = attestations(context, MODEL)
    assert str(exact) == f"{MODEL}:1"
    assert [(one["type"], one["signer"], one["teams"], one["active"]) for one in found] == [
        (acts.QUANTIZATION, "alice", [], True),
        (REVIEW, "bob", ["qa"], True),
        ("https://example.com/audit/v1", "carol", [], True),
    ]
    assert found[1]["predicate"] == {"passed": True, "text": "größe", "n": 2**53 - 1}
    assert found[1]["seq"] == seq
    assert company.readers("alice", "bob") == {"alice", "bob"}
    company.clean()


def test_whoever_has_no_right_on_the_model_may_not_speak_of_it(reviewed: Company) -> None:
    reviewed.refused("dave", attest_value, MODEL, REVIEW, {})
    with reviewed.open() as context:
        members.disable(context, "carol")
    reviewed.refused("carol", attest_value, MODEL, REVIEW, {}, error=Disabled)


def test_what_somebody_disabled_since_has_attested_stays_valid(reviewed: Company) -> None:
    with reviewed.open("bob") as context:
        attest_value(context, MODEL, REVIEW, {"passed": True})
    with reviewed.open() as context:
        members.disable(context, "bob")
        (said,) = [one for one in attestations(context, MODEL)[1] if one["type"] == REVIEW]
    assert (said["signer"], said["active"], said["predicate"]) == ("bob", False, {"passed": True})


def test_every_attestation_is_kept(reviewed: Company) -> None:
    """Who says something twice has said it twice."""
    for number in range(3):
        with reviewed.open("bob") as context:
            attest_value(context, MODEL, REVIEW, {"n": number})
    with reviewed.open() as context:
        said = [one["predicate"]["n"] for one in attestations(context, MODEL)[1] if one["type"] == REVIEW]
    assert said == [0, 1, 2]


@pytest.mark.parametrize("kind", ["", "two words", "a\nb", "tab\there", "\x00", "u" * 256])
def test_a_type_that_is_no_uri(reviewed: Company, kind: str) -> None:
    with reviewed.open() as context, pytest.raises(InvalidInput):
        attest_value(context, MODEL, kind, {})


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{", '{"a": 1, "a": 2}', '{"a": 1e400}', '{"a": NaN}', '{"n": 9007199254740993}']
)
def test_a_predicate_that_is_not_one_canonical_object(reviewed: Company, text: str) -> None:
    (reviewed.root / "said.json").write_text(text)
    with reviewed.open() as context:
        before = worlds.dump(context)
        with pytest.raises(InvalidInput):
            attest(context, MODEL, REVIEW, reviewed.root / "said.json")
        assert worlds.dump(context) == before


def test_a_predicate_too_long(reviewed: Company) -> None:
    (reviewed.root / "said.json").write_text(json.dumps({"a": "x" * attesting.LIMIT}))
    with reviewed.open() as context, pytest.raises(InvalidInput):
        attest(context, MODEL, REVIEW, reviewed.root / "said.json")


def test_versions_that_are_not_there_or_were_withdrawn(reviewed: Company) -> None:
    with reviewed.open() as context:
        with pytest.raises(ReferenceNotFound):
            attest_value(context, f"{MODEL}:9", REVIEW, {})
        catalog.yank(context, f"{MODEL}:1", "broken")
        with pytest.raises(Yanked):
            attestations(context, f"{MODEL}:1")


# --- attacks ----------------------------------------------------------------------------------


def _body(context: Context, statement: dict[str, Any], signer: Context | None = None) -> acts.Attest:
    exact, digest = catalog.resolve(context, MODEL)
    key = (signer or context).identity.signing
    envelope = dsse.sign(json.dumps(statement, sort_keys=True, separators=(",", ":")).encode(), key)
    return acts.Attest(
        model=exact.model, number=exact.version or 0, digest=digest, statement=envelope.to_bytes()
    )


def _statement(context: Context, **changes: Any) -> dict[str, Any]:
    exact, digest = catalog.resolve(context, MODEL)
    return {
        "_type": acts.STATEMENT_TYPE,
        "subject": [{"name": exact.model, "digest": {"sha256": digest}}],
        "predicateType": REVIEW,
        "predicate": {},
        **changes,
    }


def test_a_statement_that_somebody_else_signed(reviewed: Company) -> None:
    with reviewed.open() as alice, reviewed.open("bob") as bob:
        body = _body(bob, _statement(bob), signer=alice)
        with pytest.raises(BadSignature):
            bob.act(body)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": [{"name": MODEL, "digest": {"sha256": "0" * 64}}]},
        {"subject": [{"name": "vision/other", "digest": {"sha256": "0" * 64}}]},
        {"subject": []},
        {"predicateType": acts.QUANTIZATION},
        {"predicateType": "two words"},
    ],
    ids=["another digest", "another model", "no subject", "the facts of a push", "no uri"],
)
def test_a_statement_about_something_else(reviewed: Company, changes: dict[str, Any]) -> None:
    with reviewed.open("bob") as context:
        before = worlds.dump(context)
        with pytest.raises(BadAttestation):
            context.act(_body(context, _statement(context, **changes)))
        (refusal,) = worlds.only_refused(context, before)
        assert (refusal.member, refusal.attempt, refusal.code) == ("bob", "attest", "bad-attestation")


@pytest.mark.parametrize("attack", ["signer", "type", "deleted", "invented"])
def test_a_row_that_says_otherwise_is_found_out(reviewed: Company, attack: str) -> None:
    """The database is edited behind the door: nobody believes the row."""
    with reviewed.open("bob") as context:
        _, seq = attest_value(context, MODEL, REVIEW, {"passed": False})
    table = tables.attestations
    with reviewed.open() as context, writing(context.engine) as connection:
        ours = table.c.seq == seq
        if attack == "signer":
            connection.execute(sa.update(table).where(ours).values(signer=context.keyid))
        elif attack == "type":
            connection.execute(sa.update(table).where(ours).values(type="https://example.com/approval/v1"))
        elif attack == "deleted":
            connection.execute(sa.delete(table).where(ours))
        else:
            row = dict(connection.execute(sa.select(table).where(ours)).one()._mapping)
            connection.execute(sa.insert(table), {**row, "seq": 1, "position": 7})
    with reviewed.open() as context:
        if attack == "deleted":
            # The ledger is asked for attestations, not the row.
            assert [one["predicate"] for one in attestations(context, MODEL)[1][1:]] == [{"passed": False}]
        else:
            with pytest.raises((BadReference, Untrusted)):
                attestations(context, MODEL)
            with pytest.raises((Untrusted, Denied)):
                checkout(context, MODEL)
        assert fsck(context).findings != ()
