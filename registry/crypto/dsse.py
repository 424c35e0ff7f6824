"""Signed statements: DSSE v1.0 envelopes (github.com/secure-systems-lab/dsse, protocol.md, envelope.md).

A signature covers the payload's exact bytes and its type, so the bytes are kept as they came and never
serialised again. Narrower than envelope.md on purpose: unknown fields and URL-safe base64 are refused,
since nothing that this registry stores needs two spellings of one envelope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from registry import strictjson
from registry.errors import BadSignature, Malformed

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_ENVELOPE = 32 << 20  # bytes
MAX_PAYLOAD = 23 << 20  # bytes: what fits into an envelope, in base64, beside its signatures
MAX_SIGNATURES = 16
MAX_SIGNATURE = 4096  # bytes; ECDSA over P-521 needs 139


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed (protocol.md, PAE). Both lengths count bytes, not characters."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True)
class Signature:
    """One signature. ``keyid`` may be empty; it only says which key to try, never whom to trust."""

    keyid: str
    sig: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload and the signatures over it. Holding one proves nothing: see ``verify``."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def to_dict(self) -> dict[str, object]:
        """The JSON form of envelope.md."""
        return {
            "payload": strictjson.to_b64(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": s.keyid, "sig": strictjson.to_b64(s.sig)} for s in self.signatures],
        }

    def to_bytes(self) -> bytes:
        """``to_dict`` in RFC 8785 JSON."""
        return strictjson.canonical(self.to_dict())

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> Envelope:
        """Read the JSON form. Raises Malformed."""
        obj = dict(value)
        strictjson.only(obj, ("payload", "payloadType", "signatures"))
        signatures = strictjson.objects(obj, "signatures")
        if not 1 <= len(signatures) <= MAX_SIGNATURES:
            raise Malformed("the envelope has no signature, or too many", on=f"{len(signatures)} of them")
        return cls(
            payload_type=strictjson.text(obj, "payloadType"),
            payload=strictjson.b64(obj, "payload"),
            signatures=tuple(map(_signature, signatures)),
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, limit: int = MAX_ENVELOPE) -> Envelope:
        """Read an envelope of at most ``limit`` bytes. Raises Malformed."""
        return cls.from_dict(strictjson.parse_object(data, limit=limit, what="the envelope"))


class Signer(Protocol):
    """A private key that an envelope names by its id."""

    @property
    def keyid(self) -> str: ...

    def sign(self, data: bytes) -> bytes: ...


class Verifier(Protocol):
    """A public key. ``verify`` raises Untrusted."""

    @property
    def keyid(self) -> str: ...

    def verify(self, sig: bytes, data: bytes, /) -> None: ...


def sign(payload: bytes, key: Signer, payload_type: str = PAYLOAD_TYPE) -> Envelope:
    """An envelope with one signature, named by the key's id."""
    signature = Signature(key.keyid, key.sign(pae(payload_type, payload)))
    return Envelope(payload_type, payload, (signature,))


def verify(envelope: Envelope, key: Verifier, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The payload, once one signature over it verifies under ``key``.

    Tried are the signatures that carry the key's id, and those without any (model-signing writes none).
    Raises BadSignature; Malformed where the envelope is of another ``payload_type``.
    """
    if envelope.payload_type != payload_type:
        raise Malformed("the envelope holds another type of payload", on=repr(envelope.payload_type[:100]))
    candidates = [s.sig for s in envelope.signatures if s.keyid in ("", key.keyid)]
    if not candidates:
        raise BadSignature("no signature is by the expected key", on=f"key {key.keyid}")
    signed = pae(envelope.payload_type, envelope.payload)
    for sig in candidates[:-1]:
        try:
            key.verify(sig, signed)
        except BadSignature:
            continue
        return envelope.payload
    key.verify(candidates[-1], signed)
    return envelope.payload


def verify_only(envelope: Envelope, key: Verifier) -> bytes:
    """As ``verify``, for an envelope that has to carry this key's signature, by name, and no other.

    Raises BadSignature: a second name on a statement would be taken for a second signer.
    """
    if [one.keyid for one in envelope.signatures] != [key.keyid]:
        raise BadSignature(
            "the envelope carries other signatures than its one signer's", on=f"key {key.keyid}"
        )
    return verify(envelope, key)


def _signature(obj: strictjson.Object) -> Signature:
    strictjson.only(obj, ("sig",), ("keyid",))
    sig = strictjson.b64(obj, "sig")
    if len(sig) > MAX_SIGNATURE:
        raise Malformed("a signature is too long", on=f"{len(sig)} bytes, {MAX_SIGNATURE} allowed")
    return Signature(strictjson.text(obj, "keyid") if "keyid" in obj else "", sig)
