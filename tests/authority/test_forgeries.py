"""The door refuses every forgery by name; after each, nothing has changed but the record of refusals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from registry import acts, authority
from registry.audit.verify import engine
from registry.authority import Authority
from registry.crypto import dsse, possession
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.errors import (
    BadCheckpoint,
    Conflict,
    Denied,
    InvalidInput,
    NotPermitted,
    RegistryError,
    Untrusted,
    WrongRegistry,
)
from registry.lawbook import Lawbook
from registry.records import schema, tables
from registry.records.database import open_engine, reading
from support.forger import each
from support.forgeries import FORGERIES
from support.publisher import MODEL, Publisher

EXITS = range(2, 7)  # a refusal is never called our bug, nor the database's


def dump(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, leases too."""
    with reading(engine) as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in tables.metadata.sorted_tables
        }


# Where the door writes what it refused.
RECORD = ("acts", "nodes", "head", "tallies", "events", "sayings", "activity")


def refuse(alice: Publisher, name: str) -> None:
    """Bring the forgery to the door; it must be refused as the table says, and change nothing.

    What is Denied or Untrusted is recorded, in the ledger or in the count, and that is all that is new.
    """
    forgery = FORGERIES[name]
    brought = forgery.made(alice)
    before = dump(alice.authority.engine)
    with pytest.raises(forgery.error, match=f"(?i).*{forgery.says}") as caught:
        alice.submit(brought.envelope, keys=brought.keys)
    assert caught.value.exit_code in EXITS, f"{name}: {caught.value!r}"
    after = dump(alice.authority.engine)
    if isinstance(caught.value, Denied | Untrusted):
        recorded(alice, before, after, caught.value)
        for table in RECORD:
            before.pop(table), after.pop(table)
    assert after == before


def recorded(
    alice: Publisher, before: dict[str, list[Any]], after: dict[str, list[Any]], error: RegistryError
) -> None:
    """One refusal more: an act signed by the ledger's key that says what was refused, or one more counted."""
    acts_before, new = before["acts"], [row for row in after["acts"] if row not in before["acts"]]
    assert [row for row in after["acts"] if row not in new] == acts_before
    (size,) = [row[1] for row in after["head"]]
    assert size == len(after["acts"]) == len(acts_before) + len(new)
    if not new:
        assert _counted(after) == _counted(before) + 1
        return
    envelope = dsse.Envelope.from_bytes(alice.envelopes()[-1])
    act = acts.decode(dsse.verify(envelope, alice.key.public))
    assert len(new) == 1
    assert isinstance(act.body, acts.Refusal)
    assert (act.body.code, act.body.count, act.header.actor) == (error.code, 1, alice.key.keyid)
    assert _counted(after) == _counted(before)


def _counted(dumped: dict[str, list[Any]]) -> int:
    return sum(row[3] for row in dumped["tallies"])


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_and_changes_nothing(alice: Publisher, name: str) -> None:
    refuse(alice, name)


# What some of the forgers wrote straight into the tables: five rows, and nothing else is wrong.
PLANTED = {
    ("row-forged", "grants"),
    ("row-forged", "members"),
    ("row-forged", "keys"),
    ("row-forged", "blobs"),
    ("row-differs", "members.role"),
}


def test_every_forgery_is_refused_on_postgresql_too(open_door: Any, postgres_url: str) -> None:
    alice = open_door(postgres_url)
    for name in FORGERIES:
        refuse(alice, name)
    alice.admit(alice.push())
    registry_id = alice.authority.registry_id
    with reading(alice.authority.engine) as connection:
        found = {(one.code, one.on.partition(" ")[0]) for one in engine.findings(connection, registry_id)}
    assert found == PLANTED


