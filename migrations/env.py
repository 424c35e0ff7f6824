"""How Alembic runs here: on the engine it is handed, one transaction, one migrator at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from registry.records.tables import metadata

_ADVISORY_LOCK = 0x48414C4C  # any constant of ours; PostgreSQL's advisory locks are per database


def _run(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET lock_timeout = '10s'")
        connection.exec_driver_sql("SET statement_timeout = '10min'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    context.run_migrations()


engine: sa.Engine = context.config.attributes["engine"]
after = context.config.attributes.get("after")
with engine.connect().execution_options(hallmark_write=True) as opened:
    if opened.dialect.name == "postgresql":
        # A migrator that waited for the lock must see what the one before it committed.
        opened.execution_options(isolation_level="READ COMMITTED")
    with opened.begin():
        _run(opened)
        if after is not None:
            after(opened)
