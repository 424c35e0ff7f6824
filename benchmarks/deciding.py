"""One pull decided: the decision alone, the whole of the door, and how both grow with the grants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks import scanning
from benchmarks.batches import Pick, batch, middle, tail
from benchmarks.measure import Entry, Limit, Values, absolute, in_turns, ratio
from benchmarks.population import Population, allowed
from benchmarks.workplace import Workplace
from registry import acts, authority, decisions
from registry.context import utc_now
from registry.crypto import dsse
from registry.crypto.identity import Identity
from registry.decisions import Submission
from registry.law import rights
from registry.records.database import reading

_DECISION = Limit(2.0)  # ms
_FLAT = Limit(2.0)  # from the fewest grants to 1,000 times as many; a scan grows by 1,000
_SUBMITTED = 100  # acts in a batch
_ENOUGH = 200  # decisions in one
_SHARED = 10  # versions of each registry in the growth: all of them stay in what the process remembers
_SIZE = "10,000 grants, 1,000 members, 100 teams, 50 policies"
_IN_TURN = 200  # versions: two of each model, so that what is remembered of one is forgotten when it is next
_BARE = "ECDSA P-256 verification"
Contenders = Mapping[str, Callable[[], float]]
Found = Mapping[str, Values]


@dataclass(frozen=True)
class _Case:
    """A pull that is allowed, in every form in which it is measured."""

    identity: Identity
    push: acts.Push
    submission: Submission
    signed: scanning.Signed

    @property
    def asked(self) -> scanning.Asked:
        return self.identity.name, self.push.model


class Door:
    """A population whose law is read, and the pulls that it is asked for."""

    def __init__(self, made: Population) -> None:
        self.made, self.law = made, made.context.law()
        self.known = [self._case(*one) for one in allowed(made, [1])]
        self.cycled = self.known + [self._case(*one) for one in allowed(made, [2])]
        self.plain = [self._case(*one) for one in allowed(made, [3])]
        self._time = acts.timestamp(utc_now())

    def decide(self, cases: list[_Case], pick: Pick = middle) -> float:
        """Milliseconds of ``decisions.decide``, in a transaction that is open already."""
        with reading(self.made.context.engine) as connection:
            return batch(lambda case: decisions.decide(connection, self.law, case.submission), cases, pick)

    def rights(self) -> float:
        """Of the part that looks for grants."""
        return batch(lambda case: rights.require(self.law.state, *_right(case.asked), self._time), self.known)

    def scan(self) -> float:
        return batch(lambda case: scanning.scan(self.made, case.asked, self._time), self.known)

    def verify(self, pick: Pick = middle) -> float:
        return batch(lambda case: scanning.verify(case.signed), self.known, pick)

    def submit(self, pick: Pick = middle) -> float:
        """Of a pull from the signing to the receipt, the client's memory of the ledger included."""
        cases = [self.known[number % len(self.known)] for number in range(_SUBMITTED)]
        return batch(self._submit, cases, pick)

    def commit(self) -> float:
        directory = self.made.context.paths.home
        return scanning.commit(directory, [case.signed[2] for case in self.known])

    def _submit(self, case: _Case) -> None:
        envelope = self._sign(case.identity, case.push)
        receipt = authority.submit(self.made.context.authority, envelope, utc_now(), known=self.law.seq)
        assert receipt.shares

    def _case(self, identity: Identity, push: acts.Push) -> _Case:
        envelope = self._sign(identity, push)
        submission = Submission(acts.decode(envelope.payload), identity.name, utc_now())
        return _Case(identity, push, submission, scanning.signed(envelope, identity.signing.verifying))

    def _sign(self, identity: Identity, push: acts.Push) -> dsse.Envelope:
        body = acts.Pull(model=push.model, number=push.number, digest=push.digest, purpose="pull")
        header = self.made.scribe.header(identity)
        return dsse.sign(acts.compose(header, body), identity.signing)


