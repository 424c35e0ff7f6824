"""Attacks on the ledger itself by whoever may write the database, and has no key: entries, tree, head, index."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from registry import acts
from registry.crypto import dsse, merkle
from registry.crypto.checkpoint import LedgerKey, open_checkpoint, origin_of, sign_checkpoint
from registry.records import tables
from support.attacks import envelopes, flipped, signed, turned
from support.ledger_attacks import (
    Absent,
    Attack,
    Does,
    Misled,
    Stopped,
    Unseen,
    added,
    both,
    changed,
    decoded,
    dropped,
    entry,
    history,
    resigned,
)
from support.story import STORY
from support.victim import MODEL, OTHER, VERSION, Victim

SIZE = len(STORY)
PUSH, GRANT, DISABLE, ALIAS, YANK, POLICY, PULL, REVIEW, REFUSAL = 9, 17, 11, 12, 14, 19, 20, 21, 22
LAST = SIZE - 1  # a pull, as PULL is
SECOND = f"{MODEL}:{VERSION}"
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


def _node(level: int, position: int) -> Does:
    def does(victim: Victim) -> None:
        row = victim.row(tables.nodes, level=level, position=position)
        place = {"level": level, "position": position}
        changed(tables.nodes, place, hash=flipped(row["hash"]))(victim)

    return does


def _note(change: Any) -> Does:
    return lambda victim: victim.execute(
        sa.update(tables.head).values(note=change(victim, victim.rows["head"][0]["note"]))
    )


def _by_another(victim: Victim, note: str) -> str:
    with victim.open() as context:
        law = context.law()
    return sign_checkpoint(
        open_checkpoint(note, origin_of(law.registry_id), law.ledger), LedgerKey.generate()
    )


def _size(victim: Victim, note: str) -> str:
    return note.replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n")


def _cut(victim: Victim, entries: list[bytes]) -> None:
    del entries[PULL:]


def _index(column: str, value: object, seq: int = PULL) -> Does:
    return changed(tables.acts, {"seq": seq}, **{column: value})


_unaliased = both(_index("kind", "pull", ALIAS), changed(tables.aliases, {"name": "prod"}, number=1, seq=8))
_unyanked = both(_index("kind", "pull", YANK), dropped((tables.yanks, {"number": 3})))
_unattested = both(_index("kind", "pull", REVIEW), dropped((tables.attestations, {"seq": REVIEW})))
_unpushed = both(_index("kind", "pull", PUSH), dropped((tables.versions, {"seq": PUSH})))

ENTRIES = (
    *family('an entry',
    ("a pull's payload", entry(PULL, part('payload')), f"bad-signature: entry {PULL}", UNSEEN),
    ("a push's signature", entry(PUSH, part('signature')), f"bad-signature: entry {PUSH}", PROOF),
    ("an alias act's key id", entry(ALIAS, part('keyid')), f"bad-signature: entry {ALIAS}", PROOF),
    ("a refusal's signature", entry(REFUSAL, part('signature')), f"bad-signature: entry {REFUSAL}", UNSEEN),
    ("a grant's payload", entry(GRANT, part('payload')), f"bad-signature: entry {GRANT}", Stopped(4, 'bad-signature')),
    ("a pull's envelope, spelled otherwise", entry(PULL, respelled), f"node-differs: level 0, position {PULL}", UNSEEN),
    ("a push's envelope, spelled otherwise", entry(PUSH, respelled), f"node-differs: level 0, position {PUSH}", PROOF),
    ('an envelope emptied', entry(16, lambda _: b''), "malformed: entry 16", UNSEEN),
    ('a pull in the place of a push', _moved(PULL, PUSH), f"bad-authority: entry {PUSH}", PROOF),
    ('two pushes exchanged', _swapped(8, 9, whole=False), "index-differs: entry 8, acts.digest", PROOF),
    ('two pushes exchanged, with their index', _swapped(8, 9, whole=True), "row-differs: events", PROOF),
    ('two grants exchanged, with their index', _swapped(17, 18, whole=True), "bad-authority: entry 17", AUTHORITY),
    ('a pull dropped', dropped((tables.acts, {'seq': PULL})), f"missing-act: entry {PULL}", UNSEEN),
    ('a push dropped', dropped((tables.acts, {'seq': PUSH})), f"missing-act: entry {PUSH}", PROOF),
    ('a grant dropped', dropped((tables.acts, {'seq': GRANT})), f"missing-act: entry {GRANT}", AUTHORITY),
    ('the newest dropped', dropped((tables.acts, {'seq': LAST})), f"node-differs: level 0, position {LAST}", PROOF),
    ('the genesis act dropped', dropped((tables.acts, {'seq': 0})), "bad-proof: entry 0", PROOF),
    ('one hidden beyond the head', _hidden(SIZE), f"node-differs: level 0, position {SIZE}", Stopped(8, _TREE)),
    ('one hidden beyond the head, with a leaf', _hidden(SIZE, node=True), f"size-differs: {SIZE + 1} acts", Stopped(8, _TREE)),
    ('one hidden far beyond the head', _hidden(1000), f"missing-act: entry {SIZE}", UNSEEN),
    ('one hidden before the first', _hidden(-1), "missing-act: entry -1", UNSEEN),
    ),
)

HISTORY = (
    *family('a history',
    ('two entries exchanged', history(exchange), f"root-differs: {SIZE} acts", PROOF),
    ('an act signed again by its author', history(sign_again), f"root-differs: {SIZE} acts", PROOF),
    ('an act inserted', history(insert), f"size-differs: {SIZE + 1} acts", CHECKPOINT),
    ('the newest acts cut off', history(_cut), f"size-differs: {PULL} acts", PROOF),
    ("all of it, under another ledger's key", history(lambda *_: None, 'other'), "bad-checkpoint: ", CHECKPOINT),
    ('an old database put back', lambda victim: victim.write(victim.older), "bad-checkpoint: checkpoint", CHECKPOINT, ('', Misled(1, 'gets what was newest then'))),
    ),
)

TREE = (
    *family('the tree',
    ('a leaf', _node(0, 18), "node-differs: level 0, position 18", UNSEEN),
    ('a node', _node(3, 0), "node-differs: level 3, position 0", PROOF),
    ('a node dropped', dropped((tables.nodes, {'level': 1, 'position': 9})), "node-differs: level 1, position 9", UNSEEN),
    ('a node too many', added(tables.nodes, {'level': 0, 'position': 0}, level=3, position=3), "node-differs: level 3, position 3", UNSEEN),
    ),
)

HEAD = (
    *family('the head',
    ('its size', changed(tables.head, {'id': 1}, size=SIZE - 1), f"size-differs: {SIZE} acts", PROOF),
    ('dropped', dropped((tables.head, {'id': 1})), "bad-checkpoint: ", CHECKPOINT),
    ('a second one', added(tables.head, {'id': 1}, id=2), f"size-differs: {SIZE} acts", UNSEEN),
    ("the checkpoint's size", _note(_size), "bad-checkpoint: ", CHECKPOINT),
    ('a checkpoint by another key', _note(_by_another), "bad-checkpoint: ", CHECKPOINT),
    ('an older checkpoint', _note(lambda victim, _: victim.older_note), f"size-differs: {SIZE} acts", CHECKPOINT),
    ('no checkpoint', _note(lambda *_: ''), "bad-checkpoint: ", CHECKPOINT),
    ),
)

INDEX = (
    *family('the index',
    ("an act's kind", _index('kind', 'alias'), f"index-differs: entry {PULL}, acts.kind", UNSEEN),
    ("an act's digest", _index('digest', '0' * 64), f"index-differs: entry {PULL}, acts.digest", UNSEEN),
    ("an act's actor", _index('actor', '0' * 64), f"index-differs: entry {PULL}, acts.actor", UNSEEN),
    ("an act's time", _index('time', '2001-01-01T00:00:00.000000Z'), f"index-differs: entry {PULL}, acts.time", UNSEEN),
    ("an act's model", _index('model', OTHER), f"index-differs: entry {PULL}, acts.model", UNSEEN),
    ("an act's version", _index('number', 1), f"index-differs: entry {PULL}, acts.number", UNSEEN),
    ("an act's target", _index('target', 'bob'), f"index-differs: entry {PULL}, acts.target", UNSEEN),
    ('a grant called a pull', _index('kind', 'pull', GRANT), f"index-differs: entry {GRANT}, acts.kind", AUTHORITY),
    ('a pull called a grant', _index('kind', 'grant'), f"index-differs: entry {PULL}, acts.kind", AUTHORITY),
    ),
    *family('the index and the row',
    ('an alias withheld', _unaliased, f"index-differs: entry {ALIAS}, acts.kind", Misled(1, 'gets the version that the alias led to before')),
    ('a yank withheld', _unyanked, f"index-differs: entry {YANK}, acts.kind", Misled(3, 'gets the withdrawn version', f'{MODEL}:3')),
    ('an attestation withheld', _unattested, f"index-differs: entry {REVIEW}, acts.kind", UNSEEN),
    ('a version withheld', _unpushed, f"index-differs: entry {PUSH}, acts.kind", Absent(SECOND)),
    ),
)

ATTACKS = (*ENTRIES, *HISTORY, *TREE, *HEAD, *INDEX)
