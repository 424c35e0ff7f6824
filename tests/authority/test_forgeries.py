"""The door refuses every forgery by name, and after each refusal nothing has changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from registry import acts, authority
from registry.authority import Authority
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.errors import BadCheckpoint, Conflict, NotPermitted, RegistryError, WrongRegistry
from registry.records import schema, tables
from registry.records.database import open_engine, reading
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


def refuse(alice: Publisher, name: str) -> None:
    """Bring the forgery to the door; it must be refused as the table says, and leave no trace."""
    forgery = FORGERIES[name]
    envelope = forgery.forge(alice)
    before = dump(alice.authority.engine)
    with pytest.raises(forgery.error, match=f"(?i).*{forgery.says}") as caught:
        alice.submit(envelope)
    assert caught.value.exit_code in EXITS, f"{name}: {caught.value!r}"
    assert dump(alice.authority.engine) == before


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_and_leaves_no_trace(alice: Publisher, name: str) -> None:
    refuse(alice, name)


def test_every_forgery_is_refused_on_postgresql_too(open_door: Any, postgres_url: str) -> None:
    alice = open_door(postgres_url)
    for name in FORGERIES:
        refuse(alice, name)
    alice.admit(alice.push())


def test_the_honest_acts_that_the_forgeries_were_made_of_are_admitted(alice: Publisher) -> None:
    """So it is the one change in each that was refused."""
    seqs = [
        alice.admit(body).proof.entry.seq
        for body in (
            alice.push(label="2.0", aliases=("new", "prod")),
            alice.about(acts.Alias, 2, name="new"),
            alice.about(acts.Pull, 2, purpose="run"),
            alice.about(acts.Yank, 2, reason="superseded"),
            alice.push({"model.onnx": b"graph 1"}, model="vision/other"),
        )
    ]
    assert seqs == [6, 7, 8, 9, 10]
    for minutes in (-14, 14):
        near = acts.timestamp(alice.now + timedelta(minutes=minutes))
        alice.submit(alice.sign(alice.push(), time=near))


def test_a_ledger_key_that_the_genesis_act_does_not_name_is_refused(alice: Publisher) -> None:
    honest = alice.authority
    forged = Authority(honest.engine, LedgerKey.generate(), honest.registry_id)
    before = dump(honest.engine)
    with pytest.raises(BadCheckpoint, match="genesis act names"):
        authority.submit(forged, alice.sign(alice.push()), alice.now)
    assert dump(honest.engine) == before


def test_a_database_of_another_registry_is_refused(alice: Publisher) -> None:
    honest = alice.authority
    other = Authority(honest.engine, honest.key, "0" * 64)
    before = dump(honest.engine)
    with pytest.raises(WrongRegistry, match="pinned"):
        authority.submit(other, alice.sign(alice.push()), alice.now)
    assert dump(honest.engine) == before


def test_a_second_founding_is_refused(alice: Publisher) -> None:
    before = dump(alice.authority.engine)
    with pytest.raises(Conflict, match="holds a registry already"):
        authority.found(alice.authority.engine, LedgerKey.generate(), alice.genesis)
    assert dump(alice.authority.engine) == before


def test_a_genesis_act_signed_by_another_than_it_names_founds_nothing(tmp_path: Any) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'db'}")
    schema.upgrade(engine)
    honest = Publisher(engine)
    empty = open_engine(f"sqlite:///{tmp_path / 'empty'}")
    schema.upgrade(empty)
    forged = honest.sign(honest.genesis_body(), Identity.generate("eve"), registry="")
    with pytest.raises(RegistryError):
        authority.found(empty, honest.key, forged)
    with pytest.raises(RegistryError):
        authority.found(empty, honest.key, honest.sign(honest.push(), registry=""))
    assert not any(dump(empty).values())


def test_a_permit_is_for_members_only(alice: Publisher) -> None:
    stranger = Identity.generate("eve").signing.verifying.keyid
    before = dump(alice.authority.engine)
    with pytest.raises(NotPermitted):
        authority.permit(alice.authority, stranger, MODEL, "push", alice.now)
    assert dump(alice.authority.engine) == before


def test_a_permit_tells_what_to_sign(alice: Publisher) -> None:
    body = alice.push({"model.onnx": b"graph 1"})
    content, size = body.files[0].sha256, body.files[0].size
    given = authority.permit(
        alice.authority,
        alice.keyid,
        MODEL,
        "push",
        alice.now,
        contents=[content, "0" * 64],
        sizes=[size, 10**9],
    )
    assert given.number == 4
    assert given.stored == {content: body.files[0].blob}
    assert given.sizes == {size}
    assert given.vault is not None
    assert given.vault[0] == 1
    new = authority.permit(alice.authority, alice.keyid, "vision/other", "push", alice.now)
    assert (new.number, new.vault, new.stored) == (1, None, {})
