"""What is sent to a witness: a checkpoint, and the proof that it extends the one cosigned before.

The body of ``add-checkpoint`` in C2SP tlog-witness::

    old 42
    base64(hash)            zero to 63 lines: the consistency proof of RFC 9162 section 2.1.4

    (the checkpoint, a signed note)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from registry.crypto import notes
from registry.crypto.merkle import HASH
from registry.errors import Malformed

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_PATH = 63  # hashes


@dataclass(frozen=True)
class Submission:
    """A checkpoint for a witness that has cosigned the tree of ``old`` acts, 0 for none."""

    old: int
    path: tuple[bytes, ...]
    note: str

    @classmethod
    def parse(cls, text: str) -> Submission:
        """Read a submission. Raises Malformed."""
        head, blank, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        found, path = _OLD.fullmatch(first), tuple(notes.decode(line) or b"" for line in lines[: _PATH + 1])
        if not blank or not found or len(path) > _PATH or any(len(hashed) != HASH for hashed in path):
            raise Malformed("this is no submission to a witness (c2sp.org/tlog-witness, add-checkpoint)")
        return cls(int(found[1]), path, note)

    def to_text(self) -> str:
        """The body as text."""
        lines = (f"old {self.old}", *map(notes.encode, self.path))
        return "".join(f"{line}\n" for line in lines) + "\n" + self.note
