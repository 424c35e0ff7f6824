"""Whatever the door refuses is in the ledger, under the ledger's key, and disturbs nobody else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from registry import acts, authority, checkout, fsck
from registry.context import Context
from registry.crypto import dsse
from registry.errors import (
    Denied,
    Disabled,
    Malformed,
    NotPermitted,
    PolicyDenied,
    RegistryError,
    Untrusted,
    WrongRegistry,
    Yanked,
)
from registry.records import leases, tables
from registry.records.database import reading, writing
from registry.refusals import TERM
from support import forging
from support.courtroom import MODEL, Court

NO_PULL = '@id("closed") forbid (principal, action == Action::"pull", resource);'


def pull(court: Court) -> acts.Pull:
    body: acts.Pull = court.about(acts.Pull, purpose="run")
    return body


def clean(court: Court) -> None:
    """fsck's replay finds nothing wrong but the blobs, which are in no store here."""
    assert {one.code for one in fsck.fsck(court.root).findings} <= {"blob-missing"}


def told(court: Court, **expected: Any) -> acts.Refusal:
    """The one refusal on record."""
    (refusal,) = court.refusals()
    assert {name: getattr(refusal, name) for name in expected} == expected
    assert refusal.count == 1
    return refusal


# --- on record ------------------------------------------------------------------------------------


def test_a_refused_act_is_on_record_under_the_ledgers_key(anywhere: Court) -> None:
    court = anywhere
    envelope = court.sign("pusher", pull(court))
    with pytest.raises(NotPermitted):
        court.submit(envelope)
    digest = forging.sha256(envelope.payload)
    what = {"attempt": "pull", "target": f"{MODEL}:1", "act": digest}
    said = told(court, member="pusher", code="not-permitted", **what)
    assert said.message == "pusher may not pull here (vision/net)"
    recorded = dsse.Envelope.from_bytes(court.envelopes()[-1])
    dsse.verify_only(recorded, court.root.law().ledger)
    header = acts.decode(recorded.payload).header
    assert (header.actor, header.law) == (court.root.law().ledger.keyid, court.root.law().head)
    clean(court)


def test_a_refusal_that_somebody_changed_is_found(court: Court) -> None:
    with pytest.raises(NotPermitted):
        court.admit("pusher", pull(court))
    seq = len(court.envelopes()) - 1
    recorded = dsse.Envelope.from_bytes(court.envelopes()[-1])
    forged = forging.reworded(recorded, lambda said: said["predicate"]["body"].update(member="ann"))
    with writing(court.engine) as connection:
        row = sa.update(tables.acts).where(tables.acts.c.seq == seq)
        connection.execute(row.values(envelope=forged.to_bytes()))
    assert f"entry {seq}" in {one.on for one in fsck.fsck(court.root).findings}


def test_a_refused_permit_is_on_record(anywhere: Court) -> None:
    court = anywhere
    with pytest.raises(NotPermitted):
        authority.permit(court.root.authority, court.keyid("bob"), MODEL, "push", court.now)
    told(court, member="", code="not-permitted", attempt="push", target=MODEL, act=None)
    with reading(court.engine) as connection:
        assert leases.active(connection, court.now) == frozenset()
    clean(court)


@pytest.mark.parametrize("name", ["nobody", "pusher", "aud", "dis", "stranger"])
def test_a_key_that_is_refused_is_on_record(court: Court, name: str) -> None:
    with pytest.raises((NotPermitted, Disabled)) as caught:
        authority.shares(court.root.authority, court.keyid(name), MODEL, court.now)
    told(court, member="", code=caught.value.code, attempt="shares", target=MODEL)
    clean(court)


def test_a_pull_that_policies_forbid_is_on_record(court: Court) -> None:
    """The puller's own program says no first, and lets the door say so, too."""
    court.enact("root", acts.Policy(text=NO_PULL))
    with pytest.raises(PolicyDenied, match="closed") as caught:
        checkout.checkout(court.by("bob"), f"{MODEL}:1")
    assert str(caught.value.step).startswith("7")
    told(court, member="bob", code="policy-denied", attempt="pull", target=f"{MODEL}:1")
    clean(court)


