"""The audit's questions answered the long way: by reading every act of a ledger, one after the other.

Nothing here reads a table but the ledger's own, and nothing is counted beforehand.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from registry import acts, ledger
from registry.acts import Act
from registry.context import Context
from registry.crypto import dsse
from registry.law import rights
from registry.law.law import Law
from registry.records import projection
from registry.records.database import reading

Version = tuple[str, int]
USES = {"pull": {"pull"}, "push": {"push", "create"}, "promote": {"alias", "yank"}}
USES["grant"] = {"grant", "revoke", "rotate", "create"}


@dataclass(frozen=True)
class Made:
    """An act, where it stands, and who made it."""

    seq: int
    act: Act
    member: str

    @property
    def body(self) -> Any:
        return self.act.body

    @property
    def time(self) -> str:
        return self.act.header.time

    @property
    def place(self) -> str:
        return self.act.model or self.act.target or ""


class Record:
    """Everything that a ledger holds, as somebody with much time reads it."""

    def __init__(self, context: Context) -> None:
        self.law: Law = context.law()
        with reading(context.engine) as connection:
            self.made = [_made(self.law, one) for one in ledger.entries(connection)]

    def of(self, kind: type[Any]) -> Iterator[Made]:
        """The acts of a kind. Refusals are one of their own: what was refused is none."""
        return (one for one in self.made if isinstance(one.body, kind))

    @cached_property
    def times(self) -> dict[int, str]:
        return {one.seq: one.time for one in self.made}

    def pulls(self, model: str) -> dict[tuple[str, int], list[Made]]:
        """Of a model: by member and version."""
        found = defaultdict(list)
        for one in self.of(acts.Pull):
            if one.body.model == model:
                found[one.member, one.body.number].append(one)
        return found

    def history(self, model: str) -> list[int]:
        """The entries about a model, or granted on its namespace, that are no allowed pulls."""
        places = (model, f"{model.partition('/')[0]}/")
        return [
            one.seq for one in self.made if not isinstance(one.body, acts.Pull) and (about(one) in places)
        ]

    def refusals(self, since: str = "") -> Counter[tuple[str, str, str, str]]:
        """Attempts by member, kind, target and code."""
        told: Counter[tuple[str, str, str, str]] = Counter()
        for one in self.of(acts.Refusal):
            if one.time >= since:
                told[one.body.member, one.body.attempt, one.body.target, one.body.code] += one.body.count
        return told

    def stale(self, now: str, cutoff: str) -> dict[tuple[str, str, str], str]:
        """The rights unused since ``cutoff``, with when they were last used, "" for never."""
        found = {}
        for (grantee, action, target), (granted, until) in self._standing().items():
            if self.times[granted] < cutoff and (until is None or now < until):
                used = max((one.time for one in self._used(grantee, action, target, granted)), default="")
                if used < cutoff:
                    found[grantee, action, target] = used
        return found

    def _standing(self) -> dict[tuple[str, str, str], tuple[int, str | None]]:
        held: dict[tuple[str, str, str], tuple[int, str | None]] = {}
        for one in self.made:
            body = one.body
            for action in body.actions if isinstance(body, acts.Grant | acts.Revoke) else ():
                held.pop((body.grantee, action, body.target), None)
                if isinstance(body, acts.Grant):
                    held[body.grantee, action, body.target] = one.seq, body.until
            if isinstance(body, acts.Genesis) or (isinstance(body, acts.Enroll) and body.role == "admin"):
                held[body.name, "admin", "/"] = one.seq, None
            if isinstance(body, acts.Disable):
                held = {key: value for key, value in held.items() if key[0] != body.name}
        return held

    def _used(self, grantee: str, action: str, target: str, after: int) -> Iterator[Made]:
        for one in self.made[after + 1 :]:
            if isinstance(one.body, acts.Refusal | acts.Failure) or not self._is(one, grantee):
                continue
            pushed = action == "promote" and isinstance(one.body, acts.Push) and bool(one.body.aliases)
            if action == "admin" or pushed or one.act.kind in USES.get(action, ()):
                place = about(one)
                if target in ("/", place) or (target.endswith("/") and place.startswith(target)):
                    yield one

    def _is(self, one: Made, grantee: str) -> bool:
        """Whether the act is the grantee's own, or by somebody who was in the team."""
        if grantee not in self.law.state.teams:
            return one.member == grantee
        return grantee in self.law.state.teams_of(one.member, self.law.position(one.act))

    def signed(self, name: str) -> set[Version]:
        return {(one.body.model, one.body.number) for one in self.of(acts.Push) if one.member == name}

    def opened(self, name: str) -> set[Version]:
        """The versions that the member had a right to pull at some moment after their push."""
        changes = [one for one in self.made if one.act.is_law]
        found = set()
        for push in self.of(acts.Push):
            moments = [push, *(one for one in changes if one.seq > push.seq)]
            if any(self._may(name, push, one) for one in moments):
                found.add((push.body.model, push.body.number))
        return found

    def _may(self, name: str, push: Made, moment: Made) -> bool:
        state, at = self.law.state, self.law.position(moment.act) + moment.act.is_law
        # A right that ends by itself still held right after the push, or after the change.
        return bool(rights.why(state, name, "pull", push.body.model, moment.time, at))

    def descent(self) -> set[tuple[Version, Version]]:
        """Parent and child, as attestations say it."""
        digests = {one.body.digest: (one.body.model, one.body.number) for one in self.of(acts.Push)}
        found = set()
        for one in self.made:
            for envelope in _attestations(one.body):
                head = projection.attested(envelope)
                if head.type in (acts.LINEAGE, acts.RECIPE):
                    parent = head.statement["predicate"].get("parent", {}).get("digest", "")
                    if (of := digests.get(parent.removeprefix("sha256:"))) is not None:
                        found.add((of, (one.body.model, one.body.number)))
        return found


def below(edges: set[tuple[Version, Version]], roots: set[Version]) -> set[Version]:
    """Everything that descends from the roots, the roots left out."""
    found: set[Version] = set()
    while fresh := {child for parent, child in edges if parent in found | roots} - found - roots:
        found |= fresh
    return found


def about(one: Made) -> str:
    """The model, namespace, member or team: of a refused act what it was about, without a version."""
    if isinstance(one.body, acts.Refusal):
        place, _, number = one.body.target.rpartition(":")
        return place if number.isdigit() else one.body.target
    return one.place


def _made(law: Law, entry: ledger.Entry) -> Made:
    act = acts.decode(dsse.Envelope.from_bytes(entry.envelope).payload)
    if isinstance(act.body, acts.Refusal):
        return Made(entry.seq, act, act.body.member)
    if isinstance(act.body, acts.Genesis):
        return Made(entry.seq, act, act.body.name)
    return Made(entry.seq, act, law.signer(act).name)


def _attestations(body: Any) -> tuple[bytes, ...]:
    if isinstance(body, acts.Push):
        return body.attestations
    return (body.statement,) if isinstance(body, acts.Attest) else ()
