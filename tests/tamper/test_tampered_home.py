"""Attacks on the files of the home: the identity, the ledger's key, the configuration."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import msgspec
import pytest

from registry import catalog
from registry.checkout import checkout
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.errors import BadCheckpoint, InvalidInput, Untrusted
from registry.push import push
from support.attacks import denied, flipped, refused, turned
from support.marked import write_model
from support.victim import MODEL, REF, Victim
from support.worlds import make_home, open_context

_BLOCK = re.compile(rb"(-----BEGIN PRIVATE KEY-----\n)(.*?)(\n-----END)", re.DOTALL)


def _write(victim: Victim, name: str, data: bytes) -> None:
    assert data != victim.files[name]
    (victim.home / name).write_bytes(data)


def _flip_block(pem: bytes, index: int, at: int) -> bytes:
    """One bit of one key's DER changed, in good base64."""
    block = list(_BLOCK.finditer(pem))[index]
    der = flipped(base64.b64decode(block[2].replace(b"\n", b"")), at)
    text = base64.b64encode(der)
    lines = b"\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return pem[: block.start(2)] + lines + pem[block.end(2) :]


# A policy is in force, and asks who pulls: so the identity is read in step 7.

# --- the identity -------------------------------------------------------------------------------


def test_the_identity_holds_three_keys(victim: Victim) -> None:
    assert len(_BLOCK.findall(victim.files["identity.pem"])) == 3


@pytest.mark.parametrize("at", [0, 3, -33], ids=["first-byte", "header", "key"])
@pytest.mark.parametrize("block", range(3), ids=["ecdsa", "ml-kem", "x25519"])
def test_a_changed_key_of_the_identity_is_refused(victim: Victim, block: int, at: int) -> None:
    if (block, at) == (2, -33):
        at = -1  # X25519's key is the last 32 bytes, and one bit of it is without effect (RFC 7748)
    _write(victim, "identity.pem", _flip_block(victim.files["identity.pem"], block, at))
    refused(victim, 7, "bad-identity")


def test_a_changed_rejection_secret_of_the_identity_opens_the_same(victim: Victim) -> None:
    """The second half of an ML-KEM seed (FIPS 203, z) answers forged ciphertexts: no key depends on it."""
    _write(victim, "identity.pem", _flip_block(victim.files["identity.pem"], 1, -1))
    victim.passes()


@pytest.mark.parametrize("block", range(3), ids=["ecdsa", "ml-kem", "x25519"])
def test_a_key_of_a_stranger_in_the_identity_is_refused(victim: Victim, block: int) -> None:
    own = list(_BLOCK.finditer(victim.files["identity.pem"]))[block]
    other = list(_BLOCK.finditer(Identity.generate("alice").to_pem(None)))[block]
    pem = victim.files["identity.pem"]
    _write(victim, "identity.pem", pem[: own.start(2)] + other[2] + pem[own.end(2) :])
    refused(victim, 7, "bad-identity")


IDENTITIES = {
    "name": lambda pem: re.sub(rb"# name: \w+", b"# name: mallory", pem),
    "name-dropped": lambda pem: re.sub(rb"# name: \w+\n", b"", pem),
    "fingerprint": lambda pem: re.sub(
        rb"# fingerprint: .*", lambda line: turned(line[0].decode()).encode(), pem
    ),
    "line-added": lambda pem: b"# note: forged\n" + pem,
    "key-dropped": lambda pem: pem[: list(_BLOCK.finditer(pem))[2].start()],
    "cut": lambda pem: pem[:-40],
    "emptied": lambda pem: b"",
    "not-text": lambda pem: b"\xff" + pem,
}


@pytest.mark.parametrize("change", IDENTITIES)
def test_a_changed_identity_file_is_refused(victim: Victim, change: str) -> None:
    _write(victim, "identity.pem", IDENTITIES[change](victim.files["identity.pem"]))
    refused(victim, 7, "bad-identity")


def test_a_strangers_valid_identity_is_denied(victim: Victim) -> None:
    """An honest file of somebody who is no member: nothing is forged, and nothing is released."""
    _write(victim, "identity.pem", Identity.generate("alice").to_pem(None))
    denied(victim, 8, "not-permitted")
    added = victim.read()["acts"][len(victim.rows["acts"]) :]
    assert [row["kind"] for row in added] == ["refusal"] * 3  # one for each of the three that were tried


def test_an_identity_without_its_fingerprint_is_the_same(victim: Victim) -> None:
    """Documented: the line is a safeguard against damage, and may be absent."""
    _write(victim, "identity.pem", re.sub(rb"# fingerprint: .*\n", b"", victim.files["identity.pem"]))
    victim.passes()


