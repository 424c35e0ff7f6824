"""Identity files: standard tools open them, damage and wrong passphrases are told apart, nothing leaks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from registry import strictjson
from registry.crypto import pbes2, pkcs8, sealing
from registry.crypto.identity import Identity, SigningKey
from registry.crypto.sealing import CLASSIC, SealingPrivateKey
from registry.errors import InvalidIdentity, InvalidReference, WrongPassphrase

ALICE = Identity.generate("alice")
PLAIN = ALICE.to_pem(None)
PASSPHRASE = "pass phrase é".encode()
OPENSSL = shutil.which("openssl")
_BLOCK = re.compile(rb"-----BEGIN.*?-----END[^\n]*\n", re.DOTALL)
HEAD = PLAIN[: PLAIN.index(b"-----BEGIN")]
NAME = b"# name: alice\n"
BLOCKS = _BLOCK.findall(PLAIN)


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scrypt at its least cost, for tests that open many files."""
    monkeypatch.setattr(pbes2, "SCRYPT_N", 2)
    monkeypatch.setattr(pbes2, "SCRYPT_P", 1)


def _same(one: Identity, other: Identity) -> bool:
    secrets = one.sealing.to_secret() == other.sealing.to_secret()
    private = one.signing.private.private_numbers() == other.signing.private.private_numbers()
    return secrets and private and one.public == other.public


def _openssl(*arguments: str, stdin: bytes) -> bytes:
    assert OPENSSL is not None
    return subprocess.run([OPENSSL, *arguments], input=stdin, capture_output=True, check=True).stdout


def _openssl_knows_mlkem() -> bool:
    if OPENSSL is None:
        return False
    version = re.match(rb"OpenSSL (\d+)\.(\d+)", _openssl("version", stdin=b""))
    return version is not None and tuple(map(int, version.groups())) >= (3, 5)


needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="no openssl command on this machine")
needs_mlkem = pytest.mark.skipif(
    not _openssl_knows_mlkem(), reason="the openssl command is older than 3.5 and knows no ML-KEM"
)


def test_a_plain_file_reads_back() -> None:
    assert _same(Identity.from_pem(PLAIN, None), ALICE)


def test_an_encrypted_file_reads_back_and_shows_no_plain_key() -> None:
    data = ALICE.to_pem(PASSPHRASE)
    assert _same(Identity.from_pem(data, PASSPHRASE), ALICE)
    assert data.count(b"BEGIN ENCRYPTED PRIVATE KEY") == 3
    assert b"BEGIN PRIVATE KEY" not in data


@pytest.mark.usefixtures("cheap")
def test_encrypting_twice_gives_different_bytes() -> None:
    assert ALICE.to_pem(PASSPHRASE) != ALICE.to_pem(PASSPHRASE)


def test_a_passphrase_that_is_not_needed_is_not_used() -> None:
    assert _same(Identity.from_pem(PLAIN, b"anything"), ALICE)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_order_of_the_blocks_does_not_matter(order: tuple[int, ...]) -> None:
    assert _same(Identity.from_pem(b"".join(BLOCKS[i] for i in order) + b"\r\n" + HEAD, None), ALICE)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_existing_keys_on_larger_curves_load(curve: ec.EllipticCurve) -> None:
    bob = Identity("bob", SigningKey(ec.generate_private_key(curve)), SealingPrivateKey.generate())
    assert _same(Identity.from_pem(bob.to_pem(None), None), bob)


def test_the_mlkem_block_is_the_published_seed_form() -> None:
    path = Path(__file__).parents[1] / "vectors" / "pkcs8.json"
    published = json.loads(path.read_text(encoding="utf-8"))["mlkem768_seed_pem"]
    assert pkcs8.write(MLKEM768PrivateKey.from_seed_bytes(bytes(range(64))), None) == published.encode()


@needs_openssl
@pytest.mark.parametrize(
    ("index", "known"),
    [(0, True), pytest.param(1, False, marks=needs_mlkem), (2, True)],
    ids=["ecdsa", "mlkem", "x25519"],
)
def test_openssl_opens_every_encrypted_block(index: int, known: bool) -> None:
    block = _BLOCK.findall(ALICE.to_pem(b"hunter2"))[index]
    der = _openssl("pkey", "-passin", "pass:hunter2", "-pubout", "-outform", "DER", stdin=block)
    ours = (ALICE.signing.private, ALICE.sealing.mlkem, ALICE.sealing.x25519)[index]
    assert ours is not None
    assert load_der_public_key(der) == ours.public_key()


@needs_openssl
def test_an_identity_made_of_openssl_keys_loads() -> None:
    parameters = ("-pkeyopt", "ec_paramgen_curve:P-384", "-aes-256-cbc", "-pass", "pass:hunter2")
    signing = _openssl("genpkey", "-algorithm", "EC", *parameters, stdin=b"")
    x25519 = _openssl("genpkey", "-algorithm", "X25519", stdin=b"")
    carol = Identity.from_pem(b"# name: carol\n" + signing + BLOCKS[1] + x25519, b"hunter2")
    assert (carol.name, carol.signing.private.curve.name) == ("carol", "secp384r1")


