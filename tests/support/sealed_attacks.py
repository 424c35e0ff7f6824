"""Attacks on the sealed keys beside the ledger, which acts name by their SHA-256."""

from __future__ import annotations

import sqlalchemy as sa

from registry.records import tables
from support.attacks import flipped
from support.ledger_attacks import changed, dropped, family
from support.outcomes import UNSEEN, Stopped
from support.victim import Victim


def _sealed(victim: Victim) -> str:
    """The SHA-256 of the sealed key of a blob that the version uses."""
    return str(victim.row(tables.blobs, id=victim.blob("tokenizer.json"))["sealed"])


def _lost_key(victim: Victim) -> None:
    dropped((tables.sealed, {"sha256": _sealed(victim)}))(victim)


def _changed_key(victim: Victim) -> None:
    row = victim.row(tables.sealed, sha256=_sealed(victim))
    changed(tables.sealed, {"sha256": row["sha256"]}, ciphertext=flipped(row["ciphertext"]))(victim)


def _old_keys(victim: Victim) -> None:
    """What a rotation destroyed is there again."""
    there = {row["sha256"] for row in victim.rows["sealed"]}
    old = [row for row in victim.older["sealed"] if row["sha256"] not in there]
    victim.execute(sa.insert(tables.sealed).values(old))


ATTACKS = (
    *family(
        "the sealed keys",
        ("one dropped", _lost_key, "key-missing: ", Stopped(5, "bad-encryption")),
        ("one changed", _changed_key, "key-changed: ", Stopped(5, "bad-encryption")),
        ("superseded ones put back", _old_keys, "key-left: ", UNSEEN),
    ),
)
