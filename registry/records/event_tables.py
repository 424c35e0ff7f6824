"""The tables of the audit: who did what, to what, when, and whether it was allowed; one event per act.

For questions, like every table of the projection. Names sort by their bytes, whatever the database's
language, so that both databases give the same order and a prefix is a range.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String, Table, Text, UniqueConstraint

from registry.records.columns import KEYID, MODEL, TIME, col, key, metadata, of

# SQLite makes an INTEGER primary key the row's own number, which every index then holds for nothing.
_SEQ = BigInteger().with_variant(Integer(), "sqlite")


def _bytewise(length: int) -> String:
    return String(length).with_variant(String(length, collation="C"), "postgresql")


MEMBER = _bytewise(128)  # "" for somebody whom no signature proves
ACTION = _bytewise(255)  # an act's kind; of a refusal the kind of what was tried, "" where nobody can say
OUTCOME = String(8)  # "allowed", "refused", or "failed": a checkout after its pull was allowed
CODE = String(255)  # of the error that a refusal or a failure tells of
PLACE = _bytewise(300)  # a model, a namespace/, a member, a team or a vault; "" for none
DAY = _bytewise(10)  # in UTC: 2026-01-31

events = Table(
    "events",
    metadata,
    key("seq", _SEQ),
    col("time", TIME),
    col("member", MEMBER),
    col("action", ACTION),
    col("outcome", OUTCOME),
    col("code", CODE),
    col("place", PLACE),
    col("number", Integer),  # the version, 0 for none
    col("saying", BigInteger),
    Index(None, "member", "seq"),
    Index(None, "action", "seq"),
    Index(None, "place", "seq"),
    Index(None, "outcome", "seq"),
    Index(None, "saying", "seq"),
)

sayings = Table(  # what acts say in words, once each, in the form that is searched
    "sayings",
    metadata,
    key("saying", _SEQ),  # the entry of the act that said it first
    col("sha256", KEYID),
    col("text", Text),
    UniqueConstraint("sha256"),
)

activity = Table(  # events counted by day, so that no question about many reads them all
    "activity",
    metadata,
    key("day", DAY),
    key("member", MEMBER),
    key("action", ACTION),
    key("outcome", OUTCOME),
    key("code", CODE),
    key("place", PLACE),
    key("number", Integer),
    key("saying", BigInteger),
    col("acts", BigInteger),
    col("first", BigInteger),  # the lowest and the highest entry that is counted here
    col("last", BigInteger),
    Index("ix_activity_by_day", "day", "action", "outcome", "acts", "first", "last"),
    Index("ix_activity_by_member", "member", "action", "outcome", "place", "day", "acts", "first", "last"),
    Index("ix_activity_by_action", "action", "outcome", "day", "acts", "first", "last"),
    Index("ix_activity_by_place", "place", "action", "outcome", "member", "day", "acts", "first", "last"),
)

parents = Table(  # from what a version was made, as an attestation of it says
    "parents",
    metadata,
    key("seq", BigInteger),
    key("position", Integer),  # of the attestation within the act
    col("model", MODEL),
    col("number", Integer),
    col("type", Text),
    col("parent", KEYID),  # the parent's OMS root digest
    of(["model", "number"], "versions"),
    Index(None, "parent"),
    Index(None, "model", "number"),
)
