"""What is asked of the policies: built from proven acts alone, the same at the door and at a checkout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from registry import acts, statements
from registry.acts import Act
from registry.law.law import Law
from registry.onnx.quantization import QuantizationFacts
from registry.policy.engine import Policies
from registry.policy.words import Attestation, Client, Request, Version, Who
from registry.records import projection


def who(law: Law, name: str) -> Who:
    """A member as policies know them."""
    return Who(name, law.state.members[name].role, frozenset(law.state.teams_of(name)))


def version(law: Law, push: Act, attests: Iterable[Act]) -> Version:
    """A version as policies know it, from its push act and the acts that attested to it since."""
    assert isinstance(push.body, acts.Push)
    body, publisher = push.body, who(law, law.signer(push).name)
    told = [(_read(envelope), publisher) for envelope in body.attestations]
    facts = [one for read, _ in told for one in read.facts]
    for act in attests:
        assert isinstance(act.body, acts.Attest)
        told.append((_read(act.body.statement), who(law, law.signer(act).name)))
    return Version(
        model=body.model,
        number=body.number,
        digest=body.digest,
        label=body.label,
        publisher=publisher,
        size=sum(file.size for file in body.files),
        metadata=dict(body.metadata),
        quantization=facts,
        attestations=[Attestation(read.type, by, *read.said) for read, by in told],
        allowed=body.allowed,
    )


class _Read(NamedTuple):
    type: str
    facts: tuple[QuantizationFacts, ...]
    said: statements.Said


@lru_cache(maxsize=512)  # the same versions are asked for again and again
def _read(envelope: bytes) -> _Read:
    """The type of an attestation, the facts in it where it has some, and what else policies may ask for."""
    head = projection.attested(envelope)
    if head.type == acts.QUANTIZATION:
        facts = tuple(found for _, found in projection.quantized(head.statement))
        return _Read(head.type, facts, statements.Said())
    return _Read(head.type, (), statements.said(head.type, head.statement.get("predicate")))


def client(act: Act) -> Client:
    """What the actor says of program and machine."""
    return Client(act.header.client.program, act.header.client.host)


def current(law: Law) -> Policies | None:
    """The policies in force, None where there are none."""
    text = law.state.policies.at()
    return _parsed(text) if text else None


@lru_cache(maxsize=8)
def _parsed(text: str) -> Policies:
    return Policies.parse(text)


def require(law: Law, request: Request) -> None:
    """Raise PolicyDenied where the policies in force deny what the grants allow."""
    policies = current(law)
    if policies is not None:
        policies.require(request)


def pull(law: Law, name: str, on: Version, when: datetime, client: Client, purpose: str) -> Request:
    """The request to pull a version."""
    return Request(who(law, name), "pull", on, when, client, purpose=purpose)


def push(law: Law, name: str, on: Version, when: datetime, by: Client, names: Iterable[str]) -> list[Request]:
    """The requests that a push makes: itself, and for every alias that it moves itself and a promotion."""
    asked = Request(who(law, name), "push", on, when, by)
    return [asked, *(one for alias in names for one in moving(replace(asked, alias=alias)))]


def moving(push: Request) -> list[Request]:
    """What a push asks about the alias that it moves: rules of either action hold."""
    return [push, replace(push, action="promote")]


def grant(law: Law, name: str, body: acts.Grant, when: datetime, by: Client) -> Request:
    """The request to grant rights on a namespace or a model."""
    asked = Request(who(law, name), "grant", body.target, when, by)
    return replace(asked, grantee=body.grantee, actions=frozenset(body.actions))
