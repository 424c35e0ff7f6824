"""The ledger, models, versions, blobs, sealed keys and leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    op.create_table(
        "acts",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=27), nullable=False),
        sa.Column("model", sa.String(length=257), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_acts")),
        sa.UniqueConstraint("digest", name=op.f("uq_acts_digest")),
    )
    op.create_index(op.f("ix_acts_actor"), "acts", ["actor"], unique=False)
    op.create_index(op.f("ix_acts_kind_seq"), "acts", ["kind", "seq"], unique=False)
    op.create_index(op.f("ix_acts_model_number"), "acts", ["model", "number"], unique=False)
    op.create_index(op.f("ix_acts_time"), "acts", ["time"], unique=False)
    op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head")),
    )
    op.create_table(
        "leases",
        sa.Column("push", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=257), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("process", sa.String(length=64), nullable=False),
        sa.Column("expires", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("push", name=op.f("pk_leases")),
    )
    op.create_table(
        "namespaces",
        sa.Column("name", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_namespaces")),
    )
    op.create_table(
        "nodes",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name=op.f("pk_nodes")),
    )
    op.create_table(
        "sealed",
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_sealed")),
    )
    op.create_table(
        "models",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("namespace", sa.String(length=128), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace"], ["namespaces.name"], name=op.f("fk_models_namespace")),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_models")),
    )
    op.create_index(op.f("ix_models_namespace"), "models", ["namespace"], unique=False)
    op.create_table(
        "blobs",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("format", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("suite", sa.String(length=128), nullable=False),
        sa.Column("sealed", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["models.model"], name=op.f("fk_blobs_model")),
        sa.PrimaryKeyConstraint("model", "content", name=op.f("pk_blobs")),
        sa.UniqueConstraint("id", name=op.f("uq_blobs_id")),
    )
    op.create_table(
        "versions",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=True),
        sa.Column("publisher", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=27), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("bundle", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["models.model"], name=op.f("fk_versions_model")),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_versions")),
        sa.UniqueConstraint("model", "label", name=op.f("uq_versions_model_label")),
    )
    op.create_index(op.f("ix_versions_digest"), "versions", ["digest"], unique=False)
    op.create_table(
        "aliases",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"], ["versions.model", "versions.number"], name=op.f("fk_aliases_model_number")
        ),
        sa.PrimaryKeyConstraint("model", "name", name=op.f("pk_aliases")),
    )
    op.create_table(
        "attestations",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("signer", sa.String(length=64), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"],
            ["versions.model", "versions.number"],
            name=op.f("fk_attestations_model_number"),
        ),
        sa.PrimaryKeyConstraint("model", "number", "seq", "position", name=op.f("pk_attestations")),
    )
    op.create_index(op.f("ix_attestations_type"), "attestations", ["type"], unique=False)
    op.create_table(
        "files",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"], ["versions.model", "versions.number"], name=op.f("fk_files_model_number")
        ),
        sa.ForeignKeyConstraint(
            ["model", "sha256"], ["blobs.model", "blobs.content"], name=op.f("fk_files_model_sha256")
        ),
        sa.PrimaryKeyConstraint("model", "number", "path", name=op.f("pk_files")),
    )
    op.create_index(op.f("ix_files_sha256"), "files", ["sha256"], unique=False)
    op.create_table(
        "version_metadata",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"],
            ["versions.model", "versions.number"],
            name=op.f("fk_version_metadata_model_number"),
        ),
        sa.PrimaryKeyConstraint("model", "number", "name", name=op.f("pk_version_metadata")),
    )
    op.create_table(
        "yanks",
        sa.Column("model", sa.String(length=257), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=27), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"], ["versions.model", "versions.number"], name=op.f("fk_yanks_model_number")
        ),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_yanks")),
    )


def downgrade() -> None:
    op.drop_table("yanks")
    op.drop_table("version_metadata")
    op.drop_index(op.f("ix_files_sha256"), table_name="files")
    op.drop_table("files")
    op.drop_index(op.f("ix_attestations_type"), table_name="attestations")
    op.drop_table("attestations")
    op.drop_table("aliases")
    op.drop_index(op.f("ix_versions_digest"), table_name="versions")
    op.drop_table("versions")
    op.drop_table("blobs")
    op.drop_index(op.f("ix_models_namespace"), table_name="models")
    op.drop_table("models")
    op.drop_table("sealed")
    op.drop_table("nodes")
    op.drop_table("namespaces")
    op.drop_table("leases")
    op.drop_table("head")
    op.drop_index(op.f("ix_acts_time"), table_name="acts")
    op.drop_index(op.f("ix_acts_model_number"), table_name="acts")
    op.drop_index(op.f("ix_acts_kind_seq"), table_name="acts")
    op.drop_index(op.f("ix_acts_actor"), table_name="acts")
    op.drop_table("acts")
