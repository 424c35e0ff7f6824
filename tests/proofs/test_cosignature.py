"""Cosignatures: against those of other implementations, the specification's own words, and forged ones."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.crypto import notes, pkcs8
from registry.crypto.checkpoint import LedgerKey, LedgerPublicKey, open_checkpoint
from registry.crypto.cosignature import ED25519, MLDSA44, WitnessKey, WitnessPublicKey, subtree
from registry.crypto.keys import SigningKey
from registry.crypto.submission import Submission
from registry.errors import BadCheckpoint, InvalidIdentity, Malformed

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "cosignatures.json").read_text()
)
PUBLIC, SUBTREE = VECTORS["public"], VECTORS["subtree"]
ROOT = hashlib.sha256(b"root").digest()
TEXT = f"example.com/log\n42\n{base64.b64encode(ROOT).decode()}\n"
NOW = 1_800_000_000
KEYS = {
    ED25519: WitnessKey("example.com/w1", Ed25519PrivateKey.from_private_bytes(bytes(range(32)))),
    MLDSA44: WitnessKey("example.com/w1", MLDSA44PrivateKey.from_seed_bytes(bytes(range(32)))),
}
KINDS = pytest.mark.parametrize("kind", KEYS)


# Theirs


@pytest.mark.parametrize("vkey", PUBLIC["witnesses"])
def test_public_witnesses_verify(vkey: str) -> None:
    witness, note = WitnessPublicKey.from_vkey(vkey), notes.parse(PUBLIC["note"], "test")
    (signature,) = note.of(witness.name, witness.key_id)
    assert witness.verify(signature, note.text) == PUBLIC["time"]
    assert witness.vkey == vkey
    with pytest.raises(BadCheckpoint, match="does not verify"):
        witness.verify(signature, note.text.replace("1432088532", "1432088533"))


def test_the_ledger_of_a_cosigned_checkpoint_verifies_too() -> None:
    name, _, key = notes.read_vkey(PUBLIC["log"])
    assert open_checkpoint(PUBLIC["note"], PUBLIC["origin"], LedgerPublicKey(key)).size == 1432088532
    assert name == PUBLIC["origin"]


def test_post_quantum_cosignature_of_another_implementation() -> None:
    witness, line = WitnessPublicKey.from_vkey(SUBTREE["vkey"]), notes.signature(SUBTREE["line"], "test")
    assert (line.name, line.key_id, line.value[:8]) == (witness.name, witness.key_id, bytes(8))
    root = base64.b64decode(SUBTREE["root"])
    said = subtree(witness.name, 0, SUBTREE["origin"], SUBTREE["start"], SUBTREE["end"], root)
    MLDSA44PublicKey.from_public_bytes(witness.raw).verify(line.value[8:], said)


@pytest.mark.parametrize("text", VECTORS["vkeys"]["refused"])
def test_vkeys_that_others_refuse(text: str) -> None:
    with pytest.raises(Malformed):
        WitnessPublicKey.from_vkey(text)


def test_the_key_of_a_ledger_is_no_witness() -> None:
    with pytest.raises(Malformed, match="not one of a witness"):
        WitnessPublicKey.from_vkey(VECTORS["vkeys"]["log"])


@pytest.mark.parametrize("place", ["name", "hash", "key"])
def test_a_vkey_is_refused_where_its_hash_does_not_fit(place: str) -> None:
    name, given, key = PUBLIC["witnesses"][0].split("+", 2)
    wrong = {
        "name": (name + "x", given, key),
        "hash": (name, "00000000", key),
        "key": (name, given, "B" + key),
    }
    with pytest.raises(Malformed):
        WitnessPublicKey.from_vkey("+".join(wrong[place]))


# Ours


def test_a_stranger_verifies_ours() -> None:
    key = KEYS[ED25519]
    signature = key.sign(TEXT, NOW)
    raw = key.public.raw
    expected = hashlib.sha256(b"example.com/w1\n\x04" + raw).digest()[:4]
    assert (signature.key_id, signature.value[:8]) == (expected, NOW.to_bytes(8, "big"))
    said = f"cosignature/v1\ntime {NOW}\n{TEXT}".encode()
    Ed25519PublicKey.from_public_bytes(raw).verify(signature.value[8:], said)


def test_a_stranger_verifies_our_post_quantum_one() -> None:
    key = KEYS[MLDSA44]
    signature, name = key.sign(TEXT, NOW), b"example.com/w1"
    assert signature.key_id == hashlib.sha256(name + b"\n\x06" + key.public.raw).digest()[:4]
    said = b"subtree/v1\n\0" + bytes([14]) + name + NOW.to_bytes(8, "big") + bytes([15]) + b"example.com/log"
    said += bytes(8) + (42).to_bytes(8, "big") + ROOT
    MLDSA44PublicKey.from_public_bytes(key.public.raw).verify(signature.value[8:], said)


@KINDS
@given(time=st.integers(0, 2**63 - 1))
@settings(max_examples=20)
def test_what_was_cosigned_verifies_at_its_time_only(kind: int, time: int) -> None:
    signature, public = KEYS[kind].sign(TEXT, time), KEYS[kind].public
    assert public.verify(notes.signature(signature.line, "test"), TEXT) == time
    moved = notes.Signature(signature.name, signature.key_id, bytes(7) + b"\x01" + signature.value[8:])
    if time != 1:
        with pytest.raises(BadCheckpoint, match="does not verify"):
            public.verify(moved, TEXT)


@KINDS
@pytest.mark.parametrize("change", ["size", "root", "ledger", "witness", "bit", "short", "empty"])
def test_a_cosignature_of_something_else(kind: int, change: str) -> None:
    key = KEYS[kind]
    other = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    texts = {
        "size": TEXT.replace("42", "43"),
        "root": TEXT.replace(TEXT.split("\n")[2], other),
        "ledger": TEXT.replace("example", "other"),
    }
    signature = key.sign(texts.get(change, TEXT), NOW)
    values = {
        "bit": signature.value[:-1] + bytes([signature.value[-1] ^ 1]),
        "short": signature.value[:-1],
        "empty": signature.value[:8],
    }
    shown = notes.Signature(signature.name, signature.key_id, values.get(change, signature.value))
    public = key.public
    if change == "witness":
        public = WitnessKey.derive(SigningKey.generate(), key.public.name, kind).public
    with pytest.raises(BadCheckpoint, match="does not verify"):
        public.verify(shown, TEXT)


def test_a_time_that_is_none() -> None:
    value = (1 << 63).to_bytes(8, "big") + bytes(64)
    with pytest.raises(BadCheckpoint, match="time is none"):
        KEYS[ED25519].public.verify(notes.Signature("example.com/w1", bytes(4), value), TEXT)


@KINDS
def test_nothing_but_a_checkpoint_is_cosigned(kind: int) -> None:
    with pytest.raises(BadCheckpoint):
        KEYS[kind].sign("I owe you a beer\n", NOW)


def test_a_cosignature_is_no_signature_of_a_ledger() -> None:
    secret = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key = WitnessKey("example.com/log", secret)
    note = notes.Note(TEXT, (key.sign(TEXT, NOW),)).to_text()
    with pytest.raises(BadCheckpoint, match="0 signatures"):
        open_checkpoint(note, "example.com/log", LedgerKey(secret).public)


def test_a_member_is_one_witness_for_each_name_and_type() -> None:
    signing = SigningKey.generate()
    made = [WitnessKey.derive(signing, name, kind).public for name in ("a", "b") for kind in KEYS]
    assert WitnessKey.derive(signing, "a").public == made[0]
    assert len({key.raw for key in made}) == 4
    assert len({WitnessKey.derive(signing, "a", kind)._key.private_bytes_raw() for kind in KEYS}) == 2
    assert WitnessKey.derive(SigningKey.generate(), "a").public.raw != made[0].raw
    assert WitnessKey.derive(SigningKey(generate_private_key(SECP384R1())), "a").public.kind == ED25519


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\x1b[2J", "n" * 256, "\N{KELVIN SIGN}" * 90]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(Malformed):
        WitnessKey.derive(SigningKey.generate(), name)


@pytest.mark.parametrize(("kind", "passphrase"), [(ED25519, None), (MLDSA44, b"secret")])
def test_a_key_file(kind: int, passphrase: bytes | None) -> None:
    made = Ed25519PrivateKey.generate() if kind == ED25519 else MLDSA44PrivateKey.generate()
    assert WitnessKey.from_pem("w", pkcs8.write(made, passphrase), passphrase).public.kind == kind
    with pytest.raises(InvalidIdentity, match="not one private key of a witness"):
        WitnessKey.from_pem("w", pkcs8.write(X25519PrivateKey.generate(), None))


def test_the_key_is_not_shown() -> None:
    secret = Ed25519PrivateKey.generate()
    assert secret.private_bytes_raw().hex() not in repr(WitnessKey("w", secret)) + str(
        vars(WitnessKey("w", secret))
    )


# Submissions

SUBMISSION = Submission(20852014, (ROOT, bytes(32)), TEXT + "\n\u2014 x AAAAAAAA\n")


def test_a_submission_reads_as_it_was_written() -> None:
    assert Submission.parse(SUBMISSION.to_text()) == SUBMISSION
    assert SUBMISSION.to_text().startswith(f"old 20852014\n{base64.b64encode(ROOT).decode()}\n")
    assert Submission.parse(Submission(0, (), TEXT).to_text()).path == ()


@pytest.mark.parametrize(
    "text",
    [
        "old 1\n" + TEXT.replace("\n", ""),
        "old 01\n\n" + TEXT,
        "old -1\n\n" + TEXT,
        "old\n\n" + TEXT,
        "new 1\n\n" + TEXT,
        "old 1\nAAAA\n\n" + TEXT,
        "old 1\n" + f"{base64.b64encode(ROOT).decode()}\n" * 64 + "\n" + TEXT,
    ],
)
def test_submissions_that_are_none(text: str) -> None:
    with pytest.raises(Malformed):
        Submission.parse(text)