def test_a_pull_of_a_yanked_version_is_on_record(anywhere: Court) -> None:
    court = anywhere
    court.admit("root", court.about(acts.Yank, reason="wrong labels"))
    with pytest.raises(Yanked, match="wrong labels") as caught:
        checkout.checkout(court.by("bob"), f"{MODEL}:1")
    assert str(caught.value.step).startswith("7")
    told(court, member="bob", code="yanked", attempt="pull", target=f"{MODEL}:1")
    clean(court)


def test_a_verification_that_is_refused_is_on_record(court: Court) -> None:
    outcomes = checkout.verify(court.by("nobody"), f"{MODEL}:1")
    assert not outcomes[-1].ok
    told(court, member="nobody", code="not-permitted", attempt="pull")


def test_who_was_disabled_is_named(court: Court) -> None:
    with pytest.raises(Disabled):
        court.admit("dis", pull(court))
    told(court, member="dis", code="disabled")


def test_who_acts_with_a_replaced_key_is_named(court: Court) -> None:
    with pytest.raises(NotPermitted):
        court.admit("old", pull(court))
    told(court, member="old", code="not-permitted")


def test_whose_name_a_stranger_takes_is_not_named(court: Court) -> None:
    """What an entry says of a member, that member's signature proves."""
    with pytest.raises(Untrusted):
        court.submit(court.sign("stranger", pull(court), actor=court.keyid("bob")))
    told(court, member="", code="bad-signature")


def test_an_act_for_another_registry_is_its_signers(court: Court) -> None:
    with pytest.raises(WrongRegistry):
        court.submit(court.sign("bob", pull(court), registry="5a" * 32))
    told(court, member="bob", code="wrong-registry")


# --- nobody is disturbed --------------------------------------------------------------------------


def test_an_act_signed_before_a_refusal_is_admitted_after_it(anywhere: Court) -> None:
    """A refusal is no act of the law: nothing that others sign refers to it."""
    court = anywhere
    door, head = court.root.authority, court.root.law().head
    authority.permit(door, court.keyid("pusher"), MODEL, "under-way", court.now)
    push, keys = court.push("pusher")
    envelope = court.sign("pusher", push)
    whole, more = court.whole(acts.Rotate(vault="audio/vad"))
    law_act = court.sign("root", whole)
    for name in ("bob", "stranger"):
        with pytest.raises(Denied):
            court.admit(name, acts.Policy(text=""))
    assert court.root.law().head == head
    with reading(court.engine) as connection:
        assert leases.active(connection, court.now) == {"under-way"}
    court.submit(envelope, keys, push="under-way")
    court.submit(law_act, more)
    clean(court)


def test_a_client_that_was_refused_goes_on_from_its_checkpoint(court: Court) -> None:
    with Context(court.home, now=lambda: court.now) as client:
        client.act(pull(court))
        for _ in range(3):
            with pytest.raises(NotPermitted):
                court.admit("bob", acts.Policy(text=""))
        client.act(pull(court))


def test_what_was_refused_once_is_admitted_when_it_is_allowed(court: Court) -> None:
    with pytest.raises(NotPermitted):
        court.admit("nobody", pull(court))
    court.enact("root", acts.Grant(grantee="nobody", actions=("pull",), target=MODEL))
    court.admit("nobody", pull(court))


# --- what attackers write -------------------------------------------------------------------------


def printable(refusal: acts.Refusal) -> None:
    texts = (refusal.member, refusal.code, refusal.message, refusal.attempt, refusal.target)
    assert all(text.isprintable() and len(text) <= 300 for text in texts), texts


TEXTS = {
    "long": "x/" + "y" * 1_000_000,
    "control characters": "a/\x1b[2J\r\n\x07",
    "right to left": "a/\u202e\u2066gnp.exe",
    "a NUL": "a/\x00b",
    "half a character": "a/\ud800",
    "invisible": "a/\u200b\ufeff\u00ad",
    "empty": "",
}


