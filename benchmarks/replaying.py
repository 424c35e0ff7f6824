"""The law read by a process that has never seen it, and read again when nothing is new."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks import process, scanning
from benchmarks.batches import batch
from benchmarks.deciding import Door
from benchmarks.measure import Entry, Values, in_turns, ratio
from benchmarks.workplace import Workplace
from registry import acts, ledger
from registry.crypto import dsse
from registry.records.database import reading

_ROUNDS = 3  # each reads every act several times
_AGAIN = 50  # readings in a batch
_BARE = "ECDSA P-256 verification"


def measure(place: Workplace, doors: Mapping[int, Door]) -> list[Entry]:
    """By the number of grants: the whole, one act of it, and reading again."""
    contenders: dict[str, Callable[[], float]] = {}
    counts: dict[int, int] = {}
    for grants, door in doors.items():
        signatures = _signatures(door)
        counts[grants] = len(signatures)
        contenders[f"cold {grants}"] = partial(_cold, door)
        contenders[f"bare {grants}"] = partial(_bare, signatures)
        contenders[f"again {grants}"] = partial(_again, door)
        contenders[f"verify {grants}"] = door.verify
    found = in_turns(min(_ROUNDS, place.rounds), contenders, place.quiet)
    rows: list[Entry] = []
    for grants, count in counts.items():
        cold, bare = found[f"cold {grants}"], found[f"bare {grants}"]
        what = f"replay, {grants:,} grants, {count:,} acts"
        rows.append(ratio(what, f"{count:,} verifications", cold, bare))
        each, one = _each(cold, count), _each(bare, count)
        rows.append(ratio(f"of {count:,} acts, each", "one verification", each, one, unit="ms"))
    for grants in counts:
        what = f"read again, nothing new, {grants:,} grants"
        rows.append(ratio(what, _BARE, found[f"again {grants}"], found[f"verify {grants}"], unit="ms"))
    return rows


def _cold(door: Door) -> float:
    seconds: float = process.probe("law", door.made.context.paths.home)["seconds"]
    return seconds


def _bare(signatures: list[scanning.Signed]) -> float:
    return batch(scanning.verify, signatures, sum) / 1000


def _again(door: Door) -> float:
    return batch(lambda _: door.made.context.law(), range(_AGAIN))


def _each(seconds: Values, count: int) -> list[float]:
    return [1000 * value / count for value in seconds]


def _signatures(door: Door) -> list[scanning.Signed]:
    """Every signature on the law, its keys loaded."""
    with reading(door.made.context.engine) as connection:
        entries = ledger.of_law(connection, -1)
    found = []
    for entry in entries:
        envelope = dsse.Envelope.from_bytes(entry.envelope)
        member = door.law.state.signer(acts.decode(envelope.payload).header.actor)
        found.append(scanning.signed(envelope, door.law.verifying(member.name)))
    return found
