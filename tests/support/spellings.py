"""Entries as this program writes them, and the same in other spellings."""

from __future__ import annotations

import json

from registry import acts
from registry.acts import Act
from registry.crypto import dsse
from registry.crypto.identity import Identity
from registry.errors import Malformed

ALICE = Identity.generate("alice").signing
CLIENT = acts.Client("hallmark/1.0", "gpu-7.example.org")
HEADER = acts.Header("ab" * 32, ALICE.keyid, "2026-05-06T07:08:09.123456Z", "12" * 16, "cd" * 32, CLIENT)
BODIES: tuple[acts.Body, ...] = (
    acts.Pull("vision/net", 3, "ef" * 32, "serving"),
    acts.Alias("vision/net", 3, "ef" * 32, "prod"),
    acts.Yank("vision/net", 3, "ef" * 32, 'the labels, "client": wrong'),
    acts.Yank("vision/net", 3, "ef" * 32, "größer"),
    acts.Failure("vision/net", 3, "ef" * 32, "run", 10, "bad-digest"),
    acts.Refusal(member="bob", count=1, since=HEADER.time, code="not-permitted", attempt="pull"),
    acts.Team("ml"),
)
PAYLOADS = [acts.encode(HEADER, body) for body in BODIES]


def wrapped(payload: bytes, *keyids: str, kind: str = dsse.PAYLOAD_TYPE) -> bytes:
    signed = tuple(dsse.Signature(keyid, b"signature") for keyid in keyids or (ALICE.keyid,))
    return dsse.Envelope(kind, payload, signed).to_bytes()


ENVELOPES = [wrapped(payload) for payload in PAYLOADS]


def long_way(data: bytes) -> tuple[Act, dsse.Envelope] | None:
    try:
        envelope = dsse.Envelope.from_bytes(data)
        return acts.decode(envelope.payload), envelope
    except Malformed:
        return None


_pull = PAYLOADS[0]
RESPELLED = {
    "two-signatures": wrapped(_pull, ALICE.keyid, "another"),
    "a-key-id-of-signs": wrapped(_pull, 'a"b'),
    "no-key-id": wrapped(_pull, ""),
    "another-type": wrapped(_pull, kind="text/plain"),
    "spaces": json.dumps(json.loads(ENVELOPES[0])).encode(),
    "a-name-twice": ENVELOPES[0].replace(b'"payloadType"', b'"payloadType":"x","payloadType"'),
    "an-escape": ENVELOPES[0].replace(b"payloadType", b"payloadTyp\\u0065"),
    "unknown": ENVELOPES[0][:-1] + b',"x":1}',
    "loose-bits": ENVELOPES[0].replace(b'c2lnbmF0dXJl"', b'c2lnbmF0dXI="').replace(b"XI=", b"XJ="),
    "not-json": b"\xff",
    "nothing": b"",
    "deep": b"[" * 5000,
    "body-before-actor": wrapped(json.dumps(json.loads(_pull), separators=(",", ":")).encode()),
    "a-space-in-the-body": wrapped(_pull.replace(b'"number":3', b'"number": 3')),
    "an-escape-in-the-body": wrapped(_pull.replace(b"serving", b"servin\\u0067")),
    "a-number-as-a-float": wrapped(_pull.replace(b'"number":3', b'"number":3.0')),
    "another-subject": wrapped(_pull.replace(b"net:3", b"net:4")),
    "another-digest-in-the-subject": wrapped(_pull.replace(b'sha256":"ef', b'sha256":"ee')),
    "another-kind": wrapped(_pull.replace(b"pull/v1", b"alias/v1")),
    "an-unknown-kind": wrapped(_pull.replace(b"pull/v1", b"push-/v1")),
    "more-after-the-end": wrapped(_pull + b" "),
    "an-upper-case-digest": wrapped(_pull.replace(b'law":"cd', b'law":"CD')),
    "a-body-within-the-client": wrapped(_pull.replace(b'"host":"', b'"host":"x,\\"client\\":')),
    "a-client-within-the-purpose": wrapped(_pull.replace(b"serving", b',"client":{')),
    "no-law": wrapped(
        acts.encode(acts.Header("", ALICE.keyid, HEADER.time, HEADER.nonce, "", CLIENT), BODIES[0])
    ),
}
