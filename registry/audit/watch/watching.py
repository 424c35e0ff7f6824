"""The watch as a deed: in every round, what is new in the ledger is proven, judged and put to the rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from registry import acts, ledger, seen
from registry.acts import Act
from registry.audit.event import Event
from registry.audit.scope import scope
from registry.audit.standing import told
from registry.audit.watch import facts, following, state
from registry.audit.watch.facts import Draft, Moment
from registry.audit.watch.following import Judgement
from registry.audit.watch.memory import Circumstances, Memory
from registry.audit.watch.people import People, Register, moment
from registry.audit.watch.reports import Deliver
from registry.audit.watch.rules import Rules
from registry.audit.watch.telling import Teller
from registry.context import Context
from registry.crypto import merkle
from registry.crypto.checkpoint import Checkpoint
from registry.errors import BadCheckpoint, DatabaseUnavailable, InvalidInput, Unavailable, Untrusted
from registry.law.law import Law
from registry.records.database import reading

WARM: Final = 5000  # entries before the first that is watched: who acts from where, what the hour was like


@dataclass(frozen=True)
class Looked:
    """An entry that was looked at: its event, and what is to be put to the rules."""

    judgement: Judgement
    said: Event
    drafts: list[Draft]


@dataclass(frozen=True)
class Round:
    """What one round came to: entries from ``begin`` to before ``end``, reports, and the first trouble."""

    begin: int
    end: int
    reports: int
    trouble: Untrusted | None = None


class Watch:
    """Follows one ledger. Use it inside ``state.alone``.

    ``start`` is the first entry to report; by default the watch goes on from its memory in ``path``, or
    begins with the next entry that comes. ``deliver`` is called for each report, and raises Unavailable where
    it cannot be brought; what it has not taken is reported again. Raises NotPermitted for anybody but an
    admin or an auditor, and InvalidInput.
    """

    def __init__(
        self,
        context: Context,
        rules: Rules,
        deliver: Deliver,
        path: Path,
        *,
        zone: tzinfo = UTC,
        start: int | None = None,
    ) -> None:
        self._context, self._path, self._zone, self._start = context, path, zone, start
        self._teller = Teller(rules, deliver, context.config.registry_id)
        self._register = Register()
        self._trouble: Untrusted | None = None
        self._state = None if start is not None else self._load()
        self._began = 0
        self._permitted = False
        with suppress(Untrusted):  # the first round reports it
            self._permit()

    def round(self) -> Round:
        """Look once at all that is new. Raises Unavailable; what is left undone then, the next round does."""
        self._trouble, self._teller.count, self._began = None, 0, self._size
        try:
            self._all()
        except Unavailable:
            if self._state is not None:
                self._state = self._load()  # what was learned of entries that are not done is forgotten
            raise
        return Round(self._began, self._size, self._teller.count, self._trouble)

    @property
    def _size(self) -> int:
        return self._state.size if self._state else 0

    def _permit(self) -> None:
        """Raise NotPermitted for who may not watch, or Untrusted where the law that says so is not proven."""
        if not self._permitted:
            scope(self._context).require_all("the watch")
            self._permitted = True

    def _load(self) -> state.State | None:
        return state.load(self._path, self._context.config.registry_id)

    def _all(self) -> None:
        try:
            while self._more():
                pass
        except Untrusted as error:
            self._untrusted(facts.FAILED, error)
        except DatabaseUnavailable:
            self._still()
            raise
        self._still()

    def _more(self) -> bool:
        """Some of what is new; whether there was anything."""
        self._permit()
        with reading(self._context.engine) as connection:
            law = self._context.lawbook.read(connection)
            kept = self._extended(connection, law, following.newest(connection, law))
            if kept is None:
                return False
            batch = following.take(connection, kept.frontier, following.newest(connection, law))
            looked = [self._look(connection, law, one) for one in following.judged(law, batch)]
        if looked:
            self._report(kept, looked)
        return bool(looked)

    # --- following ------------------------------------------------------------------------------

    def _extended(self, connection: sa.Connection, law: Law, checkpoint: Checkpoint) -> state.State | None:
        """The memory, if the ledger extends what this watch and the home have seen of it; else it forked."""
        try:
            self._state = self._state or self._begin(connection, checkpoint)
            following.extends(connection, self._state.frontier, checkpoint)
            self._remember(connection, law, checkpoint)
        except BadCheckpoint as error:
            self._untrusted(facts.FORK, error)
            return None
        return self._state

    def _begin(self, connection: sa.Connection, checkpoint: Checkpoint) -> state.State:
        start = checkpoint.size if self._start is None else self._start
        if not 0 <= start <= checkpoint.size:
            raise InvalidInput("the ledger has no such entry yet", on=f"entry {start} of {checkpoint.size}")
        frontier = following.begin(connection, checkpoint, max(0, start - WARM))
        begun = state.State(self._context.config.registry_id, 0, [], start, self._now())
        begun.advance(frontier)
        self._began = begun.size
        state.save(self._path, begun)
        return begun

    def _remember(self, connection: sa.Connection, law: Law, checkpoint: Checkpoint) -> None:
        """As any client does: the ledger extends the checkpoint that this home remembers, too."""
        path, note = self._context.paths.checkpoint, ledger.newest_note(connection)
        remembered = seen.load(path)
        known = seen.size_of(remembered)
        seen.accept(path, law, note, ledger.consistency(connection, known, checkpoint.size), remembered)

    def _look(self, connection: sa.Connection, law: Law, one: Judgement) -> Looked:
        if one.act is None:
            assert one.error is not None
            said = self._said(facts.FAILED, one.error, one.entry.seq)
            self._trouble = self._trouble or one.error
            return Looked(one, said, [facts.trouble(facts.FAILED, said, code=one.error.code)])
        said = told(law, one.act, one.entry.seq)
        people = People(connection, law, self._register, one.act, following.at(law, one.act))
        return Looked(one, said, facts.drafts(one.act, said, people))

    # --- reporting ------------------------------------------------------------------------------

    def _report(self, kept: state.State, looked: Iterable[Looked]) -> None:
        """Entry by entry: learn, report, and note as done before the next one."""
        done = kept.frontier
        for one in looked:
            count, seq = self._teller.count, one.judgement.entry.seq
            around, act = _learned(kept.memory, one), one.judgement.act
            if act is None or seq >= kept.begin:
                time = moment(one.said.time)
                for draft in one.drafts:
                    question = draft.question(around, Moment(seq, time, self._zone))
                    self._teller.entry(kept, question, one.said)
            done.append(merkle.leaf_hash(one.judgement.entry.envelope))
            kept.advance(done)
            if self._teller.count > count:
                state.save(self._path, kept)
        kept.grew = self._now()
        kept.forget(facts.STANDSTILL)
        state.save(self._path, kept)

    def _untrusted(self, kind: str, error: Untrusted) -> None:
        """Report what keeps the watch from going on, once; it tries again in every round."""
        self._trouble = error
        about = hashlib.sha256(f"{error.code}\n{error.message}".encode()).hexdigest()[:16]
        said = self._said(kind, error)
        self._found(facts.trouble(kind, said, code=error.code), f"{kind} {about}", f"at {self._size}")

    def _still(self) -> None:
        """Put it to the rules that nothing comes."""
        if self._state is not None:
            minutes = max(0, self._now() - self._state.grew) // 60
            draft = facts.trouble(facts.STANDSTILL, self._said(facts.STANDSTILL), minutes=minutes)
            self._found(draft, facts.STANDSTILL, f"since {self._state.grew}")

    def _found(self, draft: Draft, about: str, since: str) -> None:
        when = Moment(self._size, self._context.now(), self._zone)
        question = draft.question(Circumstances(), when)
        if self._teller.trouble(self._state, question, draft.said, about, since):
            assert self._state is not None
            state.save(self._path, self._state)

    def _said(self, kind: str, error: Untrusted | None = None, seq: int | None = None) -> Event:
        at, detail = self._size if seq is None else seq, str(error) if error else ""
        time, code = acts.timestamp(self._context.now()), error.code if error else ""
        on = "the ledger" if seq is None else f"entry {seq}"
        return Event(at, time, "", "", kind, on, None, "", code, detail, "", "", "", "")

    def _now(self) -> int:
        return int(self._context.now().timestamp())


def _learned(memory: Memory, one: Looked) -> Circumstances:
    """Learn of an entry; its circumstances."""
    act: Act | None = one.judgement.act
    if act is None:
        return Circumstances()
    time = int(moment(act.header.time).timestamp())
    if isinstance(act.body, acts.Refusal):
        return memory.refused(one.said.actor, time, act.body.count)
    pulled = act.body.model if isinstance(act.body, acts.Pull) else None
    return memory.acted(one.said.actor, time, act.header.client.host, pulled)
