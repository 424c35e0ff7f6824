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
SEALED = acts.Sealed(suite="hpke", sha256=HEX)
SHARE = acts.Share(recipient="alice", sealed=SEALED, limited=True)
VAULT = acts.Vault(name="vision/net", epoch=2, suite="hpke", public=b"public", shares=(SHARE,))
BLOB = acts.Blob(id="blob-1", format=acts.BLOB_FORMAT, size=9, sha256=HEX, content=HEX, epoch=1, key=SEALED)
FILE = acts.File(path="model.onnx", size=3, sha256=HEX)
CUSTODY = acts.Custody(
    vaults=(VAULT,),
    shares=(acts.Handed(vault="vision/", epoch=1, share=SHARE),),
    blobs=(acts.Kept(model="vision/net", blob=BLOB),),
)
VERSION: dict[str, Any] = {"model": "vision/net", "number": 1, "digest": HEX}
BODIES: dict[str, acts.Body] = {
    "genesis": acts.Genesis(
        name="alice",
        admin=b"statement",
        ledger=b"l" * 32,
        release=acts.Release(suite="hpke", public=b"public"),
        custody=CUSTODY,
    ),
    "enroll": acts.Enroll(name="bob", identity=b"statement", role="member", custody=CUSTODY),
    "disable": acts.Disable(name="bob", reason="left", custody=CUSTODY),
    "replace": acts.Replace(name="bob", identity=b"statement", custody=CUSTODY),
    "team": acts.Team(team="ml", custody=CUSTODY),
    "team-add": acts.TeamAdd(team="ml", name="bob", custody=CUSTODY),
    "team-remove": acts.TeamRemove(team="ml", name="bob", custody=CUSTODY),
    "grant": acts.Grant(
        grantee="ml", actions=("pull", "push"), target="vision/", until=TIME, custody=CUSTODY
    ),
    "revoke": acts.Revoke(grantee="ml", actions=("pull",), target="vision/net", custody=CUSTODY),
    "create": acts.Create(model="vision/net", custody=CUSTODY),
    "rotate": acts.Rotate(vault="/", custody=CUSTODY),
    "policy": acts.Policy(text="permit(principal, action, resource);"),
    "push": acts.Push(
        **VERSION,
        label="v1",
        aliases=("prod",),
        metadata={"team": "vision"},
        bundle=b"bundle",
        files=(FILE,),
        blobs=(BLOB,),
        attestations=(b"attested",),
    ),
    "alias": acts.Alias(**VERSION, name="prod"),
    "yank": acts.Yank(**VERSION, reason="wrong labels"),
    "pull": acts.Pull(**VERSION, purpose="run"),
    "failure": acts.Failure(**VERSION, purpose="run", step=9, code="bad-encryption"),
    "attest": acts.Attest(**VERSION, statement=b"statement"),
    "refusal": acts.Refusal(
        member="bob",
        count=1,
        since=TIME,
        code="denied",
        message="no",
        attempt="push",
        target="vision/net",
        act=HEX,
    ),
}
HEADER = acts.Header(
    registry=HEX,
    actor=HEX,
    time=TIME,
    nonce=NONCE,
    law=HEX,
    client=acts.Client(program="tests/1", host="bench"),
)


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
