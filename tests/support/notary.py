"""A whole ledger in memory, under a door that signs whatever it is told to; and proofs from it.

They are written by the words of the formats, and by none of the program's own code: the recursion of RFC
9162, the lines of C2SP, plain JSON.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rfc8785

from registry import acts
from registry.acts import Act
from registry.crypto import dsse
from registry.crypto.checkpoint import Checkpoint, origin_of, sign_checkpoint
from support.scribe import Scribe

MODEL, OTHER = "vision/net", "audio/vad"
Json = dict[str, Any]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def root(d: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1."""
    if len(d) < 2:
        return hashlib.sha256(b"\x00" + d[0] if d else b"").digest()
    k = split(len(d))
    return hashlib.sha256(b"\x01" + root(d[:k]) + root(d[k:])).digest()


def inclusion(m: int, d: Sequence[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(d) == 1:
        return []
    k = split(len(d))
    if m < k:
        return [*inclusion(m, d[:k]), root(d[k:])]
    return [*inclusion(m - k, d[k:]), root(d[:k])]


def consistency(m: int, d: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of section 2.1.4.1; nothing for no growth and for growth from nothing."""
    if m in (0, len(d)):
        return [] if whole or not m else [root(d)]
    k = split(len(d))
    if m <= k:
        return [*consistency(m, d[:k], whole), root(d[k:])]
    return [*consistency(m - k, d[k:], False), root(d[:k])]


def subtrees(d: Sequence[bytes]) -> list[bytes]:
    """The complete subtrees of a tree, largest first."""
    found, begin = [], 0
    for bit in reversed(range(len(d).bit_length())):
        if len(d) >> bit & 1:
            found.append(root(d[begin : begin + (1 << bit)]))
            begin += 1 << bit
    return found


class Notary(Scribe):
    """Members, their acts, and a ledger of them all."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = [self.envelopes[0].to_bytes()]
        self.laws = [0]  # which entries are acts of the law

    def submit(self, envelope: dsse.Envelope) -> Act:
        act = super().submit(envelope)
        self.laws.append(self.write(envelope))
        return act

    def write(self, envelope: dsse.Envelope) -> int:
        """Put it into the ledger, whatever it is; its entry."""
        self.entries.append(envelope.to_bytes())
        return len(self.entries) - 1

    def pull(self, by: str, model: str = MODEL, **header: Any) -> int:
        return self.write(
            self.sign(acts.Pull(model, 1, "ab" * 32, "test"), by, **{"registry": self.registry_id, **header})
        )

    def refuse(self, member: str, **header: Any) -> int:
        body = acts.Refusal(
            member=member, count=1, since=self.time, code="not-permitted", message="no", attempt="pull"
        )
        head = self.header(**{"actor": self.key.keyid, **header})
        return self.write(dsse.sign(acts.encode(head, body), self.key))

    # --- what it signs, and shows ---------------------------------------------------------------

    def note(self, size: int | None = None, tree: Sequence[bytes] | None = None) -> str:
        """The checkpoint of the first ``size`` entries, or of another tree."""
        shown = self.entries[:size] if tree is None else tree
        return sign_checkpoint(Checkpoint(origin_of(self.registry_id), len(shown), root(shown)), self.key)

    def envelope(self, index: int) -> Json:
        parsed = dsse.Envelope.from_bytes(self.entries[index])
        return parsed.to_dict()

    def place(self, index: int, size: int | None = None) -> Json:
        return {"index": index, "path": [b64(one) for one in inclusion(index, self.entries[:size])]}

    def shown(self, index: int, size: int | None = None) -> Json:
        return {**self.place(index, size), "entry": self.envelope(index)}

    def tlogproof(self, index: int, size: int | None = None) -> str:
        path = [b64(one) for one in inclusion(index, self.entries[:size])]
        return "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *path, "", self.note(size)])

    def proof(self, seq: int, size: int | None = None, **changes: Any) -> Json:
        """What an honest registry shows of an entry."""
        end = len(self.entries[:size])
        law = [index for index in self.laws if index < seq]
        later = [index for index in self.laws if seq < index < end]
        after = later[0] if later else end - 1 if end - 1 > seq else None
        honest = {
            "after": None if after is None else self.shown(after, size),
            "entry": self.envelope(seq),
            "head": self.place(law[-1], size) if law else None,
            "law": [self.envelope(index) for index in law],
            "mediaType": "application/vnd.hallmark-registry.proof.v1+json",
            "proof": self.tlogproof(seq, size),
            "registry": self.registry_id,
            "witnessed": [],
        }
        return {**honest, **changes}

    def joint(self, start: int, size: int | None = None, **changes: Any) -> Json:
        """What an honest export says of how its range joins on."""
        shown = self.entries[:size]
        honest = {
            "before": self.shown(start - 1, size) if start else None,
            "consistency": [b64(one) for one in consistency(start, shown)],
            "mediaType": "application/vnd.hallmark-registry.range.v1+json",
            "registry": self.registry_id,
            "subtrees": [b64(one) for one in subtrees(shown[:start])],
            "witnessed": [],
        }
        return {**honest, **changes}

    def parcel(self, directory: Path, start: int, size: int | None = None) -> Path:
        """An honest export of the entries from ``start`` on."""
        directory.mkdir()
        law = [self.entries[index] for index in self.laws if index < start]
        (directory / "checkpoint").write_text(self.note(size))
        (directory / "law.jsonl").write_bytes(b"".join(one + b"\n" for one in law))
        (directory / "entries.jsonl").write_bytes(b"".join(one + b"\n" for one in self.entries[start:size]))
        (directory / "proof.json").write_bytes(written(self.joint(start, size)))
        if start:
            (directory / "since").write_text(self.note(start))
        return directory


def written(value: Json) -> bytes:
    """A document's bytes: RFC 8785, and a newline."""
    return rfc8785.dumps(value) + b"\n"


def told() -> Notary:
    """root is admin; bob may pull vision/net, eve too until entry 9, where she is disabled.

    ::

        0 genesis   1 enroll bob   2 enroll eve   3 create   4 grant bob   5 grant eve   6 bob pulls
        7 eve pulls   8 bob is refused   9 disable eve   10 bob pulls   11 bob pulls
    """
    notary = Notary()
    notary.enroll("bob", "eve")
    notary.add(acts.Create(MODEL))
    notary.add(acts.Grant("bob", ("pull",), MODEL))
    notary.add(acts.Grant("eve", ("pull",), MODEL))
    notary.pull("bob")
    notary.pull("eve")
    notary.refuse("bob")
    notary.add(acts.Disable("eve"))
    notary.pull("bob")
    notary.pull("bob")
    return notary
