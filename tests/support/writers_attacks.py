"""Attacks by whoever may write the database, and has no key: on entries, and on the history as a whole."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from registry import acts
from registry.crypto import dsse, merkle
from registry.records import tables
from support.attacks import envelopes, flipped, signed, turned
from support.ledger_attacks import (
    Attack,
    Does,
    added,
    changed,
    decoded,
    dropped,
    entry,
    family,
    history,
    resigned,
)
from support.outcomes import AUTHORITY, CHECKPOINT, PROOF, UNSEEN, Misled, Stopped
from support.story import STORY
from support.victim import MODEL, Victim

SIZE = len(STORY)
PUSH, GRANT, DISABLE, ALIAS, YANK, POLICY, PULL, REVIEW, REFUSAL = 9, 17, 11, 12, 14, 19, 20, 21, 22
LAST = SIZE - 1  # a pull, as PULL is
_TREE = "bad-proof"


def part(of: str) -> Any:
    """One bit, or one character, of an envelope's part is another; the envelope still reads."""

    def change(envelope: bytes) -> bytes:
        parsed = dsse.Envelope.from_bytes(envelope)
        (one,) = parsed.signatures
        payload = parsed.payload
        if of == "payload":
            text = payload.decode()
            payload = turned(text, text.index('"nonce":"') + 9).encode()
        sig = flipped(one.sig, -1) if of == "signature" else one.sig
        keyid = "0" * 64 if of == "keyid" else one.keyid
        return dsse.Envelope(parsed.payload_type, payload, (dsse.Signature(keyid, sig),)).to_bytes()

    return change


def respelled(envelope: bytes) -> bytes:
    """The same envelope in other bytes."""
    return envelope.replace(b'{"payload":', b'{ "payload":', 1)


def _moved(source: int, target: int) -> Does:
    return lambda victim: entry(target, lambda _: envelopes(victim)[source])(victim)


def _swapped(first: int, second: int, *, whole: bool) -> Does:
    def does(victim: Victim) -> None:
        rows = [dict(victim.rows["acts"][seq]) for seq in (first, second)]
        names = [name for name in rows[0] if name != "seq" and (whole or name == "envelope")]
        aside = changed(tables.acts, {"seq": second}, digest="0" * 64)
        aside(victim)
        for seq, row in ((first, rows[1]), (second, rows[0])):
            changed(tables.acts, {"seq": seq}, **{name: row[name] for name in names})(victim)

    return does


def exchange(victim: Victim, entries: list[bytes]) -> None:
    entries[PULL], entries[REVIEW] = entries[REVIEW], entries[PULL]


def sign_again(victim: Victim, entries: list[bytes]) -> None:
    """The alias act once more: the same words by the same member, with another nonce."""
    entries[ALIAS] = resigned(victim, entries[ALIAS], "alice", nonce="0" * 32)


def insert(victim: Victim, entries: list[bytes]) -> None:
    law = decoded(entries[REVIEW]).header.law
    with victim.open() as context:
        entries.insert(REVIEW, signed(context, _yank(), law=law))


def _yank() -> acts.Yank:
    return acts.Yank(MODEL, 1, "0" * 64, "forged")


