"""How the ledger itself is: its checkpoint, its history, who verified it, and how it grows."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import accumulate

import sqlalchemy as sa

from registry import ledger, seen, witnesses
from registry.acts import timestamp
from registry.audit.report.activity import total
from registry.audit.report.estate import Health, Verified, Witness
from registry.audit.verify import memory
from registry.audit.verify.plan import LEVEL
from registry.context import Context
from registry.crypto.checkpoint import Checkpoint, open_checkpoint, origin_of
from registry.errors import Untrusted
from registry.law.law import Law
from registry.records import tables as t

_POINTS = 160  # of the curve


def read(connection: sa.Connection, context: Context, law: Law) -> Health:
    """Everything of the section. What does not hold together is told, not raised."""
    remembered, broken = 0, ""
    try:
        checkpoint = _checkpoint(connection, law)
        remembered = _history(connection, context, law, checkpoint)
    except Untrusted as error:
        checkpoint, broken = (
            Checkpoint("", 0, b""),
            f"{error.message} ({error.on})" if error.on else error.message,
        )
    growth = _growth(connection)
    unwitnessed, seen_by = _watched(context)
    return Health(
        size=checkpoint.size or ledger.tree_size(connection),
        root=checkpoint.root.hex(),
        time=_newest(connection),
        broken=broken,
        remembered=remembered,
        verified=_verified(context),
        witnesses=seen_by,
        unwitnessed=unwitnessed,
        growth=growth,
        counted=growth[-1][1] if growth else 0,
    )


def _checkpoint(connection: sa.Connection, law: Law) -> Checkpoint:
    """The newest checkpoint: signed by the ledger's key, and of the tree that is there. Raises Untrusted."""
    found = open_checkpoint(ledger.newest_note(connection), origin_of(law.registry_id), law.ledger)
    ledger.stand(connection, found)
    return found


def _history(connection: sa.Connection, context: Context, law: Law, new: Checkpoint) -> int:
    """The size of the tree that this home remembers, which ``new`` extends; 0 for none. Raises Untrusted."""
    note = seen.load(context.paths.checkpoint)
    if not note:
        return 0
    old = open_checkpoint(note, new.origin, law.ledger)
    seen.extends(old, new, ledger.consistency(connection, old.size, new.size))
    return old.size


def _newest(connection: sa.Connection) -> str:
    query = sa.select(t.events.c.time).order_by(t.events.c.seq.desc()).limit(1)
    return str(connection.execute(query).scalar() or "")


def _growth(connection: sa.Connection) -> tuple[tuple[str, int], ...]:
    """Acts up to the end of each day, at so many days as the curve has points."""
    day = t.activity.c.day
    query = sa.select(day, total()).group_by(day).order_by(day)
    rows = [(at, int(count)) for at, count in connection.execute(query)]
    if not rows:
        return ()
    upto = list(zip((at for at, _ in rows), accumulate(count for _, count in rows), strict=True))
    step = -(-len(upto) // _POINTS)
    return tuple(upto[(len(upto) - 1) % step :: step])


def _watched(context: Context) -> tuple[str, tuple[Witness, ...]]:
    """What the demand for witnesses lacks, "" for nothing; and the witnesses.

    Those that the home demands are verified; without a demand nobody's key is known here.
    """
    try:
        demanded = witnesses.report(context)
    except Untrusted as error:
        return error.message, ()
    if demanded.policy is None:
        return "", tuple(Witness(name, size, "", False) for name, _, size in witnesses.listed(context))
    found = (
        Witness(one.name, one.size, timestamp(datetime.fromtimestamp(one.time, UTC)), True)
        for one in demanded.standings
        if one.size
    )
    return demanded.trouble, tuple(found)


def _verified(context: Context) -> Verified | None:
    record = memory.load(context.paths.home, context.config.registry_id, LEVEL)
    if record is None:
        return None
    return Verified(record.acts if record.done else record.size, record.time, record.done)
