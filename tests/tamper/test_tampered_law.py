"""Attacks on the law: acts deleted, reordered, replaced or added by whoever writes the database.

Who may do what is replayed from the acts, each of which names the one before. So what is missing among them
is missed, and what was put there is refused, by name and before anything else is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from registry import access, acts
from registry.context import Context
from registry.crypto import dsse, possession
from registry.crypto.identity import Identity
from registry.errors import Untrusted
from registry.records import tables
from support.attacks import NEW, admit, envelopes, found, push_body, refused, signed
from support.story import STORY
from support.victim import MODEL, VERSION, Victim

LAW = [seq for seq, kind in enumerate(STORY) if kind in acts.LAW]
_NEWEST = STORY.index("policy")
_PROVEN = {7, 10, 11, 15}  # a checkout proves them for other reasons, and misses them there first


def _at(seq: int) -> sa.ColumnElement[bool]:
    return tables.acts.c.seq == seq


def _nobody_passes(victim: Victim, step: int, code: str) -> None:
    """No reader goes on, and the door signs nothing under such a law."""
    refused(victim, step, code)
    before = victim.read()
    with victim.open() as context, pytest.raises(Untrusted):
        access.grant(context, "frank", ["pull"], MODEL)
    assert victim.read() == before


def _index(seq: int, **values: Any) -> sa.Executable:
    return sa.update(tables.acts).where(_at(seq)).values(values)


def _verdict(seq: int) -> tuple[int, str]:
    """An act in the middle is missed by the next one, the newest by the ledger's newest entry."""
    return (4, "bad-proof") if seq == _NEWEST else (4, "bad-authority")


@pytest.mark.parametrize("seq", LAW[1:], ids=lambda seq: f"{seq}-{STORY[seq]}")
def test_an_act_of_the_law_that_was_deleted_is_missed(victim: Victim, seq: int) -> None:
    victim.execute(sa.delete(tables.acts).where(_at(seq)))
    step, code = (3, "bad-proof") if seq in _PROVEN - {10, 15} else _verdict(seq)
    _nobody_passes(victim, step, code)
    assert "missing-act" in found(victim, f"entry {seq}")


@pytest.mark.parametrize("seq", LAW[1:], ids=lambda seq: f"{seq}-{STORY[seq]}")
def test_an_act_of_the_law_that_the_index_hides_is_missed(victim: Victim, seq: int) -> None:
    """Its kind says that it is none: no query for the law finds it."""
    victim.execute(_index(seq, kind="pull"))
    _nobody_passes(victim, *_verdict(seq))
    assert found(victim, f"entry {seq}, acts.kind") == {"index-differs"}


def test_another_act_that_the_index_calls_law_is_refused(victim: Victim) -> None:
    seq = STORY.index("pull")
    victim.execute(_index(seq, kind="grant"))
    _nobody_passes(victim, 4, "bad-authority")
    assert found(victim, f"entry {seq}, acts.kind") == {"index-differs"}


SWAPPED = {
    "two-enrollments": (1, 2),
    "a-team-and-its-member": (5, 6),
    "two-grants": (17, 18),
    "the-last": (18, 19),
}


@pytest.mark.parametrize("pair", SWAPPED)
def test_acts_of_the_law_reordered_are_refused(victim: Victim, pair: str) -> None:
    """Whole rows but for their place."""
    first, second = SWAPPED[pair]
    rows = victim.rows["acts"]
    victim.execute(_index(second, digest="0" * 64))
    for seq, row in ((first, rows[second]), (second, rows[first])):
        victim.execute(_index(seq, **{name: value for name, value in row.items() if name != "seq"}))
    _nobody_passes(victim, 4, "bad-authority")
    assert "node-differs" in found(victim, f"level 0, position {first}")


@pytest.mark.parametrize(("seq", "older"), [(19, 18), (18, 17), (6, 5)])
def test_an_act_of_the_law_replaced_by_an_older_one_is_refused(victim: Victim, seq: int, older: int) -> None:
    victim.execute(_index(seq, envelope=envelopes(victim)[older]))
    _nobody_passes(victim, 4, "bad-authority")
    assert "node-differs" in found(victim, f"level 0, position {seq}")


def _grant(context: Context) -> bytes:
    body = acts.Grant(grantee="bob", actions=("push",), target="vision/")
    return signed(context, body)


