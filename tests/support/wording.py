"""One valid act of each kind, and how to say it wrongly."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785

from registry import acts
from registry.errors import Malformed

HEX, NONCE, TIME = "ab" * 32, "cd" * 16, "2026-01-02T03:04:05.000006Z"
SEALED = acts.Sealed(suite="hpke", ciphertext=b"sealed")
SHARE = acts.Share(recipient=HEX, sealed=SEALED)
VAULT = acts.Vault(epoch=1, suite="hpke", public=b"public", shares=(SHARE,))
BLOB = acts.Blob(id="blob-1", format=acts.BLOB_FORMAT, size=9, sha256=HEX, content=HEX, epoch=1, key=SEALED)
FILE = acts.File(path="model.onnx", size=3, sha256=HEX, blob="blob-1")
KEYS = acts.Keys(name="alice", signing=b"s", suite="hpke", sealing=b"h")
BODIES: dict[str, acts.Body] = {
    "genesis": acts.Genesis(name="alice", admin=KEYS, ledger=b"l" * 32),
    "push": acts.Push(
        model="vision/net",
        number=1,
        digest=HEX,
        label="v1",
        aliases=("prod",),
        metadata={"team": "vision"},
        bundle=b"bundle",
        files=(FILE,),
        blobs=(BLOB,),
        vault=VAULT,
        attestations=(b"attested",),
    ),
    "alias": acts.Alias(model="vision/net", number=1, digest=HEX, name="prod"),
    "yank": acts.Yank(model="vision/net", number=1, digest=HEX, reason="wrong labels"),
    "pull": acts.Pull(model="vision/net", number=1, digest=HEX, purpose="run"),
}
HEADER = acts.Header(registry=HEX, actor=HEX, time=TIME, nonce=NONCE)


def encoded(kind: str) -> dict[str, Any]:
    """The statement as a dictionary, to be changed."""
    statement: dict[str, Any] = json.loads(acts.encode(HEADER, BODIES[kind]))
    return statement


def refused(payload: bytes, because: str = "act") -> None:
    with pytest.raises(Malformed, match=because):
        acts.decode(payload)


def forged(kind: str, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Canonical bytes of the statement after ``change``: only what was changed can be wrong."""
    statement = encoded(kind)
    change(statement)
    return rfc8785.dumps(statement)


def put(*path: str | int, to: object) -> Callable[[dict[str, Any]], object]:
    def change(statement: dict[str, Any]) -> None:
        holder: Any = statement
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = to

    return change


def put_in_body(*path: str | int, to: object) -> Callable[[dict[str, Any]], object]:
    return put("predicate", "body", *path, to=to)
