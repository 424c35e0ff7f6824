"""Looking at what there is, and the two acts that point at it: moving an alias, yanking a version."""

from __future__ import annotations

from typing import Any

from registry import acts, refs, statements
from registry.audit.scope import scope
from registry.context import Context
from registry.crypto import dsse
from registry.errors import BadReference, InvalidInput
from registry.ledger import entry, recent
from registry.records import projection, queries, tables
from registry.records.database import reading
from registry.refs import Reference

Record = dict[str, Any]


def list_models(context: Context, namespace: str | None = None) -> list[Record]:
    """One record per model, by name. What the database says, unverified."""
    if namespace is not None:
        namespace = refs.check_name(namespace.removesuffix("/"), "the namespace")
    with reading(context.engine) as connection:
        return queries.listing(connection, namespace)


def show(context: Context, ref: str) -> Record:
    """Everything recorded of one version, and the model's history. What the database says, unverified."""
    asked = refs.parse(ref)
    with reading(context.engine) as connection:
        exact = queries.resolve(connection, asked)
        version = queries.version(connection, exact)
        _digest(asked, version["digest"])
        publisher = queries.member_name(connection, version["publisher"])
        record = {**version, "reference": str(exact.at(version["number"])), "publisher": publisher}
        record["yanked"] = (queries.yank_of(connection, exact) or {}).get("reason")
        record["allowed"] = _allowed(entry(connection, version["seq"]).envelope)
        details = queries.details(connection, exact)
        record["lineage"] = _verdicts(details["attestations"])
        return {**record, **details, "history": queries.history(connection, exact.model)}


def _allowed(envelope: bytes) -> list[str]:
    """What the scan found and the publisher accepted, by code."""
    body = acts.decode(dsse.Envelope.from_bytes(envelope).payload).body
    return list(body.allowed) if isinstance(body, acts.Push) else []


def _verdicts(attestations: list[Record]) -> list[str]:
    """The verdicts of all lineage proofs, in the ledger's order."""
    found = (projection.attested(one["envelope"]) for one in attestations if one["type"] == acts.LINEAGE)
    said = (statements.said(acts.LINEAGE, head.statement.get("predicate")) for head in found)
    return [one.verdict for one in said if one.verdict]


def alias(context: Context, ref: str, name: str) -> tuple[Reference, int]:
    """Point the alias ``name`` at the version; return that and the entry. Raises Conflict for a label."""
    refs.check_tag(name, "alias")
    exact, digest = resolve(context, ref)
    body = acts.Alias(model=exact.model, number=exact.version or 0, digest=digest, name=name)
    return exact, context.act(body).proof.entry.seq


def yank(context: Context, ref: str, reason: str) -> tuple[Reference, int]:
    """Withdraw the version: it stays recorded, and is released to nobody. Return it and the entry."""
    if not reason.strip():
        raise InvalidInput(
            "a yank needs a reason", hint="say with --reason why nobody should use the version"
        )
    exact, digest = resolve(context, ref)
    body = acts.Yank(model=exact.model, number=exact.version or 0, digest=digest, reason=reason)
    return exact, context.act(body).proof.entry.seq


def log(context: Context, limit: int) -> list[Record]:
    """The newest acts that may be shown, with the actors' names. What the database says, unverified.

    Raises NotPermitted or Disabled for who is no member.
    """
    seen = scope(context).condition(tables.events)
    with reading(context.engine) as connection:
        records = recent(connection, limit, seen)
        return [{**record, "actor": queries.member_name(connection, record["actor"])} for record in records]


def resolve(context: Context, ref: str) -> tuple[Reference, str]:
    """The exact version that ``ref`` names, and its digest, as the database says."""
    asked = refs.parse(ref)
    with reading(context.engine) as connection:
        exact = queries.resolve(connection, asked)
        digest: str = queries.version(connection, exact)["digest"]
    _digest(asked, digest)
    return exact.at(exact.version or 0), digest


def _digest(asked: Reference, digest: str) -> None:
    if asked.digest not in (None, digest):
        raise BadReference(
            "the version has another digest than the one asked for", on=f"{asked}, found {digest}"
        )