def _put(victim: Victim, envelope: bytes, seq: int) -> None:
    act = acts.decode(dsse.Envelope.from_bytes(envelope).payload)
    row = {"seq": seq, "kind": act.kind, "digest": act.digest, "actor": act.header.actor}
    place = {"time": act.header.time, "model": None, "number": None, "target": act.target}
    victim.execute(sa.insert(tables.acts).values({**row, **place, "envelope": envelope}))


@pytest.mark.parametrize("seq", [len(STORY), 1000])
def test_an_act_that_an_admin_signed_and_nobody_admitted_is_refused(victim: Victim, seq: int) -> None:
    """Right in all it says, and put into the table: the ledger's newest entry knows nothing of it."""
    with victim.open() as context:
        envelope = _grant(context)
    _put(victim, envelope, seq)
    _nobody_passes(victim, 3, "bad-proof")
    assert found(victim, "acts" if seq == len(STORY) else f"entry {len(STORY)}")


def test_an_act_that_nobody_admitted_in_the_place_of_one_that_was_is_refused(victim: Victim) -> None:
    """Under the same law as the act whose place it takes."""
    law = acts.decode(dsse.Envelope.from_bytes(envelopes(victim)[_NEWEST]).payload).header.law
    with victim.open() as context:
        victim.execute(_index(_NEWEST, envelope=signed(context, acts.Policy(text=""), law=law)))
    _nobody_passes(victim, 4, "bad-proof")
    assert "node-differs" in found(victim, f"level 0, position {_NEWEST}")


def _enroll(name: str, role: Any) -> Callable[[Context], acts.Body]:
    identity = Identity.generate(name)
    return lambda context: acts.Enroll(name=name, identity=possession.prove(identity), role=role)


BEHIND: dict[str, tuple[str, Callable[[Context], acts.Body]]] = {
    # what a member signs who may not; admitted with the ledger's own key, behind the door's back
    "a-grant-to-oneself": ("frank", lambda _: acts.Grant("frank", ("push",), MODEL)),
    "a-revocation": ("bob", lambda _: acts.Revoke("carol", ("pull",), MODEL)),
    "an-enrollment": ("bob", _enroll("mallory", "member")),
    "a-team": ("bob", lambda _: acts.Team("mine")),
    "a-policy": ("carol", lambda _: acts.Policy("")),
    "an-act-of-a-disabled-member": ("dora", lambda _: acts.Policy("")),
    "a-model-created-by-a-reader": ("bob", lambda _: acts.Create("vision/mine")),
    "an-admin-enrolled-without-a-key": ("alice", _enroll("mallory", "admin")),
    "a-revocation-that-keeps-the-key": ("alice", lambda _: acts.Revoke("carol", ("pull",), MODEL)),
    "a-disabling-that-keeps-the-key": ("alice", lambda _: acts.Disable("carol")),
    "a-rotation-that-rotates-nothing": ("alice", lambda _: acts.Rotate(MODEL)),
    "a-key-for-nobody-who-is-granted": ("alice", lambda _: acts.Grant("frank", ("pull",), MODEL)),
    "the-last-admin-disabled": ("alice", lambda _: acts.Disable("alice")),
    "a-team-of-a-members-name": ("alice", lambda _: acts.Team("bob")),
}


@pytest.mark.parametrize("attack", BEHIND)
def test_an_act_of_the_law_that_must_not_be_is_refused(victim: Victim, attack: str) -> None:
    """A door that lets everything in: a reader replays the law, and stops where it was broken."""
    who, make = BEHIND[attack]
    with victim.open(who) as context:
        envelope = signed(context, make(context))
    seq = admit(victim, lambda _: envelope)
    code = "malformed" if "key" in attack or "rotates" in attack else "bad-authority"
    refused(victim, 4, code)
    assert code in found(victim, f"entry {seq}")


def test_a_push_under_an_old_law_is_refused(victim: Victim, body: acts.Push) -> None:
    """Dora could push before she was disabled: signed now, dated back, admitted by a door that helps her."""
    old = acts.decode(dsse.Envelope.from_bytes(envelopes(victim)[STORY.index("disable")]).payload).header.law
    with victim.open("dora") as dora:
        identity = dora.identity
    with victim.open() as context:
        forged = signed(context, body, identity, law=old)
        honest = signed(context, acts.Pull(MODEL, VERSION, push_body(victim).digest, "test"))
    seq = admit(victim, lambda context: forged)
    refused(victim, 4, "bad-proof", NEW)  # as the newest entry it speaks of a law that is no more
    admit(victim, lambda context: honest)
    refused(victim, 4, "bad-authority", NEW)
    victim.passes()
    assert "bad-authority" in found(victim, f"entry {seq}")
