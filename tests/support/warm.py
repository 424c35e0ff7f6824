"""Engines of one process share what SQLAlchemy has compiled: a test run opens thousands of databases.

Each engine would compile every statement anew, a fifth of the run's time. A statement means the same for
every database of one kind, driver and isolation level, so they share the dialect of the first one of them
that has connected, and its cache.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_create = sa.create_engine
_first: dict[tuple[str, str, object], sa.Engine] = {}


def install() -> None:
    """From now on in this process."""
    sa.create_engine = _sharing


def _sharing(url: Any, **options: Any) -> sa.Engine:
    engine = _create(url, **options)
    kind = (engine.dialect.name, engine.dialect.driver, options.get("isolation_level"))
    first = _first.setdefault(kind, engine)
    if getattr(first.dialect, "server_version_info", None):  # it has connected
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine
