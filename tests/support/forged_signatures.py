"""Acts that are not what their signature says, or come at the wrong time or place."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import rfc8785

from registry import acts, errors
from registry.crypto import dsse
from registry.crypto.identity import Identity
from support.forger import forgery, resigned, reworded
from support.publisher import Publisher


@forgery(errors.BadAuthority, "not a member")
def an_act_by_a_stranger(alice: Publisher) -> dsse.Envelope:
    eve = Identity.generate("eve")
    return alice.sign(alice.push(signer=eve), eve, actor=eve.signing.verifying.keyid)


@forgery(errors.BadAuthority, "not a member")
def a_stranger_with_the_admins_name(alice: Publisher) -> dsse.Envelope:
    eve = Identity.generate(alice.identity.name)
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), eve, actor=eve.signing.verifying.keyid)


@forgery(errors.BadSignature, "expected key")
def an_act_signed_by_another_key_than_its_actors(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), Identity.generate("eve"))


@forgery(errors.BadSignature, "")
def a_strangers_signature_under_the_admins_key_id(alice: Publisher) -> dsse.Envelope:
    signed = alice.sign(alice.push(), Identity.generate("eve"))
    return resigned(signed, keyid=alice.keyid)


@forgery(errors.BadSignature, "expected key")
def an_honest_signature_under_a_wrong_key_id(alice: Publisher) -> dsse.Envelope:
    return resigned(alice.sign(alice.push()), keyid="0" * 64)


@forgery(errors.BadSignature, "")
def a_signature_with_one_bit_flipped(alice: Publisher) -> dsse.Envelope:
    signed = alice.sign(alice.push())
    sig = bytearray(signed.signatures[0].sig)
    sig[-1] ^= 1
    return resigned(signed, sig=bytes(sig))


@forgery(errors.BadSignature, "")
def the_signature_of_another_act(alice: Publisher) -> dsse.Envelope:
    signed, other = alice.sign(alice.push()), alice.sign(alice.push())
    return dsse.Envelope(signed.payload_type, signed.payload, other.signatures)


@forgery(errors.Malformed, "another type of payload")
def another_payload_type(alice: Publisher) -> dsse.Envelope:
    return dsse.sign(alice.sign(alice.push()).payload, alice.identity.signing, "text/plain")


@forgery(errors.BadSignature, "")
def a_changed_predicate(alice: Publisher) -> dsse.Envelope:
    signed = alice.sign(alice.about(acts.Alias, 1, name="beta"))
    return reworded(signed, lambda said: said["predicate"]["body"].update(name="prod"))


@forgery(errors.BadSignature, "")
def a_changed_time(alice: Publisher) -> dsse.Envelope:
    later = acts.timestamp(alice.now + timedelta(seconds=1))
    return reworded(alice.sign(alice.push()), lambda said: said["predicate"].update(time=later))


@forgery(errors.Malformed, "")
def a_payload_with_a_byte_too_many(alice: Publisher) -> dsse.Envelope:
    payload = alice.sign(alice.push()).payload + b" "
    return dsse.sign(payload, alice.identity.signing)


@forgery(errors.Malformed, "unknown kind")
def an_act_of_an_unknown_kind(alice: Publisher) -> dsse.Envelope:
    statement = json.loads(alice.sign(alice.about(acts.Pull, 1, purpose="run")).payload)
    statement["predicateType"] = "https://hallmark-registry/erase/v1"
    return dsse.sign(rfc8785.dumps(statement), alice.identity.signing)


@forgery(errors.WrongRegistry, "another registry")
def an_act_for_another_registry(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), **{"registry": "0" * 64})


@forgery(errors.WrongRegistry, "another registry")
def an_act_for_no_registry(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return dsse.sign(acts.encode(_header(alice, registry=""), body), alice.identity.signing)


@forgery(errors.Conflict, "genesis")
def a_second_genesis(alice: Publisher) -> dsse.Envelope:
    header = _header(alice, registry="")
    return dsse.sign(acts.encode(header, alice.genesis_body()), alice.identity.signing)


@forgery(errors.Conflict, "in the ledger already")
def a_replayed_act(alice: Publisher) -> dsse.Envelope:
    return dsse.Envelope.from_bytes(alice.envelopes()[-1])


@forgery(errors.Conflict, "in the ledger already")
def a_replayed_act_with_a_fresh_signature(alice: Publisher) -> dsse.Envelope:
    """ECDSA signs the same bytes differently each time: an act is named by its payload."""
    replayed = dsse.Envelope.from_bytes(alice.envelopes()[-1])
    return dsse.sign(replayed.payload, alice.identity.signing)


@forgery(errors.Denied, "too far")
def an_act_from_the_past(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), time=acts.timestamp(alice.now - timedelta(minutes=16)))


@forgery(errors.Denied, "too far")
def an_act_from_the_future(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), time=acts.timestamp(alice.now + timedelta(minutes=16)))


def _header(alice: Publisher, registry: str) -> acts.Header:
    return msgspec.structs.replace(alice.header(), registry=registry)
