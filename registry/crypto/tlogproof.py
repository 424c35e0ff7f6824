"""Proofs that an entry is in a log, as text: C2SP tlog-proof v1.

::

    c2sp.org/tlog-proof@v1
    index 42                                which entry, counted from 0
    base64(hash)                            the inclusion path, from the leaf's sibling upward
                                            (an empty line)
    (the checkpoint, a signed note)         verbatim, with whatever signatures it carries

Narrower than the specification on purpose: an ``extra`` line, which nothing proves, is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from registry.crypto.checkpoint import MAX_NOTE
from registry.crypto.merkle import HASH
from registry.errors import Malformed

MAX_PATH = 64  # hashes: more than a tree of 2**63 leaves needs
_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,15})")
_LINE = 80  # characters of a line before the checkpoint, at most
MAX_TEXT = MAX_NOTE + (MAX_PATH + 3) * _LINE


@dataclass(frozen=True)
class LogProof:
    """Entry ``index`` lies under the root of the note ``checkpoint``, which nobody has verified yet."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str


def render(proof: LogProof) -> str:
    """The proof as text."""
    lines = [_HEADER, f"index {proof.index}", *(base64.b64encode(one).decode("ascii") for one in proof.path)]
    return "\n".join([*lines, "", proof.checkpoint])


def parse(text: str) -> LogProof:
    """Read the text of a proof. Raises Malformed; the one spelling of ``render`` alone is accepted."""
    if len(text) > MAX_TEXT:
        raise Malformed("the inclusion proof is too long", on=f"{len(text)} characters, {MAX_TEXT} allowed")
    head, blank, checkpoint = text.partition("\n\n")
    header, *lines = head.split("\n")
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if header != _HEADER or not blank or not checkpoint or index is None:
        raise Malformed("the text is not a tlog-proof of version 1", on=repr(header[:_LINE]))
    return LogProof(int(index[1]), _path(lines[1:]), checkpoint)


def _path(lines: Iterable[str]) -> tuple[bytes, ...]:
    path = tuple(map(_hash, lines))
    if len(path) > MAX_PATH:
        raise Malformed("the inclusion proof is too long", on=f"{len(path)} hashes, {MAX_PATH} allowed")
    return path


def _hash(line: str) -> bytes:
    try:
        value = base64.b64decode(line.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise Malformed("a hash of the inclusion proof is not base64", on=repr(line[:_LINE])) from error
    if len(value) != HASH or base64.b64encode(value).decode("ascii") != line:
        raise Malformed("a line of the inclusion proof is not a hash", on=repr(line[:_LINE]))
    return value
