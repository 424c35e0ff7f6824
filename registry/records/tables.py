"""The tables, the same for SQLite and PostgreSQL.

``acts``, ``nodes`` and ``head`` are the ledger. ``leases`` are the pushes under way. Every other
table is a projection of the ledger: its rows follow from the acts alone (see ``projection``), so
keys are natural, times are the acts' own, and ``seq`` names the act that wrote the row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_HASH = LargeBinary(32)
_KEYID = String(64)
_TIME = String(27)
_MODEL = String(257)


def _key(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _col(name: str, kind: Any, *, nullable: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=nullable)


def _seq() -> Column[Any]:
    return Column("seq", BigInteger, nullable=False)


def _of(columns: list[str], target: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(columns, [f"{target}.{name}" for name in columns])


# --- the ledger -------------------------------------------------------------------------------

acts = Table(
    "acts",
    metadata,
    _key("seq", BigInteger),
    _col("kind", String(32)),
    _col("digest", _KEYID),
    _col("actor", _KEYID),
    _col("time", _TIME),
    _col("model", _MODEL, nullable=True),
    _col("number", Integer, nullable=True),
    _col("envelope", LargeBinary),
    UniqueConstraint("digest"),
    Index(None, "model", "number"),
    Index(None, "actor"),
    Index(None, "time"),
)

nodes = Table(  # complete subtrees of the Merkle tree: level 0 holds the leaf hashes
    "nodes",
    metadata,
    _key("level", Integer),
    _key("position", BigInteger),
    _col("hash", _HASH),
)

head = Table(  # one row: the newest checkpoint, and the lock that serialises writers
    "head",
    metadata,
    _key("id", Integer),
    _col("size", BigInteger),
    _col("note", Text),
)

# --- members and models -----------------------------------------------------------------------

members = Table(
    "members",
    metadata,
    _key("keyid", _KEYID),
    _col("name", String(128)),
    _col("role", String(16)),
    _col("signing", LargeBinary),
    _col("suite", String(128)),
    _col("sealing", LargeBinary),
    _seq(),
    UniqueConstraint("name"),
)

namespaces = Table("namespaces", metadata, _key("name", String(128)), _seq())

models = Table(
    "models",
    metadata,
    _key("model", _MODEL),
    _col("namespace", String(128)),
    _seq(),
    ForeignKeyConstraint(["namespace"], ["namespaces.name"]),
    Index(None, "namespace"),
)

vaults = Table(
    "vaults",
    metadata,
    _key("model", _MODEL),
    _key("epoch", Integer),
    _col("suite", String(128)),
    _col("public", LargeBinary),
    _seq(),
    _of(["model"], "models"),
)

shares = Table(
    "shares",
    metadata,
    _key("model", _MODEL),
    _key("epoch", Integer),
    _key("recipient", _KEYID),
    _col("suite", String(128)),
    _col("ciphertext", LargeBinary),
    _seq(),
    _of(["model", "epoch"], "vaults"),
)

blobs = Table(
    "blobs",
    metadata,
    _key("id", String(100)),
    _col("model", _MODEL),
    _col("format", String(64)),
    _col("size", BigInteger),  # bytes of ciphertext
    _col("sha256", _KEYID),  # of the ciphertext
    _col("content", _KEYID),  # SHA-256 of the plaintext
    _col("epoch", Integer),
    _col("suite", String(128)),
    _col("ciphertext", LargeBinary),  # the sealed key
    _seq(),
    _of(["model", "epoch"], "vaults"),
    UniqueConstraint("model", "content"),
)

# --- versions ---------------------------------------------------------------------------------

versions = Table(
    "versions",
    metadata,
    _key("model", _MODEL),
    _key("number", Integer),
    _col("digest", _KEYID),
    _col("label", String(128), nullable=True),
    _col("publisher", _KEYID),
    _col("time", _TIME),
    _col("size", BigInteger),  # bytes of plaintext, all files
    _col("bundle", LargeBinary),
    _seq(),
    _of(["model"], "models"),
    UniqueConstraint("model", "label"),
    Index(None, "digest"),
)

version_metadata = Table(
    "version_metadata",
    metadata,
    _key("model", _MODEL),
    _key("number", Integer),
    _key("name", String(128)),
    _col("value", Text),
    _of(["model", "number"], "versions"),
)

files = Table(
    "files",
    metadata,
    _key("model", _MODEL),
    _key("number", Integer),
    _key("path", Text),
    _col("size", BigInteger),
    _col("sha256", _KEYID),
    _col("blob", String(100)),
    _of(["model", "number"], "versions"),
    ForeignKeyConstraint(["blob"], ["blobs.id"]),
    Index(None, "sha256"),
    Index(None, "blob"),
)

aliases = Table(
    "aliases",
    metadata,
    _key("model", _MODEL),
    _key("name", String(128)),
    _col("number", Integer),
    _seq(),
    _of(["model", "number"], "versions"),
)

yanks = Table(
    "yanks",
    metadata,
    _key("model", _MODEL),
    _key("number", Integer),
    _col("reason", Text),
    _col("actor", _KEYID),
    _col("time", _TIME),
    _seq(),
    _of(["model", "number"], "versions"),
)

attestations = Table(
    "attestations",
    metadata,
    _key("model", _MODEL),
    _key("number", Integer),
    _key("seq", BigInteger),
    _key("position", Integer),  # within the act
    _col("type", Text),
    _col("signer", _KEYID),
    _col("envelope", LargeBinary),
    _of(["model", "number"], "versions"),
    Index(None, "type"),
)

# --- quantization facts -----------------------------------------------------------------------

quantization = Table(  # one row per ONNX file
    "quantization",
    metadata,
    _key("model", _MODEL),
    _key("number", Integer),
    _key("path", Text),
    _col("mode", String(16)),
    _col("format", String(16)),
    _col("quantized_weights", Integer),  # tensors
    _col("quantized_elements", BigInteger),
    _col("float_weights", Integer),  # tensors
    _col("float_elements", BigInteger),
    _of(["model", "number"], "versions"),
    Index(None, "mode", "format"),
)

opsets = Table(
    "opsets",
    metadata,
    _key("model", _MODEL),
    _key("number", Integer),
    _key("path", Text),
    _key("domain", Text),
    _col("version", BigInteger),
    _of(["model", "number", "path"], "quantization"),
)

quantized_tensors = Table(
    "quantized_tensors",
    metadata,
    _key("model", _MODEL),
    _key("number", Integer),
    _key("path", Text),
    _key("position", Integer),
    _col("name", Text),
    _col("scope", Text),
    _col("operator", Text),
    _col("role", String(16)),
    _col("stored", Boolean),
    _col("type", String(16)),
    _col("bits", Integer),
    _col("symmetric", Boolean),
    _col("granularity", String(16)),
    _col("axis", Integer, nullable=True),
    _col("block_size", BigInteger, nullable=True),
    _of(["model", "number", "path"], "quantization"),
    Index(None, "type", "granularity"),
)

# --- work under way ---------------------------------------------------------------------------

leases = Table(
    "leases",
    metadata,
    _key("push", String(32)),
    _col("model", _MODEL),
    _col("host", String(255)),
    _col("process", String(64)),  # pid and start time: tells a live owner from a reused pid
    _col("expires", _TIME),
)

LEDGER = (acts, nodes, head)
PROJECTION = tuple(table for table in metadata.sorted_tables if table not in (*LEDGER, leases))
