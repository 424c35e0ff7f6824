"""A signed manifest: the OpenSSF Model Signing v1.0 bundle of the key method.

The file is a Sigstore bundle v0.3 (sigstore_bundle.proto) in JSON around a DSSE envelope. It names the key
by a hint, the hexadecimal SHA-256 of the PEM public key. Signatures over the pre-authentication encoding
of model-signing 0.2, which escaped the payload, are not accepted.
"""

from __future__ import annotations

import hashlib

from registry import strictjson
from registry.crypto import dsse
from registry.crypto.keys import SigningKey, VerifyingKey
from registry.errors import BadSignature, Malformed
from registry.manifest import Manifest

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MAX_BUNDLE = 32 << 20  # bytes


def sign(manifest: Manifest, key: SigningKey) -> bytes:
    """The bundle, in RFC 8785 JSON; so is the statement inside."""
    payload = strictjson.canonical(manifest.to_statement())
    return _bundle(payload, key)


def verify(data: bytes, key: VerifyingKey) -> Manifest:
    """The manifest that ``key`` signed.

    Raises Malformed (not such a bundle), BadSignature (another key, or changed), BadDigest (the list of
    files is not that of the root digest).
    """
    obj = strictjson.parse_object(data, limit=MAX_BUNDLE, what="the bundle")
    strictjson.only(obj, ("mediaType", "verificationMaterial", "dsseEnvelope"))
    media_type = strictjson.text(obj, "mediaType")
    if media_type != MEDIA_TYPE:
        raise Malformed("the bundle is of another media type", on=repr(media_type[:100]))
    _check_hint(strictjson.nested(obj, "verificationMaterial"), key)
    envelope = dsse.Envelope.from_dict(strictjson.nested(obj, "dsseEnvelope"))
    if len(envelope.signatures) != 1:  # sigstore_bundle.proto, dsse_envelope
        raise Malformed("the bundle has more than one signature", on=f"{len(envelope.signatures)} of them")
    payload = dsse.verify(envelope, key)
    statement = strictjson.parse_object(payload, limit=MAX_BUNDLE, what="the signed statement")
    return Manifest.from_statement(statement)


def hint_of(key: VerifyingKey) -> str:
    """How a bundle names ``key``."""
    return hashlib.sha256(key.pem).hexdigest()


def _bundle(payload: bytes, key: SigningKey) -> bytes:
    signed = dsse.sign(payload, key)
    signature = dsse.Signature("", signed.signatures[0].sig)  # the hint names the key, as model-signing does
    envelope = dsse.Envelope(signed.payload_type, signed.payload, (signature,))
    material = {"publicKey": {"hint": hint_of(key.verifying)}, "tlogEntries": []}
    return strictjson.canonical(
        {"mediaType": MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope.to_dict()}
    )


def _check_hint(material: strictjson.Object, key: VerifyingKey) -> None:
    """The hint saves a puzzling BadSignature; it may be absent, and nothing rests on it."""
    if "publicKey" not in material:
        raise Malformed(
            "the bundle is not signed by a key",
            on=", ".join(sorted(material)[:5]),
            hint="sign with model-signing's key method",
        )
    strictjson.only(material, ("publicKey",), ("tlogEntries", "timestampVerificationData"))
    public = strictjson.nested(material, "publicKey")
    if public.get("hint") and strictjson.text(public, "hint") != hint_of(key):
        raise BadSignature("the bundle names another key", on=f"not {key.keyid}")
