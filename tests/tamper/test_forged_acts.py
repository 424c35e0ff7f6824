"""Attacks on who acts: pushes by strangers, for other registries, under a second genesis (step 4)."""

from __future__ import annotations

from msgspec.structs import replace

from registry import acts
from registry.checkout import checkout
from registry.context import Context
from registry.crypto import dsse, possession
from registry.crypto.identity import Identity
from support.attacks import (
    NEW,
    admit,
    crafted,
    envelopes,
    flipped,
    found,
    push_body,
    refused,
    signed,
)
from support.marked import MARKER
from support.victim import MODEL, Victim


def test_a_push_by_a_stranger_is_refused(victim: Victim, body: acts.Push) -> None:
    admit(victim, lambda context: signed(context, body, Identity.generate("mallory")))
    refused(victim, 4, "bad-authority", NEW)


def test_a_push_by_a_stranger_in_a_members_name_is_refused(victim: Victim, body: acts.Push) -> None:
    """The header names the publisher, the signature is another's."""
    with victim.open() as context:
        actor = context.keyid
    admit(victim, lambda context: signed(context, body, Identity.generate("mallory"), actor=actor))
    refused(victim, 4, "bad-signature", NEW)


def test_a_push_signed_for_another_registry_is_refused(victim: Victim, body: acts.Push) -> None:
    admit(victim, lambda context: signed(context, body, registry="0" * 64))
    refused(victim, 4, "wrong-registry", NEW)


def test_a_push_with_a_changed_signature_is_refused(victim: Victim, body: acts.Push) -> None:
    def forged(context: Context) -> bytes:
        parsed = dsse.Envelope.from_bytes(signed(context, body))
        changed = dsse.Signature(parsed.signatures[0].keyid, flipped(parsed.signatures[0].sig, -1))
        return dsse.Envelope(parsed.payload_type, parsed.payload, (changed,)).to_bytes()

    seq = admit(victim, forged)
    refused(victim, 4, "bad-signature", NEW)
    assert "bad-signature" in found(victim, f"entry {seq}")


def test_a_second_genesis_act_is_refused(victim: Victim) -> None:
    """Admitted as the newest entry, it names its author an admin; the pin speaks of entry 0."""
    mallory = Identity.generate("mallory")
    first = acts.decode(dsse.Envelope.from_bytes(envelopes(victim)[0]).payload).body
    assert isinstance(first, acts.Genesis)
    genesis = replace(first, name="mallory", admin=possession.prove(mallory), custody=acts.Custody())
    with victim.open() as context:
        forged = signed(context, crafted(push_body(victim), 4), mallory)
    admit(victim, lambda context: signed(context, genesis, mallory, registry="", law=""))
    refused(victim, 4, "bad-authority")
    admit(victim, lambda context: forged)
    refused(victim, 4, "bad-authority", NEW)


def test_a_digest_asked_for_is_held_against_the_version(victim: Victim) -> None:
    digest = push_body(victim).digest
    victim.passes(f"{MODEL}:2@sha256:{digest}")
    refused(victim, 5, "bad-reference", f"{MODEL}:1@sha256:{digest}")


def test_the_marker_is_in_every_plaintext(victim: Victim, body: acts.Push) -> None:
    with victim.open() as context:
        model = checkout(context, f"{MODEL}:2")
    assert all(MARKER in bytes(view) for view in model.files.values())
