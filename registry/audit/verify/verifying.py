"""``registry audit verify``: the ledger and every table, from the genesis act to the newest entry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import sqlalchemy as sa

from registry import cosigned, ledger, seen
from registry.acts import LAW, timestamp
from registry.audit.verify import memory
from registry.audit.verify.engine import Verification
from registry.audit.verify.finding import Finding
from registry.audit.verify.memory import Memory, Record
from registry.audit.verify.plan import LEVEL
from registry.context import Context
from registry.crypto.witnessed import Demand
from registry.errors import InvalidInput, Untrusted
from registry.law.law import from_genesis
from registry.records import tables
from registry.records.database import reading

_HINT = "'registry fsck' lists everything that is wrong; restore the database from a backup"


@dataclass(frozen=True)
class Verified:
    """What was verified: all of it held."""

    acts: int
    law: int  # of them, acts of the law
    tables: int
    start: int  # the first entry whose signature and right were asked for
    resumed: str | None  # when the entries before ``start`` were verified, where an earlier run did that

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def verify(context: Context, *, start: int | None = None, jobs: int | None = None) -> Verified:
    """Replay the whole ledger: every signature, right and hash, and compare every table with the replay.

    It goes on where an interrupted run was, unless ``start`` names the first entry whose signature and right
    are asked for; hashes and tables are compared from the beginning in any case. ``jobs`` processes work at
    once, by default as many as there are processors.

    Raises Untrusted for the first thing that is wrong, InvalidInput for a start beyond the ledger, or
    Unavailable.
    """
    return run(context, start, jobs, LEVEL)


def run(context: Context, start: int | None, jobs: int | None, level: int) -> Verified:
    """As ``verify``, in chunks of 2^``level`` entries."""
    remembered = seen.load(context.paths.checkpoint)
    registry_id = context.config.registry_id
    known = memory.load(context.paths.home, registry_id, level) if start is None else None
    resumed = known if known is not None and not known.done and known.size else None
    first = resumed.size if resumed is not None else start or 0
    whole = first == 0 or resumed is not None
    keeper = Memory(context.paths.home, registry_id, level, timestamp(context.now()), known, keeps=whole)
    with reading(context.engine) as connection:
        _require_there(connection, start)
        verification = Verification(
            connection,
            registry_id,
            start=first,
            url=context.engine.url.render_as_string(hide_password=False),
            jobs=jobs,
            level=level,
            progress=context.progress,
            watch=keeper.watch,
        )
        with closing(verification.findings()) as found:  # the processes end with it
            outside = chain(witnessed(context, connection), remembers(context, connection, remembered))
            for finding in chain(found, outside, _late(keeper, verification)):
                raise refusal(finding)
        return _verified(connection, verification, first, resumed)


def _late(keeper: Memory, run: Verification) -> Iterator[Finding]:
    yield from keeper.finish(run.tree)


def _verified(connection: sa.Connection, run: Verification, start: int, resumed: Record | None) -> Verified:
    of_law = sa.select(sa.func.count()).where(tables.acts.c.kind.in_(LAW))
    law = connection.execute(of_law).scalar_one()
    when = resumed.time if resumed is not None else None
    return Verified(run.sums.acts, law, len(tables.PROJECTION), start, when)


def _require_there(connection: sa.Connection, start: int | None) -> None:
    size = ledger.tree_size(connection) if start else 0
    if start and not 0 <= start <= size:
        raise InvalidInput(
            "the ledger has no such entry", on=f"{start}", hint=f"it has {size} entries, from 0"
        )


def refusal(finding: Finding) -> Untrusted:
    """The error that a finding is: of the class that bears its code, where there is one."""
    kinds = {kind.code: kind for kind in Untrusted.__subclasses__()}
    kind = kinds.get(finding.code, Untrusted)
    return kind(f"{finding.code}: {finding.detail}", on=finding.on, hint=_HINT)


def remembers(context: Context, connection: sa.Connection, note: str) -> Iterator[Finding]:
    """The ledger extends the checkpoint that this home remembers: it was not rolled back, nor rewritten."""
    file = context.paths.checkpoint
    try:
        law = from_genesis(ledger.entry(connection, 0).envelope, context.config.registry_id)
        path = ledger.consistency(connection, seen.size_of(note), ledger.tree_size(connection))
        seen.accept(file, law, ledger.newest_note(connection), path, note)
    except Untrusted as error:
        yield Finding(error.code, str(file), error.message)


def witnessed(context: Context, connection: sa.Connection) -> Iterator[Finding]:
    """The ledger extends what the witnesses that this home demands have cosigned, and enough of them have."""
    try:
        policy = cosigned.demanded(context.paths.witnesses)
        if policy is None:
            return
        law = from_genesis(ledger.entry(connection, 0).envelope, context.config.registry_id)
        found = cosigned.seen(connection, policy, ledger.tree_size(connection))
        demand = Demand(policy, int(context.now().timestamp()))
        demand.held(ledger.newest_note(connection), law.registry_id, law.ledger, found)
    except Untrusted as error:
        yield Finding(error.code, error.on or str(context.paths.witnesses), error.message)
