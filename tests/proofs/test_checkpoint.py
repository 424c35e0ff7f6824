"""Checkpoints: against published notes, against an independent verifier, and against forged notes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from registry.crypto import checkpoint
from registry.crypto.checkpoint import (
    MAX_NOTE,
    Checkpoint,
    LedgerKey,
    LedgerPublicKey,
    open_checkpoint,
    sign_checkpoint,
)
from registry.errors import BadCheckpoint, InvalidIdentity, Malformed, WrongPassphrase

NOTES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "notes.json").read_text())
ORIGIN = checkpoint.origin_of("5e" * 32)
ROOT = hashlib.sha256(b"root").digest()
ROOT64 = base64.b64encode(ROOT).decode()
SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = LedgerKey(SECRET)
OTHER = LedgerKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
GOOD = Checkpoint(ORIGIN, 42, ROOT)
BODY = f"{ORIGIN}\n42\n{ROOT64}\n"
NOTE = sign_checkpoint(GOOD, KEY)


def plain_pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def public(vkey: str) -> LedgerPublicKey:
    return LedgerPublicKey(base64.b64decode(vkey.split("+", 2)[2])[1:])


def line(
    text: str, name: str = ORIGIN, secret: Ed25519PrivateKey = SECRET, key_id: bytes | None = None
) -> str:
    """A signature line made by the specification's words, without the module under test."""
    raw = secret.public_key().public_bytes_raw()
    own = hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()[:4]
    value = (own if key_id is None else key_id) + secret.sign(text.encode())
    return f"\u2014 {name} {base64.b64encode(value).decode()}\n"


def signed(text: str) -> str:
    return f"{text}\n{line(text)}"


# Published notes


@pytest.mark.parametrize("name", ["peter", "enoch", "foo"])
def test_published_notes(name: str) -> None:
    case = NOTES[name]
    key = public(case["vkey"])
    assert key.vkey(case["name"]) == case["vkey"]
    assert checkpoint._open_note(case["text"] + "\n" + case["line"], case["name"], key) == case["text"]


def test_published_note_is_signed_again_byte_for_byte() -> None:
    case = NOTES["peter"]
    secret = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["seed"]))
    key = LedgerKey.from_pem(plain_pem(secret))
    assert checkpoint._sign_note(case["text"], case["name"], key) == case["text"] + "\n" + case["line"]


def test_published_note_of_two_signers() -> None:
    peter, enoch = NOTES["peter"], NOTES["enoch"]
    note = peter["text"] + "\n" + peter["line"] + enoch["line"]
    for case in (peter, enoch):
        assert checkpoint._open_note(note, case["name"], public(case["vkey"])) == case["text"]


def test_published_note_that_is_no_checkpoint() -> None:
    case = NOTES["peter"]
    with pytest.raises(BadCheckpoint, match="text is not a checkpoint"):
        open_checkpoint(case["text"] + "\n" + case["line"], case["name"], public(case["vkey"]))


def test_published_checkpoint_of_a_public_log() -> None:
    case = NOTES["rekor"]
    opened = open_checkpoint(case["note"], case["origin"], LedgerPublicKey(base64.b64decode(case["key"])))
    assert opened == Checkpoint(case["origin"], case["size"], base64.b64decode(case["root"]))


# Ours


def test_a_stranger_verifies_ours() -> None:
    text, _, last = NOTE.rpartition("\n\n")
    found = re.fullmatch("\u2014 (\\S+) (\\S+)\n", last)
    assert found
    assert text + "\n" == BODY
    value = base64.b64decode(found[2], validate=True)
    raw = KEY.public.raw
    assert (found[1], value[:4]) == (ORIGIN, hashlib.sha256(ORIGIN.encode() + b"\n\x01" + raw).digest()[:4])
    Ed25519PublicKey.from_public_bytes(raw).verify(value[4:], BODY.encode())


@given(st.integers(0, 10**19 - 1), st.binary(min_size=32, max_size=32))
def test_what_was_signed_opens(size: int, root: bytes) -> None:
    made = Checkpoint(ORIGIN, size, root)
    assert open_checkpoint(sign_checkpoint(made, KEY), ORIGIN, KEY.public) == made


@given(st.integers(0, len(NOTE) - 1), st.characters(max_codepoint=0x2FFF) | st.sampled_from("\n \u2014+0a="))
def test_no_changed_character_passes(position: int, character: str) -> None:
    assume(NOTE[position] != character)
    with pytest.raises(BadCheckpoint):
        open_checkpoint(NOTE[:position] + character + NOTE[position + 1 :], ORIGIN, KEY.public)


@given(st.text(max_size=200) | st.text("\n\u2014 +=A0", max_size=200))
def test_no_text_is_taken_for_a_note(text: str) -> None:
    with pytest.raises(BadCheckpoint):
        open_checkpoint(text, ORIGIN, KEY.public)


@pytest.mark.parametrize(
    "bad",
    [
        Checkpoint("", 1, ROOT),
        Checkpoint("two words", 1, ROOT),
        Checkpoint("two\u00a0words", 1, ROOT),
        Checkpoint("a+b", 1, ROOT),
        Checkpoint("two\nlines", 1, ROOT),
        Checkpoint(ORIGIN, -1, ROOT),
        Checkpoint(ORIGIN, 10**19, ROOT),
        Checkpoint(ORIGIN, 1, ROOT[1:]),
        Checkpoint(ORIGIN, 1, b""),
    ],
)
def test_what_cannot_be_opened_is_not_signed(bad: Checkpoint) -> None:
    with pytest.raises(BadCheckpoint):
        sign_checkpoint(bad, KEY)


# Other people's lines


def test_witnesses_and_other_keys_are_ignored() -> None:
    known = line(BODY)
    ours = base64.b64decode(known.split(" ")[2])[:4]
    unknown = [
        line(BODY, name="witness.example/w1", secret=OTHER._key),
        line(BODY, secret=OTHER._key),  # our name, another key
        line(BODY, name="witness.example/w2", key_id=ours),  # our key id, another name
        line("nonsense\n", name="witness.example/w3"),
        *(line(BODY, name=f"witness.example/{i}", secret=OTHER._key) for i in range(30)),
    ]
    for lines in ([known, *unknown], [*unknown, known]):
        assert open_checkpoint(f"{BODY}\n{''.join(lines)}", ORIGIN, KEY.public) == GOOD
    with pytest.raises(BadCheckpoint, match="0 signatures"):
        open_checkpoint(f"{BODY}\n{''.join(unknown)}", ORIGIN, KEY.public)


def test_extension_lines_are_tolerated() -> None:
    assert open_checkpoint(signed(BODY + "an extension\n\u2014 another one\n"), ORIGIN, KEY.public) == GOOD


def test_note_text_may_hold_empty_lines_but_a_checkpoint_may_not() -> None:
    text = "one\n\ntwo\n"
    assert checkpoint._open_note(signed(text), ORIGIN, KEY.public) == text
    with pytest.raises(BadCheckpoint, match="not a checkpoint"):
        open_checkpoint(signed(BODY + "\nafter an empty line\n"), ORIGIN, KEY.public)


def test_the_size_limit_is_exact() -> None:
    room = MAX_NOTE - len(signed(BODY + "x\n").encode())
    assert open_checkpoint(signed(BODY + "x" * (room + 1) + "\n"), ORIGIN, KEY.public) == GOOD
    with pytest.raises(BadCheckpoint, match="65536 allowed"):
        open_checkpoint(signed(BODY + "x" * (room + 2) + "\n"), ORIGIN, KEY.public)


# Forged notes


