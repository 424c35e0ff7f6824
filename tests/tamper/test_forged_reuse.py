"""A blob row put beside the ledger: the next push of that content must not be led to it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry import errors
from registry.push import push
from registry.records import tables
from registry.records.database import writing
from support import worlds


def test_a_push_is_not_led_to_a_forged_blob(tmp_path: Path) -> None:
    home = worlds.make_home(tmp_path / "home")
    first, second = (worlds.make_model(tmp_path / kind, kind) for kind in ("mlp", "cnn"))
    with worlds.open_context(home) as context:
        push(context, first, "team/model")
        with writing(context.engine) as connection:
            genuine = dict(connection.execute(sa.select(tables.blobs)).one()._mapping)
            content = hashlib.sha256(second.read_bytes()).hexdigest()
            connection.execute(sa.insert(tables.blobs), {**genuine, "id": "forged", "content": content})
        before = worlds.dump(context)
        with pytest.raises(errors.RegistryError) as caught:
            push(context, second, "team/model")
        assert caught.value.exit_code in (2, 5)
        assert len(worlds.only_refused(context, before)) == (caught.value.exit_code == 5)


def test_the_forged_row_is_refused_by_name_where_its_size_fits(tmp_path: Path) -> None:
    home = worlds.make_home(tmp_path / "home")
    first, second = (worlds.make_model(tmp_path / kind, kind) for kind in ("mlp", "cnn"))
    with worlds.open_context(home) as context:
        push(context, first, "team/model")
        with writing(context.engine) as connection:
            genuine = dict(connection.execute(sa.select(tables.blobs)).one()._mapping)
            fitting = {
                "id": "forged",
                "content": hashlib.sha256(second.read_bytes()).hexdigest(),
                "size": second.stat().st_size + 56,  # one segment: header and tag
            }
            connection.execute(sa.insert(tables.blobs), {**genuine, **fitting})
        before = worlds.dump(context)
        with pytest.raises(errors.BadReference, match="no act brought"):
            push(context, second, "team/model")
        assert len(worlds.only_refused(context, before)) == 1
        with writing(context.engine) as connection:
            connection.execute(sa.delete(tables.blobs).where(tables.blobs.c.id == "forged"))
        assert push(context, second, "team/model").ref.version == 2
