"""The audit search done the slow way: every act of the ledger decoded, and every filter a plain comparison.

Whether somebody was in a team is asked of the law under which the act was signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from registry import acts, ledger
from registry.acts import Act
from registry.audit.event import Event, event
from registry.audit.query import Query
from registry.context import Context
from registry.crypto import dsse
from registry.law.law import Law
from registry.records import events
from registry.records.database import reading


@dataclass(frozen=True)
class Happened:
    """An act, and what it says to whoever reads it."""

    act: Act
    event: Event
    words: str


def everything(context: Context) -> tuple[Law, list[Happened]]:
    """The whole ledger, in its order."""
    law = context.law()
    with reading(context.engine) as connection:
        entries = list(ledger.entries(connection))
    return law, [_happened(law, one.envelope, one.seq) for one in entries]


def _happened(law: Law, envelope: bytes, seq: int) -> Happened:
    act = acts.decode(dsse.Envelope.from_bytes(envelope).payload)
    member = act.body.member if isinstance(act.body, acts.Refusal) else law.state.keyids[act.header.actor]
    return Happened(act, event(act, seq, member), events.words(act, member))


def answer(law: Law, ledger: list[Happened], query: Query) -> list[Event]:
    """What a search has to find, in the order asked for."""
    wanted = list(_conditions(law, ledger, query))
    found = [one.event for one in ledger if all(meets(one) for meets in wanted)][::-1]
    column: dict[str, Callable[[Event], Any]] = {
        "time": lambda one: 0,
        "actor": lambda one: one.actor,
        "action": lambda one: one.action,
        "on": lambda one: one.on,
    }
    found.sort(key=column[query.sort])
    return found[::-1] if query.reverse else found


def _conditions(law: Law, ledger: list[Happened], query: Query) -> Iterator[Callable[[Happened], bool]]:
    if query.actor:
        yield lambda one: one.event.actor == ("" if query.actor == "-" else query.actor)
    if query.team:
        yield lambda one: query.team in law.state.teams_of(one.event.actor, _position(law, one.act))
    if query.actions:
        yield lambda one: one.event.action in query.actions
    if query.on:
        yield _on(query.on)
    if query.outcome:
        yield lambda one: query.outcome in (one.event.outcome, one.event.code)
    if query.since:
        since = acts.timestamp(query.since)
        yield lambda one: one.event.time >= since
    if query.until:
        until = acts.timestamp(query.until)
        yield lambda one: one.event.time < until
    if query.version:
        yield lambda one: one.event.version == query.version
    if query.text:
        yield lambda one: query.text.casefold() in one.words
    if query.digest:
        versions = {
            (one.act.body.model, one.act.body.number)
            for one in ledger
            if isinstance(one.act.body, acts.Push)
            for digest in (one.act.body.digest, *(file.sha256 for file in one.act.body.files))
            if digest.startswith(query.digest)
        }
        yield lambda one: one.act.digest.startswith(query.digest) or _version(one) in versions


def _position(law: Law, act: Act) -> int:
    return 0 if isinstance(act.body, acts.Genesis) else law.position(act)


def _version(one: Happened) -> tuple[str, int]:
    return one.event.on, one.event.version or 0


def _on(on: str) -> Callable[[Happened], bool]:
    place, _, number = on.partition(":")
    if on.endswith("/"):
        return lambda one: one.event.on.startswith(on)
    return lambda one: one.event.on == place and (not number or one.event.version == int(number))
