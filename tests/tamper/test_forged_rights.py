"""Rights written straight into the tables: they give nothing, and take nothing from whoever has them."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from registry import access, acts, catalog, members, policies
from registry.context import Context
from registry.crypto import dsse
from registry.crypto.identity import Identity
from registry.crypto.sealing import SealingPrivateKey
from registry.errors import Denied, Disabled, NotPermitted, Untrusted
from registry.law.paths import path
from registry.law.state import ROOT
from registry.records import tables
from registry.vaults import PublicVault, Reader, Sealer
from support.attacks import found, late, reads_as_before, shut_out
from support.victim import MODEL, REF, Victim
from support.worlds import make_identity

ADMINS = {
    "enroll": lambda context: members.create_team(context, "mine"),
    "grant": lambda context: access.grant(context, "frank", ["pull"], MODEL),
    "disable": lambda context: members.disable(context, "alice"),
    "policy": lambda context: policies.put(context, ""),
    "rotate": lambda context: access.rotate(context, "/"),
    "yank": lambda context: catalog.yank(context, REF, "mine"),
}


_RECORD = {"acts", "nodes", "head", "tallies", "events", "sayings", "activity"}


def _refuses(victim: Victim, who: str, error: type[Denied], deed: Any) -> None:
    """The door refuses the act, and says in the ledger that it did."""
    before = victim.read()
    with victim.open(who) as context, pytest.raises(error):
        deed(context)
    after = victim.read()
    added = after["acts"][len(before["acts"]) :]
    assert {row["kind"] for row in added} == {"refusal"}
    assert {name for name in after if after[name] != before[name]} <= _RECORD


def test_a_grant_written_into_the_table_gives_nothing(victim: Victim) -> None:
    """Every action, on the model and on the namespace, for ever."""
    row = {**victim.row(tables.grants, grantee="carol"), "grantee": "frank", "until": None}
    wanted = [{**row, "target": at, "action": action} for at in (MODEL, "vision/") for action in acts.ACTIONS]
    victim.execute(sa.insert(tables.grants).values(wanted))
    reads_as_before(victim)
    for deed in (ADMINS["grant"], ADMINS["yank"], lambda context: catalog.alias(context, REF, "mine")):
        _refuses(victim, "frank", NotPermitted, deed)
    assert found(victim, "grants ") == {"row-forged"}


def test_a_grants_end_put_off_in_the_table_gives_nothing(victim: Victim) -> None:
    """Carol's grant ends in a day by its act; the row says in a thousand years."""
    later = "3026-01-01T00:00:00.000000Z"
    victim.execute(sa.update(tables.grants).where(tables.grants.c.grantee == "carol").values(until=later))
    late(victim, "bob", may=True)
    late(victim, "carol", may=False)
    assert found(victim, "grants.until") == {"row-differs"}


@pytest.mark.parametrize("deed", ADMINS)
def test_an_admin_written_into_the_table_may_do_nothing(victim: Victim, deed: str) -> None:
    """A stranger enrolled by rows: a member, an admin, with keys of their own."""
    file = victim.people / "mallory.pem"
    mallory = Identity.from_pem(file.read_bytes(), None) if file.exists() else make_identity(file, "mallory")
    key = {**victim.row(tables.keys, name="bob"), "name": "mallory"}
    public = mallory.public
    key |= {
        "keyid": public.signing.keyid,
        "signing": public.signing.spki,
        "sealing": public.sealing.to_bytes(),
    }
    member = {**victim.row(tables.members, name="alice"), "name": "mallory"}
    victim.execute(sa.insert(tables.members).values(member), sa.insert(tables.keys).values(key))
    _refuses(victim, "mallory", NotPermitted, ADMINS[deed])
    shut_out(victim, "mallory", NotPermitted)
    assert found(victim, "members ") == {"row-forged"}
    assert found(victim, "keys ") == {"row-forged"}


def test_a_member_made_an_admin_in_the_table_may_do_nothing(victim: Victim) -> None:
    victim.execute(sa.update(tables.members).where(tables.members.c.name == "frank").values(role="admin"))
    for deed in ADMINS.values():
        _refuses(victim, "frank", NotPermitted, deed)
    reads_as_before(victim)
    assert found(victim, "members.role") == {"row-differs"}


