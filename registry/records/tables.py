"""The tables, the same for SQLite and PostgreSQL.

``acts``, ``nodes`` and ``head`` are the ledger. ``sealed`` holds the sealed keys, ``leases`` the pushes
under way, ``tallies`` the refusals of the hour. Every other table is a projection of the ledger: its
rows follow from the acts alone (see ``projection``), so keys are natural, times are the acts' own, and
``seq`` names the act that wrote the row.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from registry.records.columns import HASH, KEYID, MODEL, TIME, col, key, metadata, of, seq
from registry.records.cosignatures import cosignatures
from registry.records.event_tables import activity, events, parents, sayings
from registry.records.fact_tables import opsets, quantization, quantized_tensors
from registry.records.law_tables import (
    disabled,
    grants,
    keys,
    members,
    policies,
    shares,
    team_members,
    teams,
    vaults,
)

__all__ = [
    "BESIDE",
    "LEDGER",
    "PROJECTION",
    "activity",
    "acts",
    "aliases",
    "attestations",
    "blobs",
    "cosignatures",
    "disabled",
    "events",
    "files",
    "grants",
    "head",
    "keys",
    "leases",
    "members",
    "metadata",
    "models",
    "namespaces",
    "nodes",
    "opsets",
    "parents",
    "policies",
    "quantization",
    "quantized_tensors",
    "sayings",
    "sealed",
    "shares",
    "tallies",
    "team_members",
    "teams",
    "vaults",
    "version_metadata",
    "versions",
    "yanks",
]

# --- the ledger -------------------------------------------------------------------------------

acts = Table(
    "acts",
    metadata,
    key("seq", BigInteger),
    col("kind", String(32)),
    col("digest", KEYID),
    col("actor", KEYID),
    col("time", TIME),
    col("model", MODEL, nullable=True),
    col("number", Integer, nullable=True),
    col("target", Text, nullable=True),  # member, team, namespace or model, of the law's acts and refusals
    col("envelope", LargeBinary),
    UniqueConstraint("digest"),
    Index(None, "kind", "seq"),
    Index(None, "model", "number"),
)

nodes = Table(  # complete subtrees of the Merkle tree: level 0 holds the leaf hashes
    "nodes",
    metadata,
    key("level", Integer),
    key("position", BigInteger),
    col("hash", HASH),
)

head = Table(  # one row: the newest checkpoint, and the lock that serialises writers
    "head",
    metadata,
    key("id", Integer),
    col("size", BigInteger),
    col("note", Text),
)

# --- models and blobs -------------------------------------------------------------------------

namespaces = Table("namespaces", metadata, key("name", String(128)), seq())

models = Table(
    "models",
    metadata,
    key("model", MODEL),
    col("namespace", String(128)),
    seq(),
    ForeignKeyConstraint(["namespace"], ["namespaces.name"]),
    Index(None, "namespace"),
)

blobs = Table(
    "blobs",
    metadata,
    key("model", MODEL),
    key("content", KEYID),  # SHA-256 of the plaintext
    col("id", String(100)),
    col("format", String(64)),
    col("size", BigInteger),  # bytes of ciphertext
    col("sha256", KEYID),  # of the ciphertext
    col("epoch", Integer),
    col("suite", String(128)),
    col("sealed", KEYID),  # SHA-256 of the sealed key
    seq(),
    of(["model"], "models"),
    UniqueConstraint("id"),
)

sealed = Table(  # beside the ledger: what a rotation supersedes is deleted, and cannot be opened again
    "sealed",
    metadata,
    key("sha256", KEYID),
    col("ciphertext", LargeBinary),
)

# --- versions ---------------------------------------------------------------------------------

versions = Table(
    "versions",
    metadata,
    key("model", MODEL),
    key("number", Integer),
    col("digest", KEYID),
    col("label", String(128), nullable=True),
    col("publisher", KEYID),
    col("time", TIME),
    col("size", BigInteger),  # bytes of plaintext, all files
    col("bundle", LargeBinary),
    seq(),
    of(["model"], "models"),
    UniqueConstraint("model", "label"),
    Index(None, "digest"),
)

version_metadata = Table(
    "version_metadata",
    metadata,
    key("model", MODEL),
    key("number", Integer),
    key("name", String(128)),
    col("value", Text),
    of(["model", "number"], "versions"),
)

files = Table(
    "files",
    metadata,
    key("model", MODEL),
    key("number", Integer),
    key("path", Text),
    col("size", BigInteger),
    col("sha256", KEYID),
    of(["model", "number"], "versions"),
    ForeignKeyConstraint(["model", "sha256"], ["blobs.model", "blobs.content"]),
    Index(None, "sha256"),
)

aliases = Table(
    "aliases",
    metadata,
    key("model", MODEL),
    key("name", String(128)),
    col("number", Integer),
    seq(),
    of(["model", "number"], "versions"),
)

yanks = Table(
    "yanks",
    metadata,
    key("model", MODEL),
    key("number", Integer),
    col("reason", Text),
    col("actor", KEYID),
    col("time", TIME),
    seq(),
    of(["model", "number"], "versions"),
)

attestations = Table(
    "attestations",
    metadata,
    key("model", MODEL),
    key("number", Integer),
    key("seq", BigInteger),
    key("position", Integer),  # within the act
    col("type", Text),
    col("signer", KEYID),
    col("envelope", LargeBinary),
    of(["model", "number"], "versions"),
    Index(None, "type"),
)

# --- work under way ---------------------------------------------------------------------------

leases = Table(
    "leases",
    metadata,
    key("push", String(32)),
    col("model", MODEL),
    col("host", String(255)),
    col("process", String(64)),  # pid and start time: tells a live owner from a reused pid
    col("expires", TIME),
)

tallies = Table(  # refusals of the present hour, by member ("" is everybody unknown)
    "tallies",
    metadata,
    key("member", String(128)),
    col("since", TIME),
    col("told", Integer),  # written to the ledger one by one
    col("counted", Integer),  # only counted so far
)

LEDGER = (acts, nodes, head)
BESIDE = (sealed, leases, tallies, cosignatures)  # no act says what is in these
PROJECTION = tuple(table for table in metadata.sorted_tables if table not in (*LEDGER, *BESIDE))