def test_signature_lines_alone_are_no_note() -> None:
    with pytest.raises(BadCheckpoint, match="not a signed note"):
        checkpoint._open_note(line("\n"), ORIGIN, KEY.public)


SIG = line(BODY)
OUR_ID = KEY.public.key_id(ORIGIN)
FORGED_ENVELOPES = {
    "nothing": "",
    "unsigned": BODY,
    "unsigned-with-blank": BODY + "\n",
    "no-blank-line": BODY + SIG,
    "no-last-newline": NOTE[:-1],
    "no-newline-but-a-letter": NOTE[:-1] + "x",
    "text-after": NOTE + "more",
    "blank-after": NOTE + "\n",
    "hyphen-for-dash": f"{BODY}\n{SIG.replace(chr(0x2014), '-')}",
    "en-dash-for-dash": f"{BODY}\n{SIG.replace(chr(0x2014), chr(0x2013))}",
    "carriage-return": NOTE.replace("\n", "\r\n"),
    "tab": f"{BODY}\n{SIG.replace(' ', chr(9))}",
    "nul": f"{BODY}\x00\n{SIG}",
    "surrogate": NOTE.replace("42", "4\ud800"),
    "signed-twice": NOTE + SIG,
    "signed-twice-once-badly": NOTE + line("other\n"),
    "signed-badly": f"{BODY}\n{line('other' + chr(10))}",
    "signed-by-another-under-our-key-id": f"{BODY}\n{line(BODY, secret=OTHER._key, key_id=OUR_ID)}",
    "signature-cut": f"{BODY}\n\u2014 {ORIGIN} {base64.b64encode(OUR_ID + bytes(63)).decode()}\n",
    "signature-empty": f"{BODY}\n\u2014 {ORIGIN} {base64.b64encode(OUR_ID).decode()}\n",
    "line-without-name": NOTE + "\u2014  AAAAAAA=\n",
    "line-without-signature": NOTE + "\u2014 name\n",
    "line-of-three": NOTE + "\u2014 name AAAAAAA= more\n",
    "line-without-dash": NOTE + "name AAAAAAA=\n",
    "name-with-plus": NOTE + "\u2014 a+b AAAAAAA=\n",
    "name-with-wide-space": NOTE + "\u2014 a\u3000b AAAAAAA=\n",
    "not-base64": NOTE + "\u2014 name AAAAAAA!\n",
    "base64-for-urls": NOTE + "\u2014 name ____AAA=\n",
    "base64-unpadded": NOTE + "\u2014 name AAAAAAA\n",
    "base64-not-canonical": NOTE + "\u2014 name AAAAAAB=\n",
    "base64-not-ascii": NOTE + "\u2014 name AAAAAA\u00e9=\n",
}


@pytest.mark.parametrize("name", FORGED_ENVELOPES)
def test_forged_note(name: str) -> None:
    with pytest.raises(BadCheckpoint):
        open_checkpoint(FORGED_ENVELOPES[name], ORIGIN, KEY.public)
    assert open_checkpoint(NOTE, ORIGIN, KEY.public) == GOOD


