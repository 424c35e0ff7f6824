"""Signed notes (C2SP signed-note): text, an empty line, and signature lines.

::

    — name base64(key id || signature)

A key's name and its four-byte key id, a hash over name, signature type and key, tell which lines are whose.
Lines of other keys are ignored. A key as text is a vkey: ``name+hex(key id)+base64(type || key)``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from registry.errors import BadCheckpoint, Malformed

MAX_NOTE = 64 << 10  # bytes: room for sixteen post-quantum signatures
_DASH = "\u2014 "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")  # signed-note allows no control character but newline
_HEX = re.compile(r"[0-9a-f]{8}")
HINT = "do not use this registry: its database, its server or the way to it was changed"


@dataclass(frozen=True)
class Signature:
    """One signature line: whose it is said to be, and the bytes, which mean what the key's type says."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """The line, without its newline."""
        return f"{_DASH}{self.name} {encode(self.key_id + self.value)}"


@dataclass(frozen=True)
class Note:
    """A note taken apart, unverified: ``text`` ends with a newline."""

    text: str
    signatures: tuple[Signature, ...]

    def of(self, name: str, key_id: bytes) -> list[Signature]:
        """The signatures that are said to be this key's."""
        return [sig for sig in self.signatures if (sig.name, sig.key_id) == (name, key_id)]

    def to_text(self) -> str:
        """The note as text."""
        return self.text + "\n" + "".join(f"{sig.line}\n" for sig in self.signatures)


def parse(note: str, on: str) -> Note:
    """Take a note apart. Raises BadCheckpoint, which names ``on``, for what is not a note."""
    _check_characters(note, on)
    # The last empty line divides text and signatures. The text keeps its own newline.
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise damaged("it is not a signed note", on)
    return Note(head + "\n", tuple(signature(line, on) for line in tail[:-1].split("\n")))


def signature(line: str, on: str) -> Signature:
    """Read one signature line. Raises BadCheckpoint."""
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    value = decode(encoded)
    if not line.startswith(_DASH) or not is_name(name) or value is None or len(value) <= 4:
        raise damaged("a signature line is not one", on)
    return Signature(name, value[:4], value[4:])


def key_id(name: str, kind: int, key: bytes) -> bytes:
    """The four bytes that tell a key, under a name, from others."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def vkey(name: str, kind: int, key: bytes) -> str:
    """A public key as text."""
    return f"{name}+{key_id(name, kind, key).hex()}+{encode(bytes([kind]) + key)}"


def read_vkey(text: str) -> tuple[str, int, bytes]:
    """Name, signature type and public key of a vkey. Raises Malformed, also where its hash is another's."""
    name, _, rest = text.partition("+")
    given, _, encoded = rest.partition("+")
    value = decode(encoded)
    if not is_name(name) or not _HEX.fullmatch(given) or value is None or len(value) < 2:
        raise Malformed("this is no vkey (NAME+HASH+KEY)", on=repr(text[:80]))
    if key_id(name, value[0], value[1:]).hex() != given:
        raise Malformed("the vkey's hash is not that of its name and key", on=name)
    return name, value[0], value[1:]


def is_name(name: str) -> bool:
    """Key names are not empty and hold no Unicode space and no plus; nor, here, what no text file holds."""
    return bool(name) and "+" not in name and not any(map(str.isspace, name)) and not _CONTROL.search(name)


def encode(data: bytes) -> str:
    """Standard base64 (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes | None:
    """Standard base64 in its one canonical spelling; None for anything else."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return data if encode(data) == text else None


def damaged(how: str, on: str) -> BadCheckpoint:
    """The error for a note that is not as it should be."""
    return BadCheckpoint(f"the checkpoint is refused: {how}", on=on, hint=HINT)


def _check_characters(note: str, on: str) -> None:
    try:
        size = len(note.encode())
    except UnicodeEncodeError as error:
        raise damaged("it is not UTF-8", on) from error
    if size > MAX_NOTE:
        raise damaged(f"{size} bytes, {MAX_NOTE} allowed", on)
    if _CONTROL.search(note):
        raise damaged("it holds a control character", on)