def test_the_honest_acts_that_the_forgeries_were_made_of_are_admitted(alice: Publisher) -> None:
    """So it is the one change in each that was refused."""
    first = len(alice.envelopes())
    bob = alice.members["bob"]
    honest: list[Any] = [
        lambda: alice.push(label="2.0", aliases=("new", "prod")),
        lambda: alice.about(acts.Alias, 2, name="new"),
        lambda: alice.about(acts.Pull, 2, purpose="run"),
        lambda: alice.about(acts.Failure, 2, purpose="run", step=9, code="bad-encryption"),
        lambda: alice.about(acts.Yank, 2, reason="superseded"),
        lambda: alice.about(acts.Failure, 2, purpose="run", step=12, code="bad-session"),
        lambda: alice.whole(acts.Create("vision/other")),
        lambda: alice.push({"model.onnx": b"graph 1"}, model="vision/other"),
        lambda: alice.whole(acts.Create("new/net")),
        lambda: alice.whole(acts.Grant("carol", ("pull",), MODEL)),
        lambda: alice.whole(acts.Grant("dora", ("pull", "push"), MODEL, "2027-01-01T00:00:00.000000Z")),
        lambda: alice.whole(acts.Rotate(MODEL)),
        lambda: alice.whole(acts.Rotate("audio/")),
        lambda: alice.whole(acts.Revoke("carol", ("pull",), MODEL)),
        lambda: alice.whole(acts.Team("night")),
        lambda: alice.whole(acts.TeamAdd("ml", "bob")),
        lambda: alice.whole(acts.TeamRemove("ml", "carol")),
        lambda: alice.whole(acts.Enroll("zoe", _proof("zoe"), "admin")),
        lambda: alice.whole(acts.Enroll("yan", _proof("yan"), "auditor")),
        lambda: alice.whole(acts.Replace("dora", _proof("dora"))),
        lambda: alice.whole(acts.Disable("carol")),
        lambda: alice.whole(acts.Rotate("/")),
        lambda: acts.Policy("permit(principal, action, resource);"),
    ]
    seqs = [alice.admit(body()).proof.entry.seq for body in honest]
    assert seqs == list(range(first, first + len(honest)))
    alice.admit(alice.about(acts.Pull, 1, purpose="run"), by=bob)
    alice.admit(alice.whole(acts.Replace("bob", _proof("bob")), bob), by=bob)
    for minutes in (-14, 14):
        near = acts.timestamp(alice.now + timedelta(minutes=minutes))
        alice.submit(alice.sign(alice.push(), time=near))


def _proof(name: str) -> bytes:
    return possession.prove(Identity.generate(name))


def test_a_ledger_key_that_the_genesis_act_does_not_name_is_refused(alice: Publisher) -> None:
    honest = alice.authority
    forged = Authority(honest.engine, LedgerKey.generate(), honest.registry_id, honest.lawbook)
    before = dump(honest.engine)
    with pytest.raises(BadCheckpoint, match="genesis act names"):
        authority.submit(forged, alice.sign(alice.push()), alice.now)
    assert dump(honest.engine) == before


def test_a_database_of_another_registry_is_refused(alice: Publisher) -> None:
    honest = alice.authority
    other = Authority(honest.engine, honest.key, "0" * 64, Lawbook("0" * 64))
    before = dump(honest.engine)
    with pytest.raises(WrongRegistry, match="pinned"):
        authority.submit(other, alice.sign(alice.push()), alice.now)
    assert dump(honest.engine) == before


def test_a_second_founding_is_refused(alice: Publisher) -> None:
    before = dump(alice.authority.engine)
    with pytest.raises(Conflict, match="holds a registry already"):
        authority.found(alice.authority.engine, LedgerKey.generate(), alice.genesis, {})
    assert dump(alice.authority.engine) == before