def test_a_missing_passphrase_says_where_to_put_it() -> None:
    with pytest.raises(WrongPassphrase, match="no passphrase") as error:
        Identity.from_pem(ALICE.to_pem(PASSPHRASE), None)
    assert "REGISTRY_PASSPHRASE" in str(error.value.hint)


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("wrong", [b"wrong", PASSPHRASE + b"\n", PASSPHRASE[:-1], b"\0", b"x" * 5000])
def test_a_wrong_passphrase_is_told_from_damage(wrong: bytes) -> None:
    with pytest.raises(WrongPassphrase, match="does not open"):
        Identity.from_pem(ALICE.to_pem(PASSPHRASE), wrong)


def test_an_empty_passphrase_is_not_taken_for_one() -> None:
    with pytest.raises(InvalidIdentity, match="empty passphrase"):
        ALICE.to_pem(b"")


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_no_flipped_bit_makes_another_identity(encrypted: bool) -> None:
    """Bits that no operation uses (X25519 clamps some, ML-KEM's z only answers forgeries) may differ."""
    data = ALICE.to_pem(PASSPHRASE) if encrypted else PLAIN
    sealed = sealing.seal(b"secret", ALICE.public.sealing, b"")
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        try:
            read = Identity.from_pem(bytes(changed), PASSPHRASE)
        except InvalidIdentity:
            continue
        assert read.public == ALICE.public, f"byte {place}"
        assert sealing.open_sealed(sealed, read.sealing, b"") == b"secret"


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_file_cut_short_is_damaged(encrypted: bool) -> None:
    data = (ALICE.to_pem(PASSPHRASE) if encrypted else PLAIN).rstrip()
    for kept in range(0, len(data), 7):
        with pytest.raises(InvalidIdentity):
            Identity.from_pem(data[:kept], PASSPHRASE)


def _block(key: pkcs8.PrivateKey) -> bytes:
    return pkcs8.write(key, None)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="not-text"),
        pytest.param(PLAIN + b" " * (64 << 10), id="larger-than-64-kib"),
        pytest.param(HEAD + BLOCKS[0] + BLOCKS[1], id="a-key-missing"),
        pytest.param(PLAIN + BLOCKS[0], id="a-key-twice"),
        pytest.param(PLAIN + _block(ed25519.Ed25519PrivateKey.generate()), id="a-key-of-another-kind"),
        pytest.param(
            NAME + BLOCKS[0] + BLOCKS[1] + _block(ed25519.Ed25519PrivateKey.generate()), id="another-kind"
        ),
        pytest.param(NAME + BLOCKS[0] + BLOCKS[0] + BLOCKS[1], id="one-kind-twice-another-missing"),
        pytest.param(NAME + _block(rsa.generate_private_key(65537, 2048)) + BLOCKS[1] + BLOCKS[2], id="rsa"),
        pytest.param(
            NAME + _block(ec.generate_private_key(ec.SECP256K1())) + BLOCKS[1] + BLOCKS[2], id="secp256k1"
        ),
        pytest.param(b"".join(BLOCKS), id="no-name"),
        pytest.param(NAME + PLAIN, id="two-names"),
        pytest.param(PLAIN.replace(b"alice", b"mallory"), id="another-name-above-the-keys"),
        pytest.param(b"# name: ../alice\n" + b"".join(BLOCKS), id="name-outside-the-grammar"),
        pytest.param(b"# comment\n" + PLAIN, id="unknown-line"),
        pytest.param(PLAIN.replace(b"PRIVATE KEY", b"EC PRIVATE KEY"), id="traditional-label"),
        pytest.param(PLAIN.replace(b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY", 2), id="label-lies"),
        pytest.param(PLAIN + b"-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n", id="extra"),
        pytest.param(PLAIN.replace(b"-----END", b"----END"), id="no-end"),
        pytest.param(PLAIN.replace(b"\nM", b"\n!M", 1), id="stray-character"),
    ],
)
def test_what_is_not_an_identity_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidIdentity):
        Identity.from_pem(data, b"unused")


@pytest.mark.usefixtures("cheap")
def test_one_damaged_block_among_good_ones_is_named() -> None:
    blocks = _BLOCK.findall(ALICE.to_pem(PASSPHRASE))
    blocks[1] = blocks[1].replace(b"\nM", b"\nN", 1)
    with pytest.raises(InvalidIdentity, match="key block 2"):
        Identity.from_pem(HEAD + b"".join(blocks), PASSPHRASE)


def test_an_exchanged_sealing_key_is_noticed() -> None:
    other = _BLOCK.findall(Identity.generate("alice").to_pem(None))
    with pytest.raises(InvalidIdentity, match="fingerprint"):
        Identity.from_pem(HEAD + BLOCKS[0] + other[1] + BLOCKS[2], None)


def test_a_name_outside_the_grammar_gets_no_identity() -> None:
    with pytest.raises(InvalidReference):
        Identity.generate("a\n# name: b")


def test_an_identity_without_mlkem_cannot_be_written() -> None:
    classic = Identity("dave", SigningKey.generate(), SealingPrivateKey.generate(CLASSIC))
    with pytest.raises(InvalidIdentity, match="ML-KEM"):
        classic.to_pem(None)


def test_nothing_secret_is_printed() -> None:
    shown = repr(ALICE) + str(ALICE.signing) + repr(ALICE.sealing) + repr(ALICE.public)
    secret = ALICE.sealing.to_secret()
    number = ALICE.signing.private.private_numbers().private_value
    for part in (
        secret.hex(),
        repr(secret)[2:40],
        strictjson.to_b64(secret[:30]),
        str(number),
        f"{number:x}",
    ):
        assert part not in shown
