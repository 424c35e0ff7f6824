"""Acts that are not what their signature says, or come at the wrong time or place."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta

import msgspec
import rfc8785

from registry import acts, errors
from registry.crypto import dsse
from registry.crypto.identity import Identity
from support.forger import forgery, resigned, reworded
from support.publisher import Publisher


@forgery(errors.NotPermitted, "not a member")
def an_act_by_a_stranger(alice: Publisher) -> dsse.Envelope:
    eve = Identity.generate("eve")
    return alice.sign(alice.push(signer=eve), by=eve)


@forgery(errors.NotPermitted, "not a member")
def a_stranger_with_the_admins_name(alice: Publisher) -> dsse.Envelope:
    eve = Identity.generate(alice.identity.name)
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), by=eve)


@forgery(errors.BadSignature, "one signer")
def an_act_signed_by_another_key_than_its_actors(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), Identity.generate("eve"))


@forgery(errors.BadSignature, "")
def a_strangers_signature_under_the_admins_key_id(alice: Publisher) -> dsse.Envelope:
    signed = alice.sign(alice.push(), Identity.generate("eve"))
    return resigned(signed, keyid=alice.keyid)


@forgery(errors.BadSignature, "one signer")
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
    body = alice.custodian.copy().found(alice.identity, alice.key)  # its root key is none of alice's
    return dsse.sign(acts.encode(header, body), alice.identity.signing)


@forgery(errors.Conflict, "in the ledger already")
def a_replayed_act(alice: Publisher) -> dsse.Envelope:
    alice.admit(alice.about(acts.Pull, 1, purpose="run"))
    return dsse.Envelope.from_bytes(alice.envelopes()[-1])


@forgery(errors.Conflict, "in the ledger already")
def a_replayed_act_with_a_fresh_signature(alice: Publisher) -> dsse.Envelope:
    """ECDSA signs the same bytes differently each time: an act is named by its payload."""
    return dsse.sign(a_replayed_act(alice).payload, alice.identity.signing)


@forgery(errors.Outdated, "law has changed")
def a_replayed_act_of_the_law(alice: Publisher) -> dsse.Envelope:
    """It names the law before itself, so it fits nowhere but where it is."""
    alice.rotate("vision/net")
    return dsse.Envelope.from_bytes(alice.envelopes()[-1])


@forgery(errors.Outdated, "law has changed")
def an_act_signed_under_an_older_law(alice: Publisher) -> dsse.Envelope:
    signed = alice.sign(alice.about(acts.Pull, 1, purpose="run"))
    alice.rotate("audio/")
    return signed


@forgery(errors.Outdated, "law has changed")
def an_act_signed_under_a_law_that_never_was(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), law="0" * 64)


@forgery(errors.Outdated, "law has changed")
def an_act_signed_under_no_law(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), law="")


@forgery(errors.Disabled, "disabled")
def an_act_by_a_disabled_member(alice: Publisher) -> dsse.Envelope:
    mallory = _enrolled(alice)
    alice.disable(mallory.name)
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), by=mallory)


@forgery(errors.NotPermitted, "another key by now")
def an_act_by_a_key_that_its_owner_replaced(alice: Publisher) -> dsse.Envelope:
    old = _enrolled(alice)
    alice.replace(old.name, by=old)
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), by=old)


@forgery(errors.NotPermitted, "another key by now")
def an_act_by_a_key_that_an_admin_replaced(alice: Publisher) -> dsse.Envelope:
    lost = _enrolled(alice)
    alice.replace(lost.name)
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), by=lost)


@forgery(errors.BadSignature, "")
def an_act_signed_by_another_member_than_its_actor(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), _enrolled(alice))


@forgery(errors.Malformed, "only the door")
def a_refusal_signed_by_a_member(alice: Publisher) -> dsse.Envelope:
    return alice.sign(_refusal(alice))


@forgery(errors.NotPermitted, "not a member")
def a_refusal_signed_by_the_ledgers_key(alice: Publisher) -> dsse.Envelope:
    """The ledger's key belongs to the door; it acts for nobody."""
    header = alice.header(actor=alice.key.keyid)
    return dsse.sign(acts.encode(header, _refusal(alice)), alice.key)


@forgery(errors.NotPermitted, "not a member")
def an_act_signed_by_the_ledgers_key(alice: Publisher) -> dsse.Envelope:
    header = alice.header(actor=alice.key.keyid)
    return dsse.sign(acts.encode(header, alice.whole(acts.Rotate("ml"))), alice.key)


@forgery(errors.Denied, "too far")
def an_act_from_the_past(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), time=acts.timestamp(alice.now - timedelta(minutes=16)))


@forgery(errors.Denied, "too far")
def an_act_from_the_future(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), time=acts.timestamp(alice.now + timedelta(minutes=16)))


def _header(alice: Publisher, registry: str) -> acts.Header:
    return msgspec.structs.replace(alice.header(), registry=registry)


def _enrolled(alice: Publisher) -> Identity:
    """A member who may pull."""
    mallory = alice.enroll(f"mallory-{secrets.token_hex(4)}")
    alice.grant(mallory.name, ("pull",), "vision/")
    return mallory


def _refusal(alice: Publisher) -> acts.Refusal:
    return acts.Refusal(member="bob", count=1, since=acts.timestamp(alice.now), code="denied")
