"""What a writer of the database puts into the tables, or takes out of the ledger, nobody believes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from registry import acts, authority, checkout, fsck
from registry.acts import Act
from registry.context import Context
from registry.crypto import dsse
from registry.errors import BadAuthority, BadProof, NotPermitted, RegistryError, Untrusted
from registry.records import tables
from registry.records.database import reading, writing
from support import forging
from support.courtroom import MODEL, Court


def write(court: Court, table: sa.Table, **values: Any) -> None:
    with writing(court.engine) as connection:
        connection.execute(sa.insert(table), values)


def change(court: Court, statement: Any) -> None:
    with writing(court.engine) as connection:
        connection.execute(statement)


def findings(court: Court) -> set[tuple[str, str]]:
    """What fsck names, but for the blobs, which are in no store here."""
    found = fsck.fsck(court.root).findings
    return {(one.code, one.on) for one in found if not one.code.startswith("blob")}


# --- rows that no act wrote -----------------------------------------------------------------------


def test_a_grant_row_written_straight_into_the_tables(anywhere: Court) -> None:
    court = anywhere
    row = {"until": None, "actor": court.keyid("root"), "time": court.at(), "seq": 1}
    for action in ("pull", "push"):
        write(court, tables.grants, target=MODEL, grantee="nobody", action=action, **row)
    before = court.rows()
    push, keys = court.push("nobody")
    for body in (push, court.about(acts.Pull, purpose="run")):
        with pytest.raises(NotPermitted, match=r"nobody may not (push|pull) here"):
            court.admit("nobody", body, keys if body is push else {})
    with pytest.raises(NotPermitted):
        authority.permit(court.root.authority, court.keyid("nobody"), MODEL, "push", court.now)
    with pytest.raises(NotPermitted):
        checkout.checkout(court.by("nobody"), MODEL)
    forging.unchanged(before, court.rows(), 4)
    assert findings(court) == {("row-forged", f"grants {MODEL} nobody {it}") for it in ("pull", "push")}


def test_an_admin_row_written_straight_into_the_tables(anywhere: Court) -> None:
    court = anywhere
    public = court.known("eve").public
    write(court, tables.members, name="eve", role="admin", seq=0)
    key = {"suite": public.sealing.suite, "sealing": public.sealing.to_bytes(), "seq": 0}
    write(court, tables.keys, keyid=court.keyid("eve"), name="eve", signing=public.signing.spki, **key)
    before = court.rows()
    for body in (acts.Policy(text=""), acts.Disable(name="root"), court.about(acts.Pull, purpose="run")):
        with pytest.raises(NotPermitted, match="not a member of the registry"):
            court.admit("eve", body)
    forging.unchanged(before, court.rows(), 3)
    assert findings(court) == {("row-forged", "members eve"), ("row-forged", f"keys {court.keyid('eve')}")}


def test_a_member_made_admin_in_the_tables(court: Court) -> None:
    change(court, sa.update(tables.members).where(tables.members.c.name == "bob").values(role="admin"))
    with pytest.raises(NotPermitted, match="only an admin"):
        court.admit("bob", acts.Policy(text=""))
    assert findings(court) == {("row-differs", "members.role bob")}


def test_a_disabled_row_taken_out_of_the_tables(court: Court) -> None:
    change(court, sa.delete(tables.disabled))
    with pytest.raises(RegistryError, match="disabled") as caught:
        court.admit("dis", court.about(acts.Pull, purpose="run"))
    assert caught.value.code == "disabled"
    assert findings(court) == {("row-missing", "disabled dis")}


def test_a_share_row_written_straight_into_the_tables(court: Court) -> None:
    """The bytes that belong to it are another's: only who they are sealed to opens them."""
    with reading(court.engine) as connection:
        mine = tables.shares.c.recipient == "bob"
        row = dict(connection.execute(sa.select(tables.shares).where(mine)).mappings().one())
    write(court, tables.shares, **{**row, "recipient": "nobody"})
    with pytest.raises(NotPermitted):
        checkout.checkout(court.by("nobody"), MODEL)
    assert findings(court) == {("row-forged", f"shares {MODEL} 1 nobody")}


# --- acts that are not in the ledger, or no longer ------------------------------------------------


def entry(court: Court, kind: type[Any], which: Callable[[Any], bool] = lambda body: True) -> int:
    return next(
        seq
        for seq, act in enumerate(court.ledger())
        if isinstance(act.body, kind) and which(act.body)  # type: ignore[arg-type]
    )


def sign(court: Court) -> dsse.Envelope:
    """An act that an admin signed and never brought to the door."""
    body, _ = court.whole(acts.Grant(grantee="nobody", actions=("push",), target=MODEL))
    return court.sign("root", body)


