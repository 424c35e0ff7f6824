"""Access: members, teams, grants, policies, vaults; refusals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    op.create_table(
        "grants",
        sa.Column("target", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("grantee", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("until", sa.String(length=27), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=27), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("target", "grantee", "action", name=op.f("pk_grants")),
    )
    op.create_index(op.f("ix_grants_grantee"), "grants", ["grantee"], unique=False)
    op.create_table(
        "members",
        sa.Column("name", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_members")),
    )
    op.create_table(
        "policies",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_policies")),
    )
    op.create_table(
        "tallies",
        sa.Column("member", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("since", sa.String(length=27), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_tallies")),
    )
    op.create_table(
        "teams",
        sa.Column("team", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("team", name=op.f("pk_teams")),
    )
    op.create_table(
        "vaults",
        sa.Column("vault", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("suite", sa.String(length=128), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("vault", "epoch", name=op.f("pk_vaults")),
    )
    op.create_table(
        "disabled",
        sa.Column("name", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=27), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["members.name"], name=op.f("fk_disabled_name")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_disabled")),
    )
    op.create_table(
        "keys",
        sa.Column("keyid", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("signing", sa.LargeBinary(), nullable=False),
        sa.Column("suite", sa.String(length=128), nullable=False),
        sa.Column("sealing", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["members.name"], name=op.f("fk_keys_name")),
        sa.PrimaryKeyConstraint("keyid", name=op.f("pk_keys")),
    )
    op.create_index(op.f("ix_keys_name"), "keys", ["name"], unique=False)
    op.create_table(
        "shares",
        sa.Column("vault", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("recipient", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("suite", sa.String(length=128), nullable=False),
        sa.Column("sealed", sa.String(length=64), nullable=False),
        sa.Column("limited", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault", "epoch"], ["vaults.vault", "vaults.epoch"], name=op.f("fk_shares_vault_epoch")
        ),
        sa.PrimaryKeyConstraint("vault", "epoch", "recipient", name=op.f("pk_shares")),
    )
    op.create_index(op.f("ix_shares_recipient"), "shares", ["recipient"], unique=False)
    op.create_table(
        "team_members",
        sa.Column("team", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["members.name"], name=op.f("fk_team_members_name")),
        sa.ForeignKeyConstraint(["team"], ["teams.team"], name=op.f("fk_team_members_team")),
        sa.PrimaryKeyConstraint("team", "name", name=op.f("pk_team_members")),
    )
    op.create_index(op.f("ix_team_members_name"), "team_members", ["name"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_team_members_name"), table_name="team_members")
    op.drop_table("team_members")
    op.drop_index(op.f("ix_shares_recipient"), table_name="shares")
    op.drop_table("shares")
    op.drop_index(op.f("ix_keys_name"), table_name="keys")
    op.drop_table("keys")
    op.drop_table("disabled")
    op.drop_table("vaults")
    op.drop_table("teams")
    op.drop_table("tallies")
    op.drop_table("policies")
    op.drop_table("members")
    op.drop_index(op.f("ix_grants_grantee"), table_name="grants")
    op.drop_table("grants")
