"""The whole story: from the genesis act on, every act in its order, ready to be signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from benchmarks.ledgers import planning
from benchmarks.ledgers.chance import Chance
from benchmarks.ledgers.clients import client_of, skew
from benchmarks.ledgers.company import ADMIN, Company, Member
from benchmarks.ledgers.governing import Governor
from benchmarks.ledgers.intents import Intent, Office
from benchmarks.ledgers.jobs import Job
from benchmarks.ledgers.lawmaking import Lawmaker
from benchmarks.ledgers.moments import HOUR, Moments
from benchmarks.ledgers.refusing import Door
from benchmarks.ledgers.sizes import Sizes
from benchmarks.ledgers.working import Done, Worker
from registry import acts
from registry.acts import Client
from registry.errors import Conflict, Denied, InvalidInput, NotFound

_TRIES = 40  # acts of the law that are proposed before one that may always be
_DOOR = Client(program="the door", host="")
_NOT_NOW = (Denied, Conflict, InvalidInput, NotFound)


class Story:
    """The life of a company. ``jobs`` tells it once, act by act."""

    def __init__(self, count: int, seed: int, end: datetime) -> None:
        self.sizes = Sizes.of(count)
        self.seed = named = f"{count} {seed}"  # no two ledgers are of one registry
        self.moments = Moments(Chance(named, "moments"), end)
        self._admin = Member(ADMIN, "admin", "", 0)
        client = client_of(self._admin, 0)
        self.lawmaker = Lawmaker(named, self.moments.text(0), client)
        self.company = Company(named, self.lawmaker.law.state, Chance(named, "company"))
        self._governor = Governor(Office(self.company, self.sizes, self.moments, named, self._admin))
        self._worker = Worker(self.company, named, self._admin)
        self._door = Door(self.company, named)
        self._owed = 0  # acts of the law that came before their time
        self._seq = 1

    @property
    def registry_id(self) -> str:
        return self.lawmaker.registry_id

    def jobs(self) -> Iterator[Job]:
        """Every act after the genesis act."""
        chance = Chance(self.seed, "plan")
        for slot in planning.plan(self.sizes, self.moments, chance):
            yield self._job(slot)
            self._seq += 1

    def _job(self, slot: planning.Slot) -> Job:
        if slot.kind == planning.LAW and self._owed == 0:
            return self._law(slot.moment)
        if slot.kind in (planning.REFUSAL, planning.STORM, planning.COUNT):
            return self._refusal(slot) or self._instead(slot.moment)
        deed = self._deeds.get(slot.kind, self._worker.pull)
        job = self._deed(deed, slot.moment) or self._deed(self._worker.pull, slot.moment)
        if job is None:
            return self._instead(slot.moment)
        self._owed -= slot.kind == planning.LAW
        return job

    def _instead(self, moment: int) -> Job:
        """Nothing could be done yet but to go on with the founding."""
        self._owed += 1
        return self._law(moment)

    @property
    def _deeds(self) -> dict[int, Callable[[int, str], Done | None]]:
        worker = self._worker
        return {
            planning.PUSH: worker.push,
            planning.ATTEST: worker.attest,
            planning.ALIAS: worker.alias,
            planning.YANK: worker.yank,
            planning.FAILURE: worker.failure,
        }

    def _deed(self, deed: Callable[[int, str], Done | None], moment: int) -> Job | None:
        time = self.moments.text(moment)
        done = deed(moment, time)
        if done is None:
            return None
        member, body = done
        client = client_of(member, moment)
        if isinstance(body, acts.Pull) and (off := skew(client.host)):
            wrong = self.moments.text(max(0, moment + off))
            if self.company.may(member, "pull", body.model, wrong):
                time = wrong
        return Job(self._seq, member.name, member.generation, time, self._head, client, body)

    def _refusal(self, slot: planning.Slot) -> Job | None:
        time = self.moments.text(slot.moment)
        if slot.kind == planning.STORM:
            body = self._door.storm(slot.storm, time)
        elif slot.kind == planning.COUNT:
            body = self._door.count(slot.storm, self.moments.text(max(0, slot.moment - HOUR)))
        else:
            body = self._door.refuse(time)
        return Job(self._seq, "", 0, time, self._head, _DOOR, body) if body else None

    @property
    def _head(self) -> str:
        return self.lawmaker.law.head

    def _law(self, moment: int) -> Job:
        for _ in range(_TRIES):
            intent = self._governor.propose(moment)
            if intent is not None:
                try:
                    return self._enact(intent, moment)
                except _NOT_NOW:
                    continue
        return self._enact(self._governor.fallback(), moment)

    def _enact(self, intent: Intent, moment: int) -> Job:
        client = client_of(intent.by, moment)
        time = self.moments.text(moment)
        job = self.lawmaker.add(self.company, intent.body, intent.by, time, client, self._seq)
        assert isinstance(job.body, bytes)
        self.lawmaker.keep(self.company, job.body)
        intent.done()
        return job
