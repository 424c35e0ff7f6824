"""A replayed law as bytes, and back: what a client may remember, so as not to replay it again.

The bytes prove nothing. Who reads them has to know that they wrote them (see ``registry.law_memory``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from registry import acts
from registry.crypto.identity import PublicIdentity
from registry.crypto.keys import VerifyingKey
from registry.crypto.sealing import SealingPublicKey
from registry.errors import Malformed
from registry.law.law import Law
from registry.law.state import Member, State, Term, VaultState
from registry.law.timeline import Timeline

_FORM = 1  # of these bytes; another is not read
_Change = tuple[int, Any]  # position, and the value from there on; None for none
T = TypeVar("T")


class Key(msgspec.Struct, array_like=True, frozen=True, dict=True):
    """A member's public keys, parsed when somebody asks for them: of a thousand members few act."""

    name: str
    signing: bytes
    suite: str
    sealing: bytes

    @property
    def keyid(self) -> str:
        """As of the parsed key: the SHA-256 of its DER SubjectPublicKeyInfo."""
        return hashlib.sha256(self.signing).hexdigest()

    @cached_property
    def identity(self) -> PublicIdentity:
        """The keys themselves. Raises Malformed."""
        sealing = SealingPublicKey.from_bytes(self.suite, self.sealing)
        return PublicIdentity(self.name, VerifyingKey.from_spki(self.signing), sealing)


class _Keys(Timeline[PublicIdentity]):
    """The keys of a member, each a ``Key`` until it is asked for."""

    def at(self, position: int | None = None) -> PublicIdentity | None:
        return _parsed(super().at(position))

    def changes(self) -> list[tuple[int, PublicIdentity | None]]:
        return [(position, _parsed(value)) for position, value in super().changes()]


def _parsed(value: Any) -> PublicIdentity | None:
    return value.identity if isinstance(value, Key) else value


class _Vault(msgspec.Struct, array_like=True):
    name: str
    epoch: int
    suite: str
    public: bytes
    shares: list[acts.Share]


class _Kept(msgspec.Struct, array_like=True):
    form: int
    registry: str
    position: int
    marks: list[tuple[str, int]]
    members: list[tuple[str, str, list[tuple[int, Key | None]]]]
    teams: dict[str, dict[str, list[tuple[int, bool | None]]]]
    grants: dict[str, dict[str, dict[str, list[tuple[int, list[str | None] | None]]]]]
    vaults: list[_Vault]
    policies: list[tuple[int, str | None]]


def pack(law: Law) -> bytes:
    """The law as msgpack."""
    state = law.state
    kept = _Kept(
        form=_FORM,
        registry=law.registry_id,
        position=state.position,
        marks=list(law.marks()),
        members=[(one.name, one.role, _keys(one)) for one in state.members.values()],
        teams={team: _there(people) for team, people in state.teams.items()},
        grants={place: _packed(held) for place, held in state.grants.items()},
        vaults=[_vault(one) for one in state.vaults.values()],
        policies=state.policies.changes(),
    )
    return msgspec.msgpack.encode(kept)


def unpack(data: bytes, law: Law) -> None:
    """Take ``law``, which has just begun, to where the packed one was. Raises Malformed, and leaves it."""
    try:
        kept = msgspec.msgpack.decode(data, type=_Kept)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"a remembered law does not parse: {error}") from error
    if (kept.form, kept.registry) != (_FORM, law.registry_id) or len(kept.marks) != kept.position:
        raise Malformed("a remembered law is of another registry or another form")
    law.resume(_state(kept), kept.marks)


def _keys(member: Member) -> list[tuple[int, Key | None]]:
    return [(at, _key(value)) for at, value in Timeline.changes(member.keys)]


def _key(value: Any) -> Key | None:
    if value is None or isinstance(value, Key):
        return value
    return Key(value.name, value.signing.spki, value.sealing.suite, value.sealing.to_bytes())


def _there(people: dict[str, Timeline[bool]]) -> dict[str, list[tuple[int, bool | None]]]:
    return {name: there.changes() for name, there in people.items()}


def _vault(state: VaultState) -> _Vault:
    return _Vault(state.name, state.epoch, state.suite, state.public, list(state.shares.values()))


def _packed(held: dict[str, dict[str, Timeline[Term]]]) -> dict[str, dict[str, list[_Change]]]:
    return {
        grantee: {
            action: [(at, None if term is None else [term.until]) for at, term in terms.changes()]
            for action, terms in actions.items()
        }
        for grantee, actions in held.items()
    }


def _state(kept: _Kept) -> State:
    state = State()
    state.position = kept.position
    for name, role, keys in kept.members:
        state.members[name] = Member(name, role, _timeline(keys, _Keys()))
        state.keyids.update((key.keyid, name) for _, key in keys if key is not None)
    for team, people in kept.teams.items():
        state.teams[team] = {name: _timeline(there, Timeline()) for name, there in people.items()}
        for name in people:
            state.joined[name].add(team)
    _grants(state, kept)
    for vault in kept.vaults:
        state.begin(acts.Vault(vault.name, vault.epoch, vault.suite, vault.public, tuple(vault.shares)))
    _timeline(kept.policies, state.policies)
    return state


def _grants(state: State, kept: _Kept) -> None:
    for place, held in kept.grants.items():
        for grantee, actions in held.items():
            state.held[grantee].add(place)
            state.grants[place][grantee] = {
                action: _timeline(_terms(changes), Timeline()) for action, changes in actions.items()
            }


def _terms(changes: Iterable[_Change]) -> Iterator[tuple[int, Term | None]]:
    return ((at, None if said is None else Term(said[0])) for at, said in changes)


def _timeline(changes: Iterable[_Change], timeline: Timeline[T]) -> Timeline[T]:
    for position, value in changes:
        timeline.put(position, value)
    return timeline
