"""Quantization facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    op.create_table(
        "quantization",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("quantized_weights", sa.Integer(), nullable=False),
        sa.Column("quantized_elements", sa.BigInteger(), nullable=False),
        sa.Column("float_weights", sa.Integer(), nullable=False),
        sa.Column("float_elements", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"],
            ["versions.model", "versions.number"],
            name=op.f("fk_quantization_model_number"),
        ),
        sa.PrimaryKeyConstraint("model", "number", "path", name=op.f("pk_quantization")),
    )
    op.create_index(op.f("ix_quantization_mode_format"), "quantization", ["mode", "format"], unique=False)
    op.create_table(
        "opsets",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("domain", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number", "path"],
            ["quantization.model", "quantization.number", "quantization.path"],
            name=op.f("fk_opsets_model_number_path"),
        ),
        sa.PrimaryKeyConstraint("model", "number", "path", "domain", name=op.f("pk_opsets")),
    )
    op.create_table(
        "quantized_tensors",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("stored", sa.Boolean(), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("symmetric", sa.Boolean(), nullable=False),
        sa.Column("granularity", sa.String(length=16), nullable=False),
        sa.Column("axis", sa.Integer(), nullable=True),
        sa.Column("block_size", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model", "number", "path"],
            ["quantization.model", "quantization.number", "quantization.path"],
            name=op.f("fk_quantized_tensors_model_number_path"),
        ),
        sa.PrimaryKeyConstraint("model", "number", "path", "position", name=op.f("pk_quantized_tensors")),
    )
    op.create_index(
        op.f("ix_quantized_tensors_type_granularity"),
        "quantized_tensors",
        ["type", "granularity"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_quantized_tensors_type_granularity"), table_name="quantized_tensors")
    op.drop_table("quantized_tensors")
    op.drop_table("opsets")
    op.drop_index(op.f("ix_quantization_mode_format"), table_name="quantization")
    op.drop_table("quantization")
