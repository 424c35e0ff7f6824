"""Attacks by whoever may write the database, and has no key: on the tree, the head, and the index."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from registry.crypto.checkpoint import LedgerKey, open_checkpoint, origin_of, sign_checkpoint
from registry.records import tables
from support.attacks import flipped
from support.ledger_attacks import Does, added, both, changed, dropped, family
from support.outcomes import AUTHORITY, CHECKPOINT, PROOF, UNSEEN, Absent, Misled
from support.victim import MODEL, OTHER, VERSION, Victim
from support.writers_attacks import ALIAS, GRANT, PULL, PUSH, REVIEW, SIZE, YANK

_EARLIER = Misled(1, "gets the version that the alias led to before")
_WITHDRAWN = Misled(3, "gets the withdrawn version", f"{MODEL}:3")
_DIFFERS = "index-differs: entry"


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


def _index(column: str, value: object, seq: int = PULL) -> Does:
    return changed(tables.acts, {"seq": seq}, **{column: value})


_unaliased = both(_index("kind", "pull", ALIAS), changed(tables.aliases, {"name": "prod"}, number=1, seq=8))
_unyanked = both(_index("kind", "pull", YANK), dropped((tables.yanks, {"number": 3})))
_unattested = both(_index("kind", "pull", REVIEW), dropped((tables.attestations, {"seq": REVIEW})))
_unpushed = both(_index("kind", "pull", PUSH), dropped((tables.versions, {"seq": PUSH})))

_ANOTHER: dict[str, object] = {
    "kind": "alias",
    "digest": "0" * 64,
    "actor": "0" * 64,
    "time": "2001-01-01T00:00:00.000000Z",
    "model": OTHER,
    "number": 1,
    "target": "bob",
}

TREE = (
    *family(
        "the tree",
        ("a leaf", _node(0, 18), "node-differs: level 0, position 18", UNSEEN),
        ("a node", _node(3, 0), "node-differs: level 3, position 0", PROOF),
        (
            "a node dropped",
            dropped((tables.nodes, {"level": 1, "position": 9})),
            "node-differs: level 1, position 9",
            UNSEEN,
        ),
        (
            "a node too many",
            added(tables.nodes, {"level": 0, "position": 0}, level=3, position=3),
            "node-differs: level 3, position 3",
            UNSEEN,
        ),
    ),
)

HEAD = (
    *family(
        "the head",
        ("its size", changed(tables.head, {"id": 1}, size=SIZE - 1), f"size-differs: {SIZE} acts", PROOF),
        ("dropped", dropped((tables.head, {"id": 1})), "bad-checkpoint: ", CHECKPOINT),
        ("a second one", added(tables.head, {"id": 1}, id=2), f"size-differs: {SIZE} acts", UNSEEN),
        ("the checkpoint's size", _note(_size), "bad-checkpoint: ", CHECKPOINT),
        ("a checkpoint by another key", _note(_by_another), "bad-checkpoint: ", CHECKPOINT),
        (
            "an older checkpoint",
            _note(lambda victim, _: victim.older_note),
            f"size-differs: {SIZE} acts",
            CHECKPOINT,
        ),
        ("no checkpoint", _note(lambda *_: ""), "bad-checkpoint: ", CHECKPOINT),
    ),
)

INDEX = (
    *family(
        "the index",
        *(
            (f"an act's {column}", _index(column, value), f"{_DIFFERS} {PULL}, acts.{column}", UNSEEN)
            for column, value in _ANOTHER.items()
        ),
        ("a grant called a pull", _index("kind", "pull", GRANT), f"{_DIFFERS} {GRANT}, acts.kind", AUTHORITY),
        ("a pull called a grant", _index("kind", "grant"), f"{_DIFFERS} {PULL}, acts.kind", AUTHORITY),
    ),
    *family(
        "the index and the row",
        ("an alias withheld", _unaliased, f"{_DIFFERS} {ALIAS}, acts.kind", _EARLIER),
        ("a yank withheld", _unyanked, f"{_DIFFERS} {YANK}, acts.kind", _WITHDRAWN),
        ("an attestation withheld", _unattested, f"{_DIFFERS} {REVIEW}, acts.kind", UNSEEN),
        ("a version withheld", _unpushed, f"{_DIFFERS} {PUSH}, acts.kind", Absent(f"{MODEL}:{VERSION}")),
    ),
)

ATTACKS = (*TREE, *HEAD, *INDEX)