# Signed properly, so that only the parser of the text stands in the way.
BAD_TEXTS = {
    "another-origin": f"hallmark-registry/other\n42\n{ROOT64}\n",
    "origin-with-space": f"{ORIGIN} \n42\n{ROOT64}\n",
    "empty-origin": f"\n42\n{ROOT64}\n",
    "two-lines": f"{ORIGIN}\n42\n",
    "leading-zero": f"{ORIGIN}\n042\n{ROOT64}\n",
    "two-zeros": f"{ORIGIN}\n00\n{ROOT64}\n",
    "plus": f"{ORIGIN}\n+42\n{ROOT64}\n",
    "minus": f"{ORIGIN}\n-1\n{ROOT64}\n",
    "underscore": f"{ORIGIN}\n4_2\n{ROOT64}\n",
    "arabic-digits": f"{ORIGIN}\n\u0664\u0662\n{ROOT64}\n",
    "mixed-digits": f"{ORIGIN}\n4\u0662\n{ROOT64}\n",
    "wide-digits": f"{ORIGIN}\n\uff14\uff12\n{ROOT64}\n",
    "hexadecimal": f"{ORIGIN}\n0x2a\n{ROOT64}\n",
    "size-of-twenty-digits": f"{ORIGIN}\n{10**19}\n{ROOT64}\n",
    "space-after-size": f"{ORIGIN}\n42 \n{ROOT64}\n",
    "short-root": f"{ORIGIN}\n42\n{base64.b64encode(ROOT[1:]).decode()}\n",
    "long-root": f"{ORIGIN}\n42\n{base64.b64encode(ROOT + bytes(1)).decode()}\n",
    "root-unpadded": f"{ORIGIN}\n42\n{ROOT64[:-1]}\n",
    "root-in-hex": f"{ORIGIN}\n42\n{ROOT.hex()}\n",
    "root-not-canonical": f"{ORIGIN}\n42\n{ROOT64[:-2]}{chr(ord(ROOT64[-2]) + 1)}=\n",
    "root-with-space": f"{ORIGIN}\n42\n{ROOT64} \n",
    "tab": BODY + "an\textension\n",
    "carriage-return": BODY + "an extension\r\n",
    "escape": BODY + "\x1b[2J\n",
    "nul": BODY + "\x00\n",
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_forged_text(name: str) -> None:
    with pytest.raises(BadCheckpoint, match="refused"):
        open_checkpoint(signed(BAD_TEXTS[name]), ORIGIN, KEY.public)


def test_checkpoint_of_another_registry() -> None:
    elsewhere = Checkpoint(checkpoint.origin_of("00" * 32), 42, ROOT)
    with pytest.raises(BadCheckpoint):
        open_checkpoint(sign_checkpoint(elsewhere, KEY), ORIGIN, KEY.public)


# Keys


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_ledger_key_round_trip(passphrase: bytes | None) -> None:
    key = LedgerKey.generate()
    pem = key.to_pem(passphrase)
    assert (b"ENCRYPTED" in pem) is bool(passphrase)
    assert LedgerKey.from_pem(pem, passphrase).public == key.public
    loaded = load_pem_private_key(pem, passphrase)
    assert isinstance(loaded, Ed25519PrivateKey)
    assert loaded.public_key().public_bytes_raw() == key.public.raw


def test_keys_are_fresh() -> None:
    assert LedgerKey.generate().public != LedgerKey.generate().public


@pytest.mark.parametrize("passphrase", [None, b"", b"wrong"])
def test_wrong_passphrase(passphrase: bytes | None) -> None:
    with pytest.raises(WrongPassphrase):
        LedgerKey.from_pem(KEY.to_pem(b"right"), passphrase)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"not a key",
        plain_pem(SECRET)[:60],
        plain_pem(SECRET) * 2,
        plain_pem(ec.generate_private_key(ec.SECP256R1())),
        plain_pem(SECRET).replace(b"MC", b"MD"),
    ],
    ids=["empty", "text", "cut", "two-keys", "another-algorithm", "damaged"],
)
def test_files_that_are_no_ledger_key(pem: bytes) -> None:
    with pytest.raises(InvalidIdentity):
        LedgerKey.from_pem(pem)


def test_repr_hides_the_key() -> None:
    seed = SECRET.private_bytes_raw()
    assert KEY.public.raw.hex() in repr(KEY)
    assert seed.hex() not in repr(KEY)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_public_key_of_another_length(length: int) -> None:
    with pytest.raises(Malformed):
        LedgerPublicKey(bytes(length))


def test_a_key_id_belongs_to_a_name() -> None:
    assert KEY.public.key_id("a") != KEY.public.key_id("b")
    assert KEY.public.vkey("a").startswith(f"a+{KEY.public.key_id('a').hex()}+")
