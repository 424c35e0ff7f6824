"""The public identity file: what a member gives to be enrolled, signed by its own key.

One line of JSON: a DSSE envelope with one signature, around an in-toto Statement v1 in RFC 8785 form::

    subject       = the member's name, and as sha256 the fingerprint of the public identity
    predicateType = https://hallmark-registry/identity/v1
    predicate     = PublicIdentity.to_dict()

What it proves: whoever made the file held the signing key and wanted this name and these keys together. What
it only states, as RFC 9883 does for certificates: that the maker holds the sealing key as well. A KEM key
cannot sign, and a challenge would need a second message. Nothing is lost by that: HPKE's ``info`` binds
whatever is sealed to a member to the id of that member's signing key. So who registers another's sealing key
as its own opens nothing, neither what is sealed to the other nor what is sealed to itself; it has only named
one more who may read what it is granted, as a member can by passing it on.

What it cannot prove: that the name is this person's, or that the file is fresh. It holds no registry and no
time, and whoever has a copy can show it. That the fingerprint is the person's own is for the admin who
enrolls it to ask.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from registry import acts, strictjson
from registry.crypto import dsse
from registry.crypto.identity import Identity, PublicIdentity
from registry.crypto.keys import VerifyingKey
from registry.errors import BadSignature, InvalidIdentity, Malformed

PREDICATE_TYPE: Final = acts.PREDICATE_BASE + "identity/v1"
LIMIT = 16 << 10  # bytes of one file

# How every DER SubjectPublicKeyInfo on P-256 begins, up to the coordinates (RFC 5480 section 2).
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def prove(identity: Identity) -> bytes:
    """The file of ``identity``, without its newline. Raises InvalidIdentity for a key not on P-256."""
    public = identity.public
    if not _is_p256(public.signing):
        raise InvalidIdentity(
            "members sign with keys on P-256", on=identity.name, hint="make an identity with a new key"
        )
    return dsse.sign(_statement(public), identity.signing).to_bytes()


@lru_cache(maxsize=1024)  # the law asks again and again for the same members
def verify(data: bytes) -> PublicIdentity:
    """The identity that its own signing key signed; a newline at the end may be there.

    Every accepted file is, but for the signature itself, the one that ``prove`` writes for this identity.
    Raises Malformed (anything else) or BadSignature (changed, or signed by another key).
    """
    written = data.removesuffix(b"\n")
    envelope = dsse.Envelope.from_bytes(written, limit=LIMIT)
    if envelope.to_bytes() != written:
        raise Malformed("the public identity is not in canonical form (RFC 8785)")
    public = _public(envelope.payload)
    _check_signer(envelope, public.signing)
    dsse.verify(envelope, public.signing)
    return public


def _statement(public: PublicIdentity) -> bytes:
    return strictjson.canonical(
        {
            "_type": acts.STATEMENT_TYPE,
            "subject": [{"name": public.name, "digest": {"sha256": public.fingerprint}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": public.to_dict(),
        }
    )


def _public(payload: bytes) -> PublicIdentity:
    statement = strictjson.parse_object(payload, limit=LIMIT, what="the signed statement")
    kind = strictjson.text(statement, "predicateType")
    if kind != PREDICATE_TYPE:
        raise Malformed("the statement is not a public identity", on=repr(kind[:100]))
    public = PublicIdentity.from_dict(strictjson.nested(statement, "predicate"))
    if not _is_p256(public.signing):
        raise Malformed("the signing key is not on P-256", on=public.name)
    # One identity, one byte string: no unknown field, no second spelling, no subject at odds with the keys.
    if _statement(public) != payload:
        raise Malformed("the statement is not the one that these keys make", on=public.name)
    return public


def _check_signer(envelope: dsse.Envelope, key: VerifyingKey) -> None:
    """Stricter than ``dsse.verify``, which tries several signatures, and those that name no key."""
    if len(envelope.signatures) != 1:
        raise Malformed(
            "a public identity has one signature, its own", on=f"{len(envelope.signatures)} signatures"
        )
    if envelope.signatures[0].keyid != key.keyid:
        raise BadSignature("the public identity names another key as its signer", on=f"not {key.keyid}")


def _is_p256(key: VerifyingKey) -> bool:
    return key.spki.startswith(_P256)
