"""Acts that their signer has no right to, by the door's clock and by the acts alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from registry import acts, errors
from registry.crypto import dsse
from registry.crypto.identity import Identity
from registry.records import tables
from registry.records.database import writing
from support.forger import forgery
from support.handing import fresh, guest_of, later, member, proof
from support.publisher import MODEL, Publisher

# --- who may ----------------------------------------------------------------------------------

ADMINS_ONLY: dict[str, Any] = {
    "enrolls a member": lambda: acts.Enroll("zoe", proof("zoe"), "member"),
    "enrolls an admin": lambda: acts.Enroll("zoe", proof("zoe"), "admin"),
    "disables a member": lambda: acts.Disable("carol"),
    "disables the admin": lambda: acts.Disable("alice"),
    "replaces another's keys": lambda: acts.Replace("carol", proof("carol")),
    "creates a team": lambda: acts.Team("night"),
    "joins a team": lambda: acts.TeamAdd("ml", "bob"),
    "puts somebody out of a team": lambda: acts.TeamRemove("ml", "carol"),
    "sets the policies": lambda: acts.Policy(""),
    "rotates the root": lambda: acts.Rotate("/"),
    "rotates a team": lambda: acts.Rotate("ml"),
}


def _only_admins(what: str) -> None:
    def forge(alice: Publisher) -> dsse.Envelope:
        return alice.sign(ADMINS_ONLY[what](), by=alice.members["bob"])

    forge.__name__ = f"a member who {what}"
    forgery(errors.NotPermitted, "only an admin")(forge)


for _what in ADMINS_ONLY:
    _only_admins(_what)


FAILED = {"purpose": "run", "step": 9, "code": "bad-encryption"}
WITHOUT_A_RIGHT: dict[str, Any] = {
    "creates a model": lambda alice: acts.Create(fresh("vision/")),
    "grants what they hold": lambda alice: acts.Grant("carol", ("pull",), MODEL),
    "grants themselves more": lambda alice: acts.Grant("bob", ("grant",), MODEL),
    "revokes": lambda alice: acts.Revoke("bob", ("pull",), MODEL),
    "rotates a model": lambda alice: acts.Rotate(MODEL),
    "pushes": lambda alice: alice.push(signer=alice.members["bob"]),
    "moves an alias": lambda alice: alice.about(acts.Alias, 1, name="x"),
    "yanks": lambda alice: alice.about(acts.Yank, 1, reason="no"),
    "complains of what they may not pull": lambda alice: alice.about(acts.Failure, 1, "audio/vad", **FAILED),
    "pulls from another namespace": lambda alice: alice.about(acts.Pull, 1, "audio/vad", purpose="run"),
}


def _no_right(what: str) -> None:
    def forge(alice: Publisher) -> dsse.Envelope:
        return alice.sign(WITHOUT_A_RIGHT[what](alice), by=alice.members["bob"])

    forge.__name__ = f"a reader who {what}"
    forgery(errors.NotPermitted, "bob may not")(forge)


for _what in WITHOUT_A_RIGHT:
    _no_right(_what)


@forgery(errors.NotPermitted, "may not pull")
def a_build_machine_that_pulls_what_it_pushed(alice: Publisher) -> dsse.Envelope:
    build = member(alice)
    alice.grant(build.name, ("push",), "vision/")
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), by=build)


@forgery(errors.NotPermitted, "may not promote")
def an_alias_at_push_by_who_may_only_push(alice: Publisher) -> dsse.Envelope:
    build = member(alice)
    alice.grant(build.name, ("push",), "vision/")
    return alice.sign(alice.push(signer=build, aliases=("prod",)), by=build)


@forgery(errors.NotPermitted, "may not pull")
def a_pull_after_the_grants_end(alice: Publisher) -> dsse.Envelope:
    """The grant ends by the door's clock; nobody has revoked it."""
    guest, model = guest_of(alice, "pull")
    alice.now += timedelta(minutes=5)
    return alice.sign(alice.about(acts.Pull, 1, model, purpose="run"), by=guest)


@forgery(errors.NotPermitted, "may not pull")
def a_pull_after_the_grants_end_with_an_earlier_time(alice: Publisher) -> dsse.Envelope:
    guest, model = guest_of(alice, "pull")
    alice.now += timedelta(minutes=6)
    early = later(alice, minutes=-2)
    return alice.sign(alice.about(acts.Pull, 1, model, purpose="run"), by=guest, time=early)


@forgery(errors.NotPermitted, "may not grant")
def a_grant_given_after_ones_own_end_with_an_earlier_time(alice: Publisher) -> dsse.Envelope:
    guest, model = guest_of(alice, "grant")
    body = acts.Grant("dora", ("promote",), model, later(alice, minutes=4))
    alice.now += timedelta(minutes=6)
    return alice.sign(body, by=guest, time=later(alice, minutes=-3))


@forgery(errors.NotPermitted, "may not pull")
def a_pull_by_a_grant_row_that_no_act_wrote(alice: Publisher) -> dsse.Envelope:
    guest = member(alice)
    row = {"target": MODEL, "grantee": guest.name, "action": "pull", "until": None}
    _plant(alice, tables.grants, {**row, "actor": alice.keyid, "time": later(alice), "seq": 1})
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), by=guest)


@forgery(errors.NotPermitted, "only an admin")
def an_admin_act_by_an_admin_row_that_no_act_wrote(alice: Publisher) -> dsse.Envelope:
    guest = member(alice)
    with writing(alice.authority.engine) as connection:
        mine = tables.members.c.name == guest.name
        connection.execute(sa.update(tables.members).where(mine).values(role="admin"))
    return alice.sign(acts.Enroll("zoe", proof("zoe"), "member"), by=guest)


@forgery(errors.NotPermitted, "not a member")
def an_act_by_a_member_row_that_no_act_wrote(alice: Publisher) -> dsse.Envelope:
    eve = Identity.generate(fresh("eve-"))
    _plant(alice, tables.members, {"name": eve.name, "role": "admin", "seq": 1})
    public = eve.public
    keys = {"signing": public.signing.spki, "suite": public.sealing.suite, "sealing": public.sealing.raw}
    _plant(alice, tables.keys, {"keyid": public.signing.keyid, "name": eve.name, **keys, "seq": 1})
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), by=eve)


def _plant(alice: Publisher, table: sa.Table, row: dict[str, Any]) -> None:
    with writing(alice.authority.engine) as connection:
        connection.execute(sa.insert(table), row)
