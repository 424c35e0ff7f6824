"""Envelopes and acts of the ledger, read fast: what is written as this program writes it, at once.

Everything else goes the long way (``dsse.Envelope.from_bytes`` and ``acts.decode``), which alone refuses.
The short way accepts bytes only where they are what would be written for the value that was read from them;
so both accept the same bytes as the same acts, and there is one strictness.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple, TypeVar

import msgspec

from registry import acts
from registry.acts import Act
from registry.crypto import dsse
from registry.errors import Malformed

_REMEMBERED: Final = 20_000  # bodies and clients, for services ask for the same thing again and again
_KEPT: Final = 512  # bytes of a body that is remembered
K = TypeVar("K")
V = TypeVar("V")


class Entry(NamedTuple):
    """An act, and the one signature over it: None where the envelope has none, or several."""

    act: Act
    payload: bytes
    keyid: str | None
    signature: bytes


class _Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keyid: str
    sig: bytes


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payload: bytes
    payload_type: str = msgspec.field(name="payloadType")
    signatures: tuple[_Signature]


_decode: Final = msgspec.json.Decoder(_Envelope).decode
_encode: Final = msgspec.json.Encoder().encode
_BEGIN: Final = '{"_type":"https://in-toto.io/Statement/v1","predicate":{"actor":"'
_BODY: Final = '","body":'
_CLIENT: Final = ',"client":'
_TYPE: Final = '"},"predicateType":"https://hallmark-registry/'
_HEAD: Final = re.compile(
    r',"law":"([0-9a-f]{64})","nonce":"([0-9a-f]{32})","registry":"([0-9a-f]{64})",'
    r'"time":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)'
)
_HEADS: Final = len(',"law":"","nonce":"","registry":"","time":"') + 64 + 32 + 64 + 27
_ACTOR: Final = re.compile(r"[0-9a-f]{64}")
_FROM: Final = len(_BEGIN)
_TO: Final = _FROM + 64


class Reader:
    """Reads entries; remembers bodies that come again."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, str], acts.Body] = {}
        self._clients: dict[str, acts.Client] = {}

    def read(self, envelope: bytes) -> Entry:
        """The entry. Raises Malformed, as the long way does."""
        if len(envelope) <= dsse.MAX_ENVELOPE and (found := _opened(envelope)) is not None:
            payload = found.payload
            act = self._act(payload) or acts.decode(payload)
            return Entry(act, payload, found.signatures[0].keyid, found.signatures[0].sig)
        return _long(envelope)

    def _act(self, payload: bytes) -> Act | None:
        """The act of a deed in plain ASCII; None for whatever is written in another way.

        The pieces are each in canonical form and stand in canonical order, so the whole is.
        """
        if not payload.isascii():
            return None
        text = payload.decode("ascii")
        end = text.rfind(_TYPE)
        at = end - _HEADS
        head = _HEAD.fullmatch(text, at, end) if at > _TO else None
        split = text.rfind(_CLIENT, _TO, at)
        if head is None or split < 0 or not text.startswith(_BEGIN) or not text.startswith(_BODY, _TO):
            return None
        actor = text[_FROM:_TO]
        body = self._body(text[_TO + len(_BODY) : split], text[end + len(_TYPE) :])
        client = self._client(text[split + len(_CLIENT) : at])
        if body is None or client is None or not _ACTOR.fullmatch(actor):
            return None
        law, nonce, registry, time = head.groups()
        header = acts.Header(registry, actor, time, nonce, law, client)
        return Act(header, body, hashlib.sha256(payload).hexdigest())

    def _body(self, written: str, tail: str) -> acts.Body | None:
        known = self._bodies.get((written, tail))
        if known is None:
            known = _bodied(written, tail)
            if known is not None and len(written) <= _KEPT:
                _remember(self._bodies, (written, tail), known)
        return known

    def _client(self, written: str) -> acts.Client | None:
        known = self._clients.get(written)
        if known is None:
            known = _decoded(written, acts.Client)
            if known is not None:
                _remember(self._clients, written, known)
        return known


_KINDS: Final[dict[str, type[acts.Pull | acts.Alias | acts.Yank | acts.Failure]]] = {
    kind.kind: kind for kind in (acts.Pull, acts.Alias, acts.Yank, acts.Failure)
}
_sorted: Final = msgspec.json.Encoder(order="sorted").encode
B = TypeVar("B", bound=msgspec.Struct)


def _bodied(written: str, tail: str) -> acts.Body | None:
    """The body, where ``tail`` is how the statement ends for it."""
    kind = _KINDS.get(tail.partition("/")[0])
    body = _decoded(written, kind) if kind else None
    if body is None:
        return None
    version = f"{body.model}:{body.number}"
    end = f'{body.kind}/v1","subject":[{{"digest":{{"sha256":"{body.digest}"}},"name":"{version}"}}]}}'
    return body if end == tail else None


def _decoded(written: str, kind: type[B]) -> B | None:
    """The value of ``written``, where that is its canonical form: plain ASCII without escapes."""
    if "\\" in written:
        return None
    try:
        value = msgspec.json.decode(written, type=kind)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if _sorted(value) == written.encode() else None


def _opened(envelope: bytes) -> _Envelope | None:
    """The envelope, where it is written as this program writes it, with one signature."""
    try:
        found = _decode(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    (signed,) = found.signatures
    short = len(found.payload) <= dsse.MAX_PAYLOAD and len(signed.sig) <= dsse.MAX_SIGNATURE
    if found.payload_type != dsse.PAYLOAD_TYPE or not short:
        return None
    # a key id of letters and digits alone has no other spelling
    return found if signed.keyid.isalnum() and _encode(found) == envelope else None


def _long(envelope: bytes) -> Entry:
    parsed = dsse.Envelope.from_bytes(envelope)
    if len(parsed.payload) > dsse.MAX_PAYLOAD:
        raise Malformed("the act is too large", on=f"{len(parsed.payload)} bytes")
    act = acts.decode(parsed.payload)
    one = parsed.signatures[0] if len(parsed.signatures) == 1 else None
    if one is None or parsed.payload_type != dsse.PAYLOAD_TYPE:
        return Entry(act, parsed.payload, None, b"")
    return Entry(act, parsed.payload, one.keyid, one.sig)


def _remember(kept: dict[K, V], key: K, value: V) -> None:
    if len(kept) >= _REMEMBERED:
        kept.clear()
    kept[key] = value