def _hidden(seq: int, *, node: bool = False) -> Does:
    """An act that a member signed and nobody admitted, beyond the newest one."""

    def does(victim: Victim) -> None:
        envelope = resigned(victim, envelopes(victim)[PULL], "bob", nonce="0" * 32)
        act = decoded(envelope)
        row = {"seq": seq, "kind": act.kind, "digest": act.digest, "actor": act.header.actor}
        row |= {"time": act.header.time, "model": act.model, "number": act.number, "target": None}
        victim.execute(sa.insert(tables.acts).values({**row, "envelope": envelope}))
        added(tables.events, {"seq": PULL}, seq=seq)(victim)
        if node:
            leaf = merkle.leaf_hash(envelope)
            pair = merkle.node_hash(victim.row(tables.nodes, level=0, position=seq - 1)["hash"], leaf)
            rows = [(0, seq, leaf), (1, seq // 2, pair)]
            names = ("level", "position", "hash")
            wanted = [dict(zip(names, row, strict=True)) for row in rows]
            victim.execute(sa.insert(tables.nodes).values(wanted))

    return does


def _cut(victim: Victim, entries: list[bytes]) -> None:
    del entries[PULL:]


ENTRIES = (
    *family(
        "an entry",
        ("a pull's payload", entry(PULL, part("payload")), f"bad-signature: entry {PULL}", UNSEEN),
        ("a push's signature", entry(PUSH, part("signature")), f"bad-signature: entry {PUSH}", PROOF),
        ("an alias act's key id", entry(ALIAS, part("keyid")), f"bad-signature: entry {ALIAS}", PROOF),
        (
            "a refusal's signature",
            entry(REFUSAL, part("signature")),
            f"bad-signature: entry {REFUSAL}",
            UNSEEN,
        ),
        (
            "a grant's payload",
            entry(GRANT, part("payload")),
            f"bad-signature: entry {GRANT}",
            Stopped(4, "bad-signature"),
        ),
        (
            "a pull's envelope, spelled otherwise",
            entry(PULL, respelled),
            f"node-differs: level 0, position {PULL}",
            UNSEEN,
        ),
        (
            "a push's envelope, spelled otherwise",
            entry(PUSH, respelled),
            f"node-differs: level 0, position {PUSH}",
            PROOF,
        ),
        ("an envelope emptied", entry(16, lambda _: b""), "malformed: entry 16", UNSEEN),
        ("a pull in the place of a push", _moved(PULL, PUSH), f"bad-authority: entry {PUSH}", PROOF),
        ("two pushes exchanged", _swapped(8, 9, whole=False), "index-differs: entry 8, acts.digest", PROOF),
        ("two pushes exchanged, with their index", _swapped(8, 9, whole=True), "row-differs: events", PROOF),
        (
            "two grants exchanged, with their index",
            _swapped(17, 18, whole=True),
            "bad-authority: entry 17",
            AUTHORITY,
        ),
        ("a pull dropped", dropped((tables.acts, {"seq": PULL})), f"missing-act: entry {PULL}", UNSEEN),
        ("a push dropped", dropped((tables.acts, {"seq": PUSH})), f"missing-act: entry {PUSH}", PROOF),
        ("a grant dropped", dropped((tables.acts, {"seq": GRANT})), f"missing-act: entry {GRANT}", AUTHORITY),
        (
            "the newest dropped",
            dropped((tables.acts, {"seq": LAST})),
            f"node-differs: level 0, position {LAST}",
            PROOF,
        ),
        ("the genesis act dropped", dropped((tables.acts, {"seq": 0})), "bad-proof: entry 0", PROOF),
        (
            "one hidden beyond the head",
            _hidden(SIZE),
            f"node-differs: level 0, position {SIZE}",
            Stopped(8, _TREE),
        ),
        (
            "one hidden beyond the head, with a leaf",
            _hidden(SIZE, node=True),
            f"size-differs: {SIZE + 1} acts",
            Stopped(8, _TREE),
        ),
        ("one hidden far beyond the head", _hidden(1000), f"missing-act: entry {SIZE}", UNSEEN),
        ("one hidden before the first", _hidden(-1), "missing-act: entry -1", UNSEEN),
    ),
)

HISTORY = (
    *family(
        "a history",
        ("two entries exchanged", history(exchange), f"root-differs: {SIZE} acts", PROOF),
        ("an act signed again by its author", history(sign_again), f"root-differs: {SIZE} acts", PROOF),
        ("an act inserted", history(insert), f"size-differs: {SIZE + 1} acts", CHECKPOINT),
        ("the newest acts cut off", history(_cut), f"size-differs: {PULL} acts", PROOF),
        (
            "all of it, under another ledger's key",
            history(lambda *_: None, "other"),
            "bad-checkpoint: ",
            CHECKPOINT,
        ),
    ),
    Attack(
        "a history",
        "an old database put back",
        lambda victim: victim.write(victim.older),
        "bad-checkpoint",
        "checkpoint",
        CHECKPOINT,
        ("", Misled(1, "gets what was newest then")),
    ),
)

ATTACKS = (*ENTRIES, *HISTORY)
