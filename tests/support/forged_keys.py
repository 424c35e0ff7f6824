"""Honest acts with other sealed keys beside them than those that they name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from msgspec.structs import replace

from registry import acts, errors
from registry.crypto import dsse
from registry.records import sealed
from support.forger import Brought, forgery
from support.handing import fresh
from support.publisher import Publisher


def _beside(alice: Publisher, envelope: dsse.Envelope, change: Mapping[str, bytes | None]) -> Brought:
    """The envelope, its keys with some replaced, added or (None) left out."""
    keys = {**alice.beside(envelope), **change}
    return Brought(envelope, {digest: key for digest, key in keys.items() if key is not None})


def _named(alice: Publisher, envelope: dsse.Envelope) -> str:
    return next(iter(alice.beside(envelope)))


def _entry(data: bytes) -> dict[str, bytes]:
    return {hashlib.sha256(data).hexdigest(): data}


@forgery(errors.InvalidInput, "not those that the act names")
def a_push_without_its_sealed_keys(alice: Publisher) -> Brought:
    return Brought(alice.sign(alice.push()), {})


@forgery(errors.InvalidInput, "not those that the act names")
def a_push_with_one_sealed_key_missing(alice: Publisher) -> Brought:
    envelope = alice.sign(alice.push({"a.onnx": b"four", "b.onnx": b"five"}))
    return _beside(alice, envelope, {_named(alice, envelope): None})


@forgery(errors.InvalidInput, "not those that the act names")
def a_push_with_a_sealed_key_that_it_does_not_name(alice: Publisher) -> Brought:
    return _beside(alice, alice.sign(alice.push()), _entry(b"a stowaway"))


@forgery(errors.InvalidInput, "not what its digest says")
def a_push_with_other_bytes_under_a_keys_digest(alice: Publisher) -> Brought:
    envelope = alice.sign(alice.push())
    return _beside(alice, envelope, {_named(alice, envelope): b"something else"})


@forgery(errors.InvalidInput, "not what its digest says")
def a_push_whose_key_is_too_large(alice: Publisher) -> Brought:
    data = b"k" * (sealed.LIMIT + 1)
    body = alice.push()
    key = replace(body.blobs[0].key, sha256=hashlib.sha256(data).hexdigest())
    named = replace(body, blobs=(replace(body.blobs[0], key=key),))
    return Brought(alice.sign(named), _entry(data))


@forgery(errors.InvalidInput, "not those that the act names")
def a_push_that_names_one_key_twice(alice: Publisher) -> Brought:
    body = alice.push({"a.onnx": b"four", "b.onnx": b"five"})
    first, second = body.blobs
    envelope = alice.sign(replace(body, blobs=(first, replace(second, key=first.key))))
    return Brought(envelope, alice.beside(envelope))


@forgery(errors.Conflict, "there already")
def a_push_that_names_a_key_which_is_another_blobs(alice: Publisher) -> Brought:
    """Two acts on one row: a rotation of the one would destroy the key of the other."""
    taken = alice.blobs_of("audio/vad")[0].key
    body = alice.push()
    envelope = alice.sign(replace(body, blobs=(replace(body.blobs[0], key=taken),)))
    return Brought(envelope, alice.beside(envelope))


@forgery(errors.InvalidInput, "not those that the act names")
def a_pull_with_a_sealed_key_beside_it(alice: Publisher) -> Brought:
    return Brought(alice.sign(alice.about(acts.Pull, 1, purpose="run")), _entry(b"a stowaway"))


@forgery(errors.InvalidInput, "not those that the act names")
def a_policy_with_a_sealed_key_beside_it(alice: Publisher) -> Brought:
    return Brought(alice.sign(acts.Policy("")), _entry(b"a stowaway"))


@forgery(errors.InvalidInput, "not those that the act names")
def a_grant_without_its_sealed_key(alice: Publisher) -> Brought:
    return Brought(alice.sign(alice.whole(acts.Grant("carol", ("pull",), "vision/net"))), {})


@forgery(errors.InvalidInput, "not those that the act names")
def a_creation_without_its_sealed_keys(alice: Publisher) -> Brought:
    return Brought(alice.sign(alice.whole(acts.Create(fresh("vision/")))), {})


@forgery(errors.InvalidInput, "not those that the act names")
def a_revocation_with_one_blobs_key_missing(alice: Publisher) -> Brought:
    """The blob would be lost to everybody, and the old key destroyed."""
    body = alice.whole(acts.Revoke("bob", ("pull",), "vision/net"))
    return _beside(alice, alice.sign(body), {body.custody.blobs[0].blob.key.sha256: None})


@forgery(errors.Conflict, "there already")
def a_share_that_names_a_key_which_is_anothers(alice: Publisher) -> Brought:
    body = alice.whole(acts.Grant("carol", ("pull",), "vision/net"))
    taken = alice.law().state.vaults["vision/net"].shares["bob"].sealed
    (handed,) = body.custody.shares
    other = replace(handed, share=replace(handed.share, sealed=taken))
    envelope = alice.sign(replace(body, custody=acts.Custody(shares=(other,))))
    return Brought(envelope, alice.beside(envelope))