def _right(asked: scanning.Asked) -> tuple[str, str, str]:
    name, model = asked
    return name, "pull", model


def one(place: Workplace, door: Door) -> list[Entry]:
    """A decision and a submission at full size."""
    found = in_turns(place.rounds, _contenders(door), place.quiet)
    return [*_decided(found), *_submitted(found)]


def _contenders(door: Door) -> Contenders:
    return {
        "decide": partial(door.decide, door.known),
        "decide tail": partial(door.decide, _enough(door.known), tail),
        "in turn": partial(door.decide, door.cycled),
        "plain": partial(door.decide, door.plain),
        "rights": door.rights,
        "scan": door.scan,
        "verify": door.verify,
        "verify tail": partial(door.verify, tail),
        "submit": door.submit,
        "submit tail": partial(door.submit, tail),
        "commit": door.commit,
    }


def _decided(found: Found) -> list[Entry]:
    verify, tails, what = found["verify"], found["verify tail"], "decide one pull"
    unlike, scanned = found["in turn"], "a scan over all grants"
    return [
        absolute(f"{what} ({_SIZE}), median", _BARE, found["decide"], verify, _DECISION, unit="ms"),
        absolute(f"{what}, 95 of 100 within", _BARE, found["decide tail"], tails, unit="ms"),
        ratio(f"{what}, median", _BARE, found["decide"], verify, unit="ms"),
        ratio(f"{what}, median", scanned, found["decide"], found["scan"], unit="ms"),
        ratio(f"{what}, of {_IN_TURN} versions in turn, median", _BARE, unlike, verify, unit="ms"),
        ratio(
            f"{what}, of a model with 1 quantized weight, median", _BARE, found["plain"], verify, unit="ms"
        ),
        ratio("of a decision: looking for grants", scanned, found["rights"], found["scan"], unit="ms"),
    ]


def _submitted(found: Found) -> list[Entry]:
    whole, submit, tails = "submit one pull", found["submit"], found["submit tail"]
    return [
        absolute(f"{whole}, median", _BARE, submit, found["verify"], unit="ms"),
        absolute(f"{whole}, 95 of 100 within", _BARE, tails, found["verify tail"], unit="ms"),
        ratio(f"{whole}, median", "SQLite: one row, one commit", submit, found["commit"], unit="ms"),
        ratio(f"{whole}, median", "decide one pull", submit, found["decide"], unit="ms"),
    ]


def growth(place: Workplace, doors: Mapping[int, Door]) -> list[Entry]:
    """The same decision in registries of different size."""
    contenders: dict[str, Callable[[], float]] = {}
    for grants, door in doors.items():
        contenders[f"decide {grants}"] = partial(door.decide, _enough(door.known[:_SHARED]))
        contenders[f"scan {grants}"] = door.scan
    found = in_turns(place.rounds, contenders, place.quiet)
    return [*(_size(found, grants) for grants in doors), *_grown(found, min(doors), max(doors))]


def _size(found: Found, grants: int) -> Entry:
    what, base = f"decide one pull, {grants:,} grants", f"a scan over {grants:,} grants"
    return ratio(what, base, found[f"decide {grants}"], found[f"scan {grants}"], unit="ms")


def _grown(found: Found, fewest: int, most: int) -> list[Entry]:
    decided = found[f"decide {most}"], found[f"decide {fewest}"]
    scanned = found[f"scan {most}"], found[f"scan {fewest}"]
    return [
        ratio(f"growth of a scan to {most:,} grants", f"{fewest:,} grants", *scanned, unit="ms"),
        ratio(f"growth of a decision to {most:,} grants", f"{fewest:,} grants", *decided, _FLAT, unit="ms"),
    ]


def _enough(cases: list[_Case]) -> list[_Case]:
    """So many that the median means something."""
    return cases * -(-_ENOUGH // len(cases))
