"""An event as the rules' schema has it: principal, action, resource, context, and the entities they name.

Names from outside appear only as JSON strings, never in Cedar text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from registry import acts
from registry.acts import Act
from registry.audit.event import Event
from registry.audit.watch.codes import UNTRUSTED
from registry.audit.watch.memory import Circumstances
from registry.audit.watch.people import People, Person
from registry.policy.entities import WEEKDAYS
from registry.policy.facts import entities, entity

FAILED: Final = "failed-verification"
FORK: Final = "fork"
STANDSTILL: Final = "standstill"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_PLACE = re.compile(rf"({_NAME})/({_NAME})?(?::([1-9][0-9]{{0,8}}))?")
_UNSAID = "\N{REPLACEMENT CHARACTER}"
Record = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What is put to the rules, and the event's words for people."""

    request: Record
    entities: list[Record]
    words: dict[str, str]


@dataclass(frozen=True)
class Moment:
    """Where and when: the entry, the time, and the zone in which rules count hours."""

    seq: int
    time: datetime
    zone: tzinfo


@dataclass(frozen=True)
class Draft:
    """A question but for its circumstances: who did what to what, and what belongs to that alone."""

    action: str
    person: Person
    on: list[Record]  # the resource first, then what is around it
    own: Record
    said: Event

    def question(self, around: Circumstances, moment: Moment) -> Question:
        """The question, in these circumstances."""
        every = {**_when(moment), **_circumstances(self.said, around), **self.own}
        request = {
            "principal": {"type": "Member", "id": self.person.name},
            "action": {"type": "Action", "id": self.action},
            "resource": self.on[0]["uid"],
            "context": every,
        }
        known = {(one["uid"]["type"], one["uid"]["id"]): one for one in (self.person.entity(), *self.on)}
        return Question(request, list(known.values()), _words(self, every))


def drafts(act: Act, said: Event, people: People) -> list[Draft]:
    """An act of the ledger as the rules see it; what tells of a failed verification is asked twice."""
    person, on = people.person(people.signer), resource(act, said, people)
    found = [Draft(act.kind, person, on, _own(act, people), said)]
    if source := _source(act.body):
        own = {"code": said.code, "source": entity("Source", source)}
        found.append(Draft(FAILED, person, on, own, said))
    return found


def trouble(kind: str, said: Event, **own: Any) -> Draft:
    """What nobody did, and the watch found."""
    if kind == FAILED:
        own["source"] = entity("Source", "watch")
    return Draft(kind, Person(""), place(""), own, said)


def _source(body: acts.Body) -> str:
    match body:
        case acts.Failure():
            return "checkout"
        case acts.Refusal() if body.code in UNTRUSTED:
            return "door"
    return ""


def _when(moment: Moment) -> Record:
    local, utc = moment.time.astimezone(moment.zone), moment.time.astimezone(UTC)
    written = utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return {
        "seq": moment.seq,
        "time": {"__extn": {"fn": "datetime", "arg": written}},
        "hour": local.hour,
        "minute": local.minute,
        "weekday": entity("Weekday", WEEKDAYS[local.weekday()]),
    }


def _circumstances(said: Event, around: Circumstances) -> Record:
    return {
        "on": _place(said),
        "program": said.program,
        "host": said.host,
        "newHost": around.new_host,
        "idleDays": around.idle_days,
        "pulls": around.pulls,
        "models": around.models,
        "refusals": around.refusals,
    }


def _place(said: Event) -> str:
    return f"{said.on}:{said.version}" if said.version else said.on


def _own(act: Act, people: People) -> Record:
    """What belongs to the action, beside what every action has."""
    match act.body:
        case acts.Pull():
            return {"purpose": act.body.purpose}
        case acts.Push():
            said = act.body
            return {
                "first": said.number == 1,
                "aliases": sorted(said.aliases),
                "allowed": sorted(said.allowed),
            }
        case acts.Alias():
            return {"alias": act.body.name}
        case acts.Yank() | acts.Disable():
            return {"reason": act.body.reason}
        case acts.Attest():
            return {"type": people.attested(act.body)}
        case acts.Failure():
            return {"purpose": act.body.purpose, "step": act.body.step, "code": act.body.code}
        case acts.Refusal():
            return {"attempt": act.body.attempt, "code": act.body.code, "count": act.body.count}
    return _of_law(act, people)


def _of_law(act: Act, people: People) -> Record:
    match act.body:
        case acts.Grant() | acts.Revoke():
            body = act.body
            return {
                "grantee": body.grantee,
                "granteeDays": people.days(body.grantee),
                "toTeam": people.is_team(body.grantee),
                "rights": entities("Right", body.actions),
                "forever": getattr(body, "until", None) is None,
            }
        case acts.Genesis():
            return {"role": entity("Role", "admin")}
        case acts.Enroll():
            return {"role": entity("Role", act.body.role)}
        case acts.Replace():
            return {"byAnother": people.signer != act.body.name}
        case acts.TeamAdd() | acts.TeamRemove():
            return {"member": act.body.name, "memberDays": people.days(act.body.name)}
        case acts.Policy():
            return {"empty": not act.body.text}
    return {}


def resource(act: Act, said: Event, people: People) -> list[Record]:
    """The entity that the act is about, first, and those around it."""
    match act.body:
        case acts.Genesis() | acts.Enroll() | acts.Disable() | acts.Replace():
            return [people.person(act.body.name).entity()]
        case acts.Team() | acts.TeamAdd() | acts.TeamRemove():
            return [_one("Team", act.body.team)]
        case acts.Rotate() if "/" not in act.body.vault:
            return [_one("Team", act.body.vault)]
    return place(_place(said))


def place(text: str) -> list[Record]:
    """A version, a model or a namespace with what is above it; the registry for anything else."""
    named = _PLACE.fullmatch(text)
    if named is None or (named[3] and not named[2]):
        return [_one("Registry", "/")]
    space = _one("Namespace", named[1], {"name": named[1]})
    if not named[2]:
        return [space]
    model = f"{named[1]}/{named[2]}"
    attrs = {"name": named[2], "namespace": entity("Namespace", named[1])}
    above = [_one("Model", model, attrs, [("Namespace", named[1])]), space]
    if not named[3]:
        return above
    attrs = {"model": entity("Model", model), "number": int(named[3])}
    return [_one("Version", f"{model}:{named[3]}", attrs, [("Model", model)]), *above]


def _one(
    kind: str, name: str, attrs: Record | None = None, parents: list[tuple[str, str]] | None = None
) -> Record:
    above = [{"type": type, "id": id} for type, id in parents or []]
    return {"uid": {"type": kind, "id": name}, "attrs": attrs or {}, "parents": above}


def _words(draft: Draft, every: Record) -> dict[str, str]:
    """The event in words, for what a rule says; without what could steer a terminal."""
    plain = {name: _plain(value) for name, value in every.items()}
    who = draft.person.name or "somebody unknown"
    named = {"member": who, "action": draft.action, "detail": draft.said.detail}
    told = {**plain, "days": str(draft.person.days), **named}
    return {name: "".join(c if c.isprintable() else _UNSAID for c in text) for name, text in told.items()}


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("__entity", {}).get("id", ""))
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return str(value)
