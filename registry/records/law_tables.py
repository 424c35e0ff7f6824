"""The tables of the law: members, teams, grants, policies, vaults.

For people and queries. No decision reads them: who may do what is replayed from the acts themselves.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, Integer, LargeBinary, String, Table, Text

from registry.records.columns import KEYID, MODEL, TIME, col, key, metadata, of, seq

members = Table(
    "members",
    metadata,
    key("name", String(128)),
    col("role", String(16)),
    seq(),
)

keys = Table(  # every key that a member has had; the newest counts
    "keys",
    metadata,
    key("keyid", KEYID),
    col("name", String(128)),
    col("signing", LargeBinary),
    col("suite", String(128)),
    col("sealing", LargeBinary),
    seq(),
    of(["name"], "members"),
    Index(None, "name"),
)

disabled = Table(
    "disabled",
    metadata,
    key("name", String(128)),
    col("reason", Text),
    col("actor", KEYID),
    col("time", TIME),
    seq(),
    of(["name"], "members"),
)

teams = Table("teams", metadata, key("team", String(128)), seq())

team_members = Table(
    "team_members",
    metadata,
    key("team", String(128)),
    key("name", String(128)),
    seq(),
    of(["team"], "teams"),
    of(["name"], "members"),
    Index(None, "name"),
)

grants = Table(
    "grants",
    metadata,
    key("target", MODEL),
    key("grantee", String(128)),
    key("action", String(16)),
    col("until", TIME, nullable=True),
    col("actor", KEYID),
    col("time", TIME),
    seq(),
    Index(None, "grantee"),
)

policies = Table(
    "policies",
    metadata,
    key("seq", BigInteger),
    col("text", Text),
    col("actor", KEYID),
    col("time", TIME),
)

vaults = Table(  # of the registry ("/"), namespaces, models and teams
    "vaults",
    metadata,
    key("vault", MODEL),
    key("epoch", Integer),
    col("suite", String(128)),
    col("public", LargeBinary),
    seq(),
)

shares = Table(
    "shares",
    metadata,
    key("vault", MODEL),
    key("epoch", Integer),
    key("recipient", MODEL),
    col("suite", String(128)),
    col("sealed", KEYID),  # SHA-256 of the ciphertext
    col("limited", Boolean),
    seq(),
    of(["vault", "epoch"], "vaults"),
    Index(None, "recipient"),
)
