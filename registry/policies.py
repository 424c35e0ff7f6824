"""Policies as a deed: setting them, their history, and what they would say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from registry import acts, catalog, decisions, disk, ledger, petitions
from registry.access import check_target
from registry.acts import timestamp
from registry.context import Context
from registry.crypto import dsse
from registry.errors import InvalidInput, MemberNotFound, NotFound
from registry.law import rights
from registry.law.law import Law
from registry.members import Changed, changed
from registry.policy.engine import Policies
from registry.policy.words import Client, Request, Version
from registry.records.database import reading

ACTIONS = (*acts.ACTIONS, "attest")
Record = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """A what-if: may this member do that, on a version (``NS/MODEL:3``) or, to grant, on a target?"""

    member: str
    action: str
    on: str
    purpose: str | None = None
    alias: str | None = None
    time: datetime | None = None  # now, where it is not said
    program: str | None = None
    host: str | None = None
    grantee: str | None = None
    grants: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Answer:
    """What grants and policies say. ``grants`` are the reasons for a yes, ``decided_by`` names policies."""

    allowed: bool
    grants: tuple[str, ...]
    policy: bool | None  # None where none is in force
    decided_by: tuple[str, ...]
    errors: tuple[str, ...]
    on: str


def read_text(path: Path) -> str:
    """The text of a policy file, valid under the schema. Raises InvalidInput or InvalidPolicy."""
    data = disk.read(path, 4 * acts.POLICY_LIMIT)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("the policy file is not UTF-8", on=str(path)) from error
    if text.strip():
        Policies.parse(text)
    return text


def put(context: Context, text: str) -> Changed:
    """Set the policies in place of those before; an empty text takes them all away."""
    return changed(context, "policy", acts.Policy(text=text if text.strip() else ""))


def show(context: Context) -> str:
    """The policies in force, "" for none."""
    return context.law().state.policies.at() or ""


def history(context: Context) -> list[Record]:
    """Every policy text that was in force, newest first: who set it, when, and with which ledger entry."""
    law = context.law()
    found: list[Record] = []
    with reading(context.engine) as connection:
        for position, text in law.state.policies.changes():
            seq = law.entry(position)
            act = law.admitted(dsse.Envelope.from_bytes(ledger.entry(connection, seq).envelope))
            by = law.signer(act).name
            found.append({"seq": seq, "time": act.header.time, "by": by, "text": text or ""})
    return [{**one, "in_force": one is found[-1]} for one in reversed(found)]


def ask(context: Context, question: Question, text: str | None = None) -> Answer:
    """What grants and policies say to ``question``; ``text`` stands in for the policies in force.

    Raises InvalidInput, NotFound or InvalidPolicy.
    """
    if question.action not in ACTIONS:
        raise InvalidInput("there is no such action", on=question.action, hint=f"one of {', '.join(ACTIONS)}")
    law = context.law()
    if not law.state.active(question.member):
        raise MemberNotFound("there is no such active member", on=question.member)
    on = _on(context, law, question)
    when = question.time or context.now()
    reasons = _reasons(law, question, on, timestamp(when))
    policies = petitions.current(law) if text is None else _parsed(text)
    if policies is None:
        return Answer(bool(reasons), reasons, None, (), (), str(on))
    request = _request(context, law, question, on, when)
    asked = petitions.moving(request) if _moves(question) else [request]
    verdicts = [policies.decide(one) for one in asked]
    verdict = next((one for one in verdicts if not one.allowed), verdicts[0])
    allowed = bool(reasons) and verdict.allowed
    return Answer(allowed, reasons, verdict.allowed, verdict.decided_by, verdict.errors, str(on))


def _moves(question: Question) -> bool:
    return question.action == "push" and question.alias is not None


def _parsed(text: str) -> Policies | None:
    return Policies.parse(text) if text.strip() else None


def _on(context: Context, law: Law, question: Question) -> Version | str:
    if question.action == "grant":
        return check_target(question.on)
    exact, _ = catalog.resolve(context, question.on)
    if exact.version is None:
        raise NotFound("there is no such version", on=question.on)
    with reading(context.engine) as connection:
        return decisions.version_of(connection, law, exact.model, exact.version)


def _reasons(law: Law, question: Question, on: Version | str, time: str) -> tuple[str, ...]:
    target = on if isinstance(on, str) else on.model
    actions: Iterable[str] = (question.action,)
    if question.action == "attest":
        if law.state.members[question.member].role == "auditor":
            return ("an auditor may attest",)
        actions = acts.ACTIONS
    if _moves(question) and not rights.why(law.state, question.member, "promote", target, time):
        return ()  # a push that moves an alias is a promotion as well
    found = [
        str(reason)
        for action in actions
        for reason in rights.why(law.state, question.member, action, target, time)
    ]
    return tuple(dict.fromkeys(found))


def _request(context: Context, law: Law, question: Question, on: Version | str, when: datetime) -> Request:
    own = context.client
    client = Client(question.program or own.program, own.host if question.host is None else question.host)
    purpose = question.purpose or ("pull" if question.action == "pull" else None)
    return Request(
        petitions.who(law, question.member),
        question.action,
        on,
        when,
        client,
        purpose=purpose,
        alias=question.alias,
        grantee=question.grantee or (question.member if question.action == "grant" else None),
        actions=question.grants,
    )
