"""Further statements about a version: signing one, listing and verifying them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from registry import acts, catalog, disk, statements, strictjson
from registry.acts import Act
from registry.context import Context
from registry.errors import InvalidInput, Malformed
from registry.law.law import Law
from registry.records import projection
from registry.refs import Reference
from registry.release import examine
from registry.ritual import Ritual

LIMIT = 512 << 10  # bytes of a predicate
Record = dict[str, Any]


def attest(context: Context, ref: str, kind: str, predicate: Path) -> tuple[Reference, int]:
    """Sign an in-toto Statement v1 of predicate type ``kind`` about a version; return that and the entry.

    ``predicate`` names a JSON file, an object. Raises InvalidInput, Denied, NotFound or Unavailable.
    """
    return attest_value(context, ref, kind, read_predicate(predicate))


def attest_value(context: Context, ref: str, kind: str, predicate: Record) -> tuple[Reference, int]:
    """As ``attest``, for a predicate in memory."""
    if not kind.isprintable() or len(kind.split()) != 1 or len(kind) > 255:
        raise InvalidInput("the predicate type is no URI", on=kind[:100], hint="--type https://...")
    if kind == acts.QUANTIZATION:
        raise InvalidInput("the quantization facts come with the push, and with nothing else", on=kind)
    exact, digest = catalog.resolve(context, ref)
    envelope = statements.signed(exact.model, digest, kind, predicate, context.identity.signing)
    body = acts.Attest(model=exact.model, number=exact.version or 0, digest=digest, statement=envelope)
    return exact, context.act(body).proof.entry.seq


def read_predicate(path: Path) -> Record:
    """A JSON object of at most 512 KiB. Raises InvalidInput."""
    try:
        return strictjson.parse_object(disk.read(path, LIMIT), limit=LIMIT, what="the predicate")
    except Malformed as error:
        raise InvalidInput(f"the predicate is not one JSON object: {error.message}", on=str(path)) from error


def attestations(context: Context, ref: str) -> tuple[Reference, list[Record]]:
    """Every attestation of a version, each one verified: its signature, its signer's standing then, its place
    in the ledger. Raises NotFound or Untrusted, or Yanked.
    """
    judged = examine(context, ref, Ritual(), lambda law, push, attests: "")
    law, push = judged.law, judged.push
    found = [_record(law, push, judged.entry, head.type, head.statement) for head in judged.attestations]
    for seq, act in sorted(judged.attests.items()):
        assert isinstance(act.body, acts.Attest)
        head = projection.attested(act.body.statement)
        found.append(_record(law, act, seq, head.type, head.statement))
    return judged.ref, found


def _record(law: Law, act: Act, seq: int, kind: str, statement: Record) -> Record:
    name = law.signer(act).name
    return {
        "type": kind,
        "signer": name,
        "teams": law.state.teams_of(name),
        "active": law.state.active(name),
        "time": act.header.time,
        "seq": seq,
        "predicate": statement.get("predicate"),
    }
