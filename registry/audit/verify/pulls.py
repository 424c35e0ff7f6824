"""Pulls read by the hundred: nine of ten acts of a registry in use are pulls, and much alike.

They are decoded together, and written again together: only where that gives the same bytes is anything taken
from them, and every value is held to the bounds it has in ``registry.acts``. Whatever is not as this program
writes it, in plain ASCII, is left to ``reading``. So here, too, nothing is accepted that is refused there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from registry import acts
from registry.crypto import dsse

_KEPT: Final = 20_000  # bodies that are known to be in bounds
_LONGEST: Final = 8 << 10  # bytes of an envelope that is read here
_NONCES: Final = re.compile(r"(?:[0-9a-f]{32} )*")
_TIMES: Final = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z )*")
_TYPE: Final = f"{acts.PREDICATE_BASE}{acts.Pull.kind}/v1"
# Pieces that begin so begin an element of the list that they are joined to: nothing else can, within one.
_ENVELOPE, _STATEMENT = b'{"payload":"', b'{"_type":"'


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Fields stand in the order of RFC 8785."""


class _Signature(_Plain, gc=False):
    keyid: str
    sig: bytes


class Envelope(_Plain, gc=False):
    """An envelope with one signature."""

    payload: bytes
    payload_type: str = msgspec.field(name="payloadType")
    signatures: tuple[_Signature]


class _Digest(_Plain, gc=False):
    sha256: str


class _Subject(_Plain, gc=False):
    digest: _Digest
    name: str


class _Client(_Plain, gc=False):
    host: str
    program: str


class _Body(_Plain, gc=False):
    digest: str
    model: str
    number: int
    purpose: str


class Predicate(_Plain, gc=False):
    """What a pull says."""

    actor: str
    body: _Body
    client: _Client
    law: str
    nonce: str
    registry: str
    time: str


class Statement(_Plain, gc=False):
    """The statement of a pull."""

    type_: str = msgspec.field(name="_type")
    predicate: Predicate
    predicate_type: str = msgspec.field(name="predicateType")
    subject: tuple[_Subject]


_envelopes: Final = msgspec.json.Decoder(list[Envelope]).decode
_statements: Final = msgspec.json.Decoder(list[Statement]).decode
_encode: Final = msgspec.json.Encoder().encode
_as_pull: Final = msgspec.json.Decoder(acts.Pull).decode
_as_client: Final = msgspec.json.Decoder(acts.Client).decode
Pull = tuple[Envelope, Statement]


class Pulls:
    """Reads pulls; remembers what was found to be in bounds."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, int, str, str], str] = {}
        self._clients: set[tuple[str, str]] = set()

    def read(self, envelopes: Sequence[bytes]) -> list[Pull] | None:
        """All of these entries, which should be pulls; None where one of them is not, or is odd."""
        if not all(type(one) is bytes and len(one) <= _LONGEST for one in envelopes):
            return None
        opened: list[Envelope] | None = _decoded(envelopes, _ENVELOPE, _envelopes)
        if opened is None or not all(map(_signed, opened)):
            return None
        payloads = [one.payload for one in opened]
        said: list[Statement] | None = _decoded(payloads, _STATEMENT, _statements)
        if said is None or not all(map(self._bounded, said)):
            return None
        nonces = "".join([f"{one.predicate.nonce} " for one in said])
        times = "".join([f"{one.predicate.time} " for one in said])
        return (
            list(zip(opened, said, strict=True))
            if _NONCES.fullmatch(nonces) and _TIMES.fullmatch(times)
            else None
        )

    def _bounded(self, said: Statement) -> bool:
        """Whether body and client are in bounds, and the rest is what follows from the body.

        The actor, the registry and the law are compared with what they have to be by whoever judges the act.
        """
        body, client, (subject,) = said.predicate.body, said.predicate.client, said.subject
        name = self._bodies.get((body.model, body.number, body.digest, body.purpose))
        if name is None:
            name = self._learn(body)
        if (client.program, client.host) not in self._clients:
            self._meet(client)
        return (
            said.predicate_type == _TYPE
            and said.type_ == acts.STATEMENT_TYPE
            and subject.name == name
            and subject.digest.sha256 == body.digest
            and (client.program, client.host) in self._clients
        )

    def _learn(self, body: _Body) -> str | None:
        try:
            _as_pull(_encode(body))
        except msgspec.ValidationError:
            return None
        if len(self._bodies) >= _KEPT:
            self._bodies.clear()
        name = f"{body.model}:{body.number}"
        self._bodies[body.model, body.number, body.digest, body.purpose] = name
        return name

    def _meet(self, client: _Client) -> None:
        try:
            _as_client(_encode(client))
        except msgspec.ValidationError:
            return
        if len(self._clients) >= _KEPT:
            self._clients.clear()
        self._clients.add((client.program, client.host))


def _signed(envelope: Envelope) -> bool:
    (signature,) = envelope.signatures
    return envelope.payload_type == dsse.PAYLOAD_TYPE and len(signature.sig) <= dsse.MAX_SIGNATURE


def _decoded(pieces: Sequence[bytes], begin: bytes, decode: Callable[[bytes], list[Any]]) -> list[Any] | None:
    """The values of JSON texts that are, each of them, the one canonical form of its value."""
    joined = b"[%b]" % b",".join(pieces)
    if not joined.isascii() or b"\\" in joined or b"\x7f" in joined:
        return None
    try:
        values = decode(joined)
    except msgspec.DecodeError:
        return None
    begun = all(one.startswith(begin) for one in pieces)
    return values if begun and len(values) == len(pieces) and _encode(values) == joined else None