def test_a_name_from_outside_is_bounded_and_printable(anywhere: Court) -> None:
    door, bob = anywhere.root.authority, anywhere.keyid("bob")
    for text in TEXTS.values():
        asked: list[Callable[[], object]] = [
            partial(authority.permit, door, bob, text, "push", anywhere.now),
            partial(authority.permit, door, text, MODEL, "push", anywhere.now),
            partial(authority.shares, door, bob, text, anywhere.now),
        ]
        for ask in asked:
            with pytest.raises(NotPermitted):
                ask()
        anywhere.now += TERM  # so that each is told in full
    assert len([printable(refusal) for refusal in anywhere.refusals()]) == 3 * len(TEXTS)
    clean(anywhere)


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "no JSON": lambda good: b"\x00\xff\x1b]0;title\x07",
    "another spelling": lambda good: good + b" ",
    "an unknown field": lambda good: good.replace(b'"predicate":{', b'"predicate":{"\\u202e":1,'),
    "an unknown kind": lambda good: good.replace(b"pull/v1", b"\\u001b[31mpull/v1"),
    "deeply nested": lambda good: b"[" * 100_000,
    "a number too large": lambda good: good.replace(b'"number":1', b'"number":1' + b"0" * 400),
    "too large": lambda good: b" " * (dsse.MAX_PAYLOAD + 1),
    "as large as may be": lambda good: b'{"_type":"' + b"A" * (dsse.MAX_PAYLOAD - 12) + b'"}',
}


def test_an_envelope_that_does_not_parse_is_on_record_without_its_text(anywhere: Court) -> None:
    good = anywhere.sign("bob", pull(anywhere)).payload
    for number, flaw in enumerate(MALFORMED.values(), 1):
        with pytest.raises(Malformed):
            anywhere.submit(dsse.sign(flaw(good), anywhere.known("bob").signing))
        refusal = anywhere.refusals()[-1]
        printable(refusal)
        nothing = ("", "malformed", "", "", None)
        assert (refusal.member, refusal.code, refusal.attempt, refusal.target, refusal.act) == nothing
        assert len(anywhere.refusals()) == number
    clean(anywhere)


def test_an_envelope_over_the_limit_is_not_even_read(court: Court) -> None:
    with pytest.raises(Malformed, match="too long"):
        dsse.Envelope.from_bytes(b" " * (dsse.MAX_ENVELOPE + 1))


@pytest.mark.parametrize("extra", ["a second name", "many signatures", "a long name", "a strange type"])
def test_an_envelope_with_more_than_its_signature_is_refused(court: Court, extra: str) -> None:
    """It would be kept as it came, and read by others."""
    good = court.sign("bob", pull(court))
    (signature,) = good.signatures
    kind, signatures = good.payload_type, good.signatures
    match extra:
        case "a second name":
            signatures = (signature, dsse.Signature(court.keyid("ann"), signature.sig))
        case "many signatures":
            signatures = (signature,) * (dsse.MAX_SIGNATURES + 1)
        case "a long name":
            signatures = (dsse.Signature("x" * 1_000_000, b""), signature)
        case _:
            kind = "\x1b" * 1_000_000
    with pytest.raises(Untrusted):
        court.submit(dsse.Envelope(kind, good.payload, signatures))
    printable(told(court, member="", attempt="pull"))
    clean(court)


# --- what it costs --------------------------------------------------------------------------------


def statements(court: Court, deed: Callable[[], object]) -> int:
    """How often the database is asked for something."""
    seen: list[str] = []

    def count(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(court.engine, "before_cursor_execute", count)
    try:
        deed()
    except RegistryError:
        pass
    finally:
        sa.event.remove(court.engine, "before_cursor_execute", count)
    return len(seen)


def test_refusing_asks_no_more_of_the_database_than_admitting(court: Court) -> None:
    envelopes = [court.sign(name, pull(court)) for name in ("bob", "pusher", "stranger")]
    malformed = dsse.sign(b"{}", court.known("bob").signing)
    court.submit(court.sign("bob", pull(court)))
    admitted = statements(court, partial(court.submit, envelopes[0]))
    for envelope in (*envelopes[1:], malformed):
        assert statements(court, partial(court.submit, envelope)) <= admitted
    assert len(court.refusals()) == 3