def test_an_admin_written_into_the_tables_opens_nothing(victim: Victim) -> None:
    """Even with a share of every vault in the tables: none of them is one that the writer can make.

    Whoever writes the tables has no private half to seal: what they put there for themselves is a key of
    their own, and no public half that the law names fits it.
    """
    with victim.open("frank") as context:
        law, frank = context.law(), context.identity
        _shares_for(victim, context, frank)
        assert path(law.state, "frank", MODEL, acts.timestamp(context.now())) == []
        assert path(law.state, "frank", ROOT, acts.timestamp(context.now())) == []
    reads_as_before(victim)
    assert "row-forged" in found(victim, "shares ")


def _shares_for(victim: Victim, context: Context, who: Identity) -> None:
    law = context.law()
    for vault, state in law.state.vaults.items():
        key = SealingPrivateKey.generate()
        sealer = Sealer(law.registry_id, law.release)
        public = PublicVault(vault, state.epoch, key.public)
        share = sealer.share(public, key, Reader.member(who.public), limited=False)
        row = {"vault": vault, "epoch": state.epoch, "recipient": who.name, "suite": share.sealed.suite}
        row |= {"sealed": share.sealed.sha256, "limited": False, "seq": 0}
        secret = {"sha256": share.sealed.sha256, "ciphertext": sealer.sealed[share.sealed.sha256]}
        victim.execute(sa.insert(tables.shares).values(row), sa.insert(tables.sealed).values(secret))


def test_a_disabled_row_deleted_does_not_bring_the_member_back(victim: Victim) -> None:
    victim.execute(sa.delete(tables.disabled))
    shut_out(victim, "dora", Disabled)
    for deed in ADMINS.values():
        _refuses(victim, "dora", Disabled, deed)
    assert found(victim, "disabled ") == {"row-missing"}


def test_a_disabled_members_shares_of_old_do_not_bring_them_back(victim: Victim) -> None:
    """The rows and the sealed keys from before, as somebody copied them, put beside those of now."""
    victim.execute(sa.delete(tables.disabled))
    there = {row["sha256"] for row in victim.rows["sealed"]}
    old = [row for row in victim.older["sealed"] if row["sha256"] not in there]
    assert old
    victim.execute(sa.insert(tables.sealed).values(old))
    shut_out(victim, "dora", Disabled)
    reads_as_before(victim)
    assert "key-left" in found(victim, old[0]["sha256"], blobs=True)


def test_a_disabled_row_written_keeps_nobody_out(victim: Victim) -> None:
    row = victim.row(tables.disabled)
    for name in ("alice", "bob", "carol"):
        victim.execute(sa.insert(tables.disabled).values({**row, "name": name}))
    reads_as_before(victim)
    assert found(victim, "disabled ") == {"row-forged"}


def test_a_policy_written_into_the_table_decides_nothing(victim: Victim) -> None:
    row = {**victim.row(tables.policies), "seq": 1000, "text": "forbid (principal, action, resource);"}
    victim.execute(sa.insert(tables.policies).values(row))
    reads_as_before(victim)
    assert found(victim, "policies ") == {"row-forged"}


def test_a_member_put_into_a_team_by_a_row_reads_nothing(victim: Victim) -> None:
    victim.execute(
        sa.insert(tables.team_members).values({**victim.row(tables.team_members), "name": "frank"})
    )
    reads_as_before(victim)
    assert found(victim, "team_members ") == {"row-forged"}


def test_a_refusal_in_another_members_name_is_not_the_doors(victim: Victim) -> None:
    """Refusals are the ledger's key's to sign: a member cannot put one on another's record."""
    with victim.open("bob") as context:
        said = acts.Refusal(member="carol", count=1, since=acts.timestamp(context.now()))
        with pytest.raises(Untrusted):
            context.act(said)
    newest = victim.read()["acts"][-1]
    told = acts.decode(dsse.Envelope.from_bytes(newest["envelope"]).payload).body
    assert isinstance(told, acts.Refusal)
    assert (told.member, told.attempt) == ("bob", "refusal")
