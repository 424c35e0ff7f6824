"""The audit: events, what they say, how many there were; descent; cosignatures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    op.create_table(
        "activity",
        sa.Column(
            "day",
            sa.String(length=10).with_variant(sa.String(length=10, collation="C"), "postgresql"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "member",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "action",
            sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("outcome", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=255), autoincrement=False, nullable=False),
        sa.Column(
            "place",
            sa.String(length=300).with_variant(sa.String(length=300, collation="C"), "postgresql"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("saying", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("acts", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day",
            "member",
            "action",
            "outcome",
            "code",
            "place",
            "number",
            "saying",
            name=op.f("pk_activity"),
        ),
    )
    op.create_index(
        "ix_activity_by_action",
        "activity",
        ["action", "outcome", "day", "acts", "first", "last"],
        unique=False,
    )
    op.create_index(
        "ix_activity_by_day", "activity", ["day", "action", "outcome", "acts", "first", "last"], unique=False
    )
    op.create_index(
        "ix_activity_by_member",
        "activity",
        ["member", "action", "outcome", "place", "day", "acts", "first", "last"],
        unique=False,
    )
    op.create_index(
        "ix_activity_by_place",
        "activity",
        ["place", "action", "outcome", "member", "day", "acts", "first", "last"],
        unique=False,
    )
    op.create_table(
        "cosignatures",
        sa.Column("name", sa.String(length=255), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "key", "size", name=op.f("pk_cosignatures")),
    )
    op.create_index(op.f("ix_cosignatures_size"), "cosignatures", ["size"], unique=False)
    op.create_table(
        "events",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("time", sa.String(length=27), nullable=False),
        sa.Column(
            "member",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "action",
            sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.Column(
            "place",
            sa.String(length=300).with_variant(sa.String(length=300, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("saying", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_action_seq"), "events", ["action", "seq"], unique=False)
    op.create_index(op.f("ix_events_member_seq"), "events", ["member", "seq"], unique=False)
    op.create_index(op.f("ix_events_outcome_seq"), "events", ["outcome", "seq"], unique=False)
    op.create_index(op.f("ix_events_place_seq"), "events", ["place", "seq"], unique=False)
    op.create_index(op.f("ix_events_saying_seq"), "events", ["saying", "seq"], unique=False)
    op.create_table(
        "sayings",
        sa.Column(
            "saying",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("saying", name=op.f("pk_sayings")),
        sa.UniqueConstraint("sha256", name=op.f("uq_sayings_sha256")),
    )
    op.create_table(
        "parents",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=257), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("parent", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"], ["versions.model", "versions.number"], name=op.f("fk_parents_model_number")
        ),
        sa.PrimaryKeyConstraint("seq", "position", name=op.f("pk_parents")),
    )
    op.create_index(op.f("ix_parents_model_number"), "parents", ["model", "number"], unique=False)
    op.create_index(op.f("ix_parents_parent"), "parents", ["parent"], unique=False)
    op.drop_index(op.f("ix_acts_actor"), table_name="acts")
    op.drop_index(op.f("ix_acts_time"), table_name="acts")


def downgrade() -> None:
    op.create_index(op.f("ix_acts_time"), "acts", ["time"], unique=False)
    op.create_index(op.f("ix_acts_actor"), "acts", ["actor"], unique=False)
    op.drop_index(op.f("ix_parents_parent"), table_name="parents")
    op.drop_index(op.f("ix_parents_model_number"), table_name="parents")
    op.drop_table("parents")
    op.drop_table("sayings")
    op.drop_index(op.f("ix_events_saying_seq"), table_name="events")
    op.drop_index(op.f("ix_events_place_seq"), table_name="events")
    op.drop_index(op.f("ix_events_outcome_seq"), table_name="events")
    op.drop_index(op.f("ix_events_member_seq"), table_name="events")
    op.drop_index(op.f("ix_events_action_seq"), table_name="events")
    op.drop_table("events")
    op.drop_index(op.f("ix_cosignatures_size"), table_name="cosignatures")
    op.drop_table("cosignatures")
    op.drop_index("ix_activity_by_place", table_name="activity")
    op.drop_index("ix_activity_by_member", table_name="activity")
    op.drop_index("ix_activity_by_day", table_name="activity")
    op.drop_index("ix_activity_by_action", table_name="activity")
    op.drop_table("activity")