# --- the ledger's key ---------------------------------------------------------------------------


def _ledger(victim: Victim) -> object:
    return {name: rows for name, rows in victim.read().items() if name in ("acts", "nodes", "head")}


def test_another_ledger_key_signs_nothing(victim: Victim) -> None:
    _write(victim, "ledger.pem", LedgerKey.generate().to_pem())
    before = _ledger(victim)
    refused(victim, 8, "bad-checkpoint")
    with victim.open() as context, pytest.raises(BadCheckpoint):
        catalog.alias(context, REF, "late")
    with victim.open() as context, pytest.raises(BadCheckpoint):
        push(context, write_model(victim.scratch / "late", seed=9), MODEL)
    assert _ledger(victim) == before
    _discard_late_blobs(victim)


def _discard_late_blobs(victim: Victim) -> None:
    with victim.open() as context:
        for info in list(context.store.list()):
            if info.id not in victim.blobs:
                context.store.delete(info.id)


LEDGER_KEYS = {
    "a-bit-of-the-seed": (lambda pem: _flip_block(pem, 0, -1), "bad-checkpoint"),
    "a-bit-of-the-algorithm": (lambda pem: _flip_block(pem, 0, 8), "bad-identity"),
    "cut": (lambda pem: pem[:-40], "bad-identity"),
    "emptied": (lambda pem: b"", "bad-identity"),
}


@pytest.mark.parametrize("change", LEDGER_KEYS)
def test_a_changed_ledger_key_is_refused(victim: Victim, change: str) -> None:
    make, code = LEDGER_KEYS[change]
    _write(victim, "ledger.pem", make(victim.files["ledger.pem"]))
    before = _ledger(victim)
    refused(victim, 8, code)
    assert _ledger(victim) == before


def test_the_identity_in_place_of_the_ledger_key_is_refused(victim: Victim) -> None:
    _write(victim, "ledger.pem", victim.files["identity.pem"])
    refused(victim, 8, "bad-identity")


# --- the configuration --------------------------------------------------------------------------


def _config(victim: Victim, **values: object) -> None:
    config = {**msgspec.json.decode(victim.files["registry.json"]), **values}
    _write(victim, "registry.json", msgspec.json.encode(config))


def test_another_pin_is_refused(victim: Victim) -> None:
    pinned = msgspec.json.decode(victim.files["registry.json"])["registry_id"]
    _config(victim, registry_id=turned(pinned))
    refused(victim, 1, "wrong-registry")


def test_another_registrys_database_behind_the_configuration_is_refused(
    victim: Victim, tmp_path: Path
) -> None:
    home = make_home(tmp_path / "other")
    with open_context(home) as other:
        push(other, write_model(victim.scratch / "model", seed=2), MODEL, aliases=["prod"])
    _config(victim, database=f"sqlite:///{home / 'registry.db'}")
    refused(victim, 1, "wrong-registry", shared=False)


def test_another_registrys_store_behind_the_configuration_has_no_such_blob(
    victim: Victim, tmp_path: Path
) -> None:
    """The same blobs of another registry under the names that are asked for do not open either."""
    home = make_home(tmp_path / "other")
    with open_context(home) as other:
        push(other, write_model(victim.scratch / "model", seed=2), MODEL)
        (blob,) = [row.id for row in other.store.list() if row.size == len(_weights(victim))]
        data = bytearray(len(_weights(victim)))
        other.store.open(blob).read_into(0, memoryview(data))
    victim.write_blob(victim.blob("weights.data"), bytes(data))
    refused(victim, 9, "bad-encryption")


def _weights(victim: Victim) -> bytes:
    return victim.blobs[victim.blob("weights.data")]


@pytest.mark.parametrize("value", ["", "0" * 63, "not hexadecimal"])
def test_a_pin_that_is_none_is_an_invalid_configuration(victim: Victim, value: str) -> None:
    _config(victim, registry_id=value)
    with pytest.raises(InvalidInput), victim.open() as context:
        checkout(context, REF)


def test_no_attack_on_the_home_is_an_internal_error(victim: Victim) -> None:
    """Each of these files full of noise ends with an error of ours."""
    for name in ("identity.pem", "ledger.pem", "checkpoint", "registry.json"):
        (victim.home / name).write_bytes(bytes(range(256)))
        with pytest.raises((Untrusted, InvalidInput)), victim.open() as context:
            checkout(context, REF)
        (victim.home / name).write_bytes(victim.files[name])
