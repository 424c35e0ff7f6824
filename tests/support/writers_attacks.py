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
    return sign_checkpoint(open_checkpoint(note, origin_of(law.registry_id), law.ledger), LedgerKey.generate())


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
    Attack("an entry", "a pull's payload", entry(PULL, part("payload")), "bad-signature", f"entry {PULL}", Unseen()),
    Attack("an entry", "a push's signature", entry(PUSH, part("signature")), "bad-signature", f"entry {PUSH}", Stopped(3, _TREE)),
    Attack("an entry", "an alias act's key id", entry(ALIAS, part("keyid")), "bad-signature", f"entry {ALIAS}", Stopped(3, _TREE)),
    Attack("an entry", "a refusal's signature", entry(REFUSAL, part("signature")), "bad-signature", f"entry {REFUSAL}", Unseen()),
    Attack("an entry", "a grant's payload", entry(GRANT, part("payload")), "bad-signature", f"entry {GRANT}", Stopped(4, "bad-signature")),
    Attack("an entry", "a pull's envelope, spelled otherwise", entry(PULL, respelled), "node-differs", f"level 0, position {PULL}", Unseen()),
    Attack("an entry", "a push's envelope, spelled otherwise", entry(PUSH, respelled), "node-differs", f"level 0, position {PUSH}", Stopped(3, _TREE)),
    Attack("an entry", "an envelope emptied", entry(16, lambda _: b""), "malformed", "entry 16", Unseen()),
    Attack("an entry", "a pull in the place of a push", _moved(PULL, PUSH), "bad-authority", f"entry {PUSH}", Stopped(3, _TREE)),
    Attack("an entry", "two pushes exchanged", _swapped(8, 9, whole=False), "index-differs", "entry 8, acts.digest", Stopped(3, _TREE)),
    Attack("an entry", "two pushes exchanged, with their index", _swapped(8, 9, whole=True), "row-differs", "events", Stopped(3, _TREE)),
    Attack("an entry", "two grants exchanged, with their index", _swapped(17, 18, whole=True), "bad-authority", "entry 17", Stopped(4, "bad-authority")),
    Attack("an entry", "a pull dropped", dropped((tables.acts, {"seq": PULL})), "missing-act", f"entry {PULL}", Unseen()),
    Attack("an entry", "a push dropped", dropped((tables.acts, {"seq": PUSH})), "missing-act", f"entry {PUSH}", Stopped(3, _TREE)),
    Attack("an entry", "a grant dropped", dropped((tables.acts, {"seq": GRANT})), "missing-act", f"entry {GRANT}", Stopped(4, "bad-authority")),
    Attack("an entry", "the newest dropped", dropped((tables.acts, {"seq": LAST})), "node-differs", f"level 0, position {LAST}", Stopped(3, _TREE)),
    Attack("an entry", "the genesis act dropped", dropped((tables.acts, {"seq": 0})), "bad-proof", "entry 0", Stopped(3, _TREE)),
    Attack("an entry", "one hidden beyond the head", _hidden(SIZE), "node-differs", f"level 0, position {SIZE}", Stopped(8, _TREE)),
    Attack("an entry", "one hidden beyond the head, with a leaf", _hidden(SIZE, node=True), "size-differs", f"{SIZE + 1} acts", Stopped(8, _TREE)),
    Attack("an entry", "one hidden far beyond the head", _hidden(1000), "missing-act", f"entry {SIZE}", Unseen()),
    Attack("an entry", "one hidden before the first", _hidden(-1), "missing-act", "entry -1", Unseen()),
)

HISTORY = (
    Attack("a history", "two entries exchanged", history(exchange), "root-differs", f"{SIZE} acts", Stopped(3, _TREE)),
    Attack("a history", "an act signed again by its author", history(sign_again), "root-differs", f"{SIZE} acts", Stopped(3, _TREE)),
    Attack("a history", "an act inserted", history(insert), "size-differs", f"{SIZE + 1} acts", Stopped(2, "bad-checkpoint")),
    Attack("a history", "the newest acts cut off", history(_cut), "size-differs", f"{PULL} acts", Stopped(3, _TREE)),
    Attack("a history", "all of it, under another ledger's key", history(lambda *_: None, "other"), "bad-checkpoint", "", Stopped(2, "bad-checkpoint")),
    Attack(
        "a history",
        "an old database put back",
        lambda victim: victim.write(victim.older),
        "bad-checkpoint",
        "checkpoint",
        Stopped(2, "bad-checkpoint"),
        ("", Misled(1, "gets what was newest then")),
    ),
)