FOUNDINGS: dict[str, Any] = {
    "signed by another than it names": lambda honest, body: honest.sign(
        body, Identity.generate("eve"), registry="", law=""
    ),
    "by another actor": lambda honest, body: honest.sign(
        body, by=Identity.generate("eve"), registry="", law=""
    ),
    "of another name": lambda honest, body: honest.sign(replace(body, name="eve"), registry="", law=""),
    "for a registry": lambda honest, body: honest.sign(body, law=""),
    "under a law": lambda honest, body: honest.sign(body, registry=""),
    "another act": lambda honest, _: honest.sign(honest.push(), registry="", law=""),
    "without the root's key": lambda honest, body: honest.sign(
        replace(body, custody=acts.Custody()), registry="", law=""
    ),
    "with the root sealed to another": lambda honest, body: honest.sign(
        _root(body, shares=each(body.custody.vaults[0].shares, recipient="eve")), registry="", law=""
    ),
    "with the root sealed to one more": lambda honest, body: honest.sign(
        _root(body, shares=(*body.custody.vaults[0].shares, *_eves(body))), registry="", law=""
    ),
    "with a release key that is none": lambda honest, body: honest.sign(
        replace(body, release=replace(body.release, public=b"none")), registry="", law=""
    ),
}


def _root(body: acts.Genesis, **changes: Any) -> acts.Genesis:
    return replace(body, custody=acts.Custody(vaults=each(body.custody.vaults, **changes)))


def _eves(body: acts.Genesis) -> tuple[acts.Share, ...]:
    shares: tuple[acts.Share, ...] = each(body.custody.vaults[0].shares, recipient="eve")
    return shares


@pytest.mark.parametrize("flaw", FOUNDINGS)
def test_a_genesis_act_with_a_flaw_founds_nothing(tmp_path: Any, flaw: str) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'db'}")
    schema.upgrade(engine)
    honest = Publisher(engine)
    empty = open_engine(f"sqlite:///{tmp_path / 'empty'}")
    schema.upgrade(empty)
    forged = FOUNDINGS[flaw](honest, honest.genesis_body())
    with pytest.raises(RegistryError) as caught:
        authority.found(empty, honest.key, forged, honest.beside(forged))
    assert caught.value.exit_code in EXITS
    assert not any(dump(empty).values())
    sound = honest.sign(honest.genesis_body(), registry="", law="")
    with pytest.raises(InvalidInput, match="not those that the act names"):
        authority.found(empty, honest.key, sound, {})
    assert not any(dump(empty).values())
    authority.found(empty, honest.key, sound, honest.beside(sound))
    for one in (engine, empty):
        one.dispose()


def test_a_permit_is_for_members_only(alice: Publisher) -> None:
    stranger = Identity.generate("eve").signing.verifying.keyid
    before = dump(alice.authority.engine)
    with pytest.raises(NotPermitted) as caught:
        authority.permit(alice.authority, stranger, MODEL, "push", alice.now)
    after = dump(alice.authority.engine)
    recorded(alice, before, after, caught.value)
    assert after["leases"] == before["leases"] == []


@pytest.mark.parametrize("name", ["bob", "dora"])
def test_a_permit_is_for_who_may_push(alice: Publisher, name: str) -> None:
    """bob may pull, dora nothing. The refusal names nobody: a permit is asked for without a signature."""
    keyid = alice.members[name].signing.keyid
    with pytest.raises(NotPermitted, match=f"{name} may not push"):
        authority.permit(alice.authority, keyid, MODEL, "push", alice.now)
    act = acts.decode(dsse.Envelope.from_bytes(alice.envelopes()[-1]).payload)
    assert isinstance(act.body, acts.Refusal)
    assert (act.body.member, act.body.attempt, act.body.target) == ("", "push", MODEL)
    alice.grant(name, ("push",), "vision/")
    assert authority.permit(alice.authority, keyid, MODEL, "push", alice.now).number == 4


def test_a_permit_tells_what_to_sign(alice: Publisher) -> None:
    body = alice.push({"model.onnx": b"graph 1"})
    content, size = body.files[0].sha256, body.files[0].size
    (stored,) = [blob.id for blob in alice.blobs_of(MODEL) if blob.content == content]
    given = authority.permit(
        alice.authority,
        alice.keyid,
        MODEL,
        "push",
        alice.now,
        contents=[content, "0" * 64],
        sizes=[size, 10**9],
    )
    assert (given.number, given.exists) == (4, True)
    assert given.stored == {content: stored}
    assert given.sizes == {size}
    new = authority.permit(alice.authority, alice.keyid, "vision/other", "push", alice.now)
    assert (new.number, new.exists, new.stored) == (1, False, {})