def slip(court: Court, envelope: dsse.Envelope, seq: int) -> None:
    act: Act = acts.decode(envelope.payload)
    row = {"kind": act.kind, "digest": act.digest, "actor": act.header.actor, "time": act.header.time}
    place = {"model": act.model, "number": act.number, "target": act.target}
    values = {**row, **place, "envelope": envelope.to_bytes()}
    with writing(court.engine) as connection:
        connection.execute(sa.delete(tables.acts).where(tables.acts.c.seq == seq))
        connection.execute(sa.insert(tables.acts), {"seq": seq, **values})


def pulled(court: Court) -> int:
    """The newest entry is no act of the law."""
    return court.admit("bob", court.about(acts.Pull, purpose="run")).proof.entry.seq


def broken(court: Court, error: type[Untrusted], says: str) -> None:
    """Neither the door goes on nor a client, and nothing is written."""
    before = court.rows()
    with Context(court.home, now=lambda: court.now) as new:
        stranger = dsse.sign(b"{}", court.known("stranger").signing)
        with pytest.raises(error, match=says) as caught:
            authority.submit(new.authority, stranger, court.now)
        assert type(caught.value) is error
        with pytest.raises(error):
            authority.permit(new.authority, court.keyid("stranger"), MODEL, "push", court.now)
        with pytest.raises(error):
            authority.shares(new.authority, court.keyid("stranger"), MODEL, court.now)
        with pytest.raises(Untrusted):
            checkout.checkout(new, f"{MODEL}:1")
    assert court.rows() == before


def test_the_newest_act_of_the_law_removed(anywhere: Court) -> None:
    """old's replacement of their key: without it the old key would count again."""
    court = anywhere
    seq = entry(court, acts.Replace)
    change(court, sa.delete(tables.acts).where(tables.acts.c.seq == seq))
    assert ("missing-act", f"entry {seq}") in findings(court)
    broken(court, BadProof, "withholds an act of the law")


def test_an_act_of_the_law_removed_from_the_middle(court: Court) -> None:
    seq = entry(court, acts.Grant, lambda body: body.grantee == "bob")
    change(court, sa.delete(tables.acts).where(tables.acts.c.seq == seq))
    broken(court, BadAuthority, "signed under another law|missing before this one")
    assert ("missing-act", f"entry {seq}") in findings(court)


def test_the_newest_entry_removed(court: Court) -> None:
    seq = pulled(court)
    change(court, sa.delete(tables.acts).where(tables.acts.c.seq == seq))
    broken(court, BadProof, "missing from the ledger")


def test_an_act_never_admitted_put_beyond_the_newest(anywhere: Court) -> None:
    court = anywhere
    envelope, size = sign(court), len(court.envelopes())
    slip(court, envelope, size)
    broken(court, BadProof, "not of the ledger")
    assert findings(court)


def test_an_act_never_admitted_put_in_the_place_of_another(court: Court) -> None:
    seq = pulled(court)
    pulled(court)
    slip(court, sign(court), seq)
    broken(court, BadProof, "not of the ledger")
    assert findings(court)


def test_an_act_never_admitted_put_in_the_place_of_the_newest(court: Court) -> None:
    seq = pulled(court)
    slip(court, sign(court), seq)
    broken(court, BadProof, "does not lead to the root")


# --- the tree under a refusal ---------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["permit", "shares", "submit"])
def test_a_refusal_signs_no_tree_that_somebody_changed(court: Court, asked: str) -> None:
    """A forged subtree that no proof of the newest entry passes: the next checkpoint would make it true."""
    while len(court.envelopes()) % 8:
        pulled(court)
    size, door = len(court.envelopes()), court.root.authority
    level, at = frontier(size)[-1]
    where = sa.and_(tables.nodes.c.level == level, tables.nodes.c.position == at)
    change(court, sa.update(tables.nodes).where(where).values(hash=bytes(32)))
    before, stranger = court.rows(), court.keyid("stranger")
    ways: dict[str, Callable[[], object]] = {
        "permit": lambda: authority.permit(door, stranger, MODEL, "push", court.now),
        "shares": lambda: authority.shares(door, stranger, MODEL, court.now),
        "submit": lambda: court.submit(dsse.sign(b"{}", court.known("stranger").signing)),
    }
    with pytest.raises(BadProof, match="not the one that its checkpoint signed"):
        ways[asked]()
    assert court.rows() == before


def frontier(size: int) -> list[tuple[int, int]]:
    """The complete subtrees that a tree of this size is made of, largest first (RFC 9162 section 2.1)."""
    found, begin = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            found.append((level, begin >> level))
            begin += 1 << level
    return found