TREE = (
    Attack("the tree", "a leaf", _node(0, 18), "node-differs", "level 0, position 18", Unseen()),
    Attack("the tree", "a node", _node(3, 0), "node-differs", "level 3, position 0", Stopped(3, _TREE)),
    Attack("the tree", "a node dropped", dropped((tables.nodes, {"level": 1, "position": 9})), "node-differs", "level 1, position 9", Unseen()),
    Attack("the tree", "a node too many", added(tables.nodes, {"level": 0, "position": 0}, level=3, position=3), "node-differs", "level 3, position 3", Unseen()),
)

HEAD = (
    Attack("the head", "its size", changed(tables.head, {"id": 1}, size=SIZE - 1), "size-differs", f"{SIZE} acts", Stopped(3, _TREE)),
    Attack("the head", "dropped", dropped((tables.head, {"id": 1})), "bad-checkpoint", "", Stopped(2, "bad-checkpoint")),
    Attack("the head", "a second one", added(tables.head, {"id": 1}, id=2), "size-differs", f"{SIZE} acts", Unseen()),
    Attack("the head", "the checkpoint's size", _note(_size), "bad-checkpoint", "", Stopped(2, "bad-checkpoint")),
    Attack("the head", "a checkpoint by another key", _note(_by_another), "bad-checkpoint", "", Stopped(2, "bad-checkpoint")),
    Attack("the head", "an older checkpoint", _note(lambda victim, _: victim.older_note), "size-differs", f"{SIZE} acts", Stopped(2, "bad-checkpoint")),
    Attack("the head", "no checkpoint", _note(lambda *_: ""), "bad-checkpoint", "", Stopped(2, "bad-checkpoint")),
)

INDEX = (
    Attack("the index", "an act's kind", _index("kind", "alias"), "index-differs", f"entry {PULL}, acts.kind", Unseen()),
    Attack("the index", "an act's digest", _index("digest", "0" * 64), "index-differs", f"entry {PULL}, acts.digest", Unseen()),
    Attack("the index", "an act's actor", _index("actor", "0" * 64), "index-differs", f"entry {PULL}, acts.actor", Unseen()),
    Attack("the index", "an act's time", _index("time", "2001-01-01T00:00:00.000000Z"), "index-differs", f"entry {PULL}, acts.time", Unseen()),
    Attack("the index", "an act's model", _index("model", OTHER), "index-differs", f"entry {PULL}, acts.model", Unseen()),
    Attack("the index", "an act's version", _index("number", 1), "index-differs", f"entry {PULL}, acts.number", Unseen()),
    Attack("the index", "an act's target", _index("target", "bob"), "index-differs", f"entry {PULL}, acts.target", Unseen()),
    Attack("the index", "a grant called a pull", _index("kind", "pull", GRANT), "index-differs", f"entry {GRANT}, acts.kind", Stopped(4, "bad-authority")),
    Attack("the index", "a pull called a grant", _index("kind", "grant"), "index-differs", f"entry {PULL}, acts.kind", Stopped(4, "bad-authority")),
    Attack("the index and the row", "an alias withheld", _unaliased, "index-differs", f"entry {ALIAS}, acts.kind", Misled(1, "gets the version that the alias led to before")),
    Attack("the index and the row", "a yank withheld", _unyanked, "index-differs", f"entry {YANK}, acts.kind", Misled(3, "gets the withdrawn version", f"{MODEL}:3")),
    Attack("the index and the row", "an attestation withheld", _unattested, "index-differs", f"entry {REVIEW}, acts.kind", Unseen()),
    Attack("the index and the row", "a version withheld", _unpushed, "index-differs", f"entry {PUSH}, acts.kind", Absent(SECOND)),
)

ATTACKS = (*ENTRIES, *HISTORY, *TREE, *HEAD, *INDEX)
