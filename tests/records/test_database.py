"""Opening a database: what cannot be opened is said in our words, and never with a password in them."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry.errors import DatabaseUnavailable, DiskTrouble, InvalidInput, RegistryError
from registry.records import database, schema, tables
from registry.records.database import open_engine, reading, writing

SECRET = "s3cr3t-pass"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    opened = open_engine(database_url)
    schema.upgrade(opened)
    yield opened
    opened.dispose()


URLS = {
    "nothing": "",
    "a path": "/var/lib/registry.db",
    "an unknown kind": f"mysql://root:{SECRET}@host/db",
    "another driver": f"postgresql+psycopg2://u:{SECRET}@host/db",
    "a bare postgresql": f"postgresql://u:{SECRET}@host/db",
    "a port that is none": f"postgresql+psycopg://u:{SECRET}@host:port/db",
}


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_a_url_of_another_kind_is_refused_with_a_hint(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_engine(url)
    assert "postgresql+psycopg://" in (caught.value.hint or "")
    assert SECRET not in str(caught.value.to_dict())


def test_a_file_that_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(b"This is a text file, not a database.\n" * 200)
    opened = open_engine(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnavailable) as caught:
        schema.check(opened)
    assert str(path) in str(caught.value)
    assert "backup" in (caught.value.hint or "")
    opened.dispose()


def test_a_database_cut_short_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    opened = open_engine(f"sqlite:///{path}")
    schema.upgrade(opened)
    opened.dispose()
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)
    with pytest.raises(DatabaseUnavailable) as caught:
        _read_all(opened)
    assert "backup" in (caught.value.hint or "")
    opened.dispose()


def _read_all(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        for table in tables.metadata.sorted_tables:
            list(connection.execute(sa.select(table)))


def test_a_directory_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    opened = open_engine(f"sqlite:///{tmp_path / 'gone' / 'registry.db'}")
    with pytest.raises(DatabaseUnavailable, match="gone"):
        schema.check(opened)


def test_a_full_disk_is_not_called_a_broken_database(tmp_path: Path) -> None:
    opened = open_engine(f"sqlite:///{tmp_path / 'registry.db'}")
    schema.upgrade(opened)
    with pytest.raises(DiskTrouble) as caught:
        _overfill(opened)
    assert "space" in (caught.value.hint or "")
    with reading(opened) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.namespaces)).scalar_one() == 0
    opened.dispose()


def _overfill(engine: sa.Engine) -> None:
    rows = [{"name": f"n{number}" * 60, "seq": number} for number in range(9999)]
    with writing(engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        connection.execute(sa.insert(tables.namespaces), rows)


UNREACHABLE = {
    "nobody listens": f"postgresql+psycopg://alice:{SECRET}@127.0.0.1:9/registry",
    "no such socket": f"postgresql+psycopg://alice:{SECRET}@/registry?host=/nonexistent",
    "no such host": f"postgresql+psycopg://alice:{SECRET}@registry.invalid/registry",
}


@pytest.mark.parametrize("url", UNREACHABLE.values(), ids=UNREACHABLE)
@pytest.mark.parametrize("deed", [schema.check, schema.current, schema.upgrade])
def test_an_unreachable_server_is_unavailable_and_its_password_secret(url: str, deed: object) -> None:
    opened = open_engine(url)
    with pytest.raises(DatabaseUnavailable) as caught:
        deed(opened)  # type: ignore[operator]
    assert SECRET not in repr(caught.value.to_dict())
    assert caught.value.hint
    assert caught.value.exit_code == 7
    opened.dispose()


def test_a_refused_password_is_not_repeated(postgres_url: str) -> None:
    url = sa.make_url(postgres_url).set(username="nobody-here", password=SECRET)
    opened = open_engine(url.render_as_string(hide_password=False))
    with pytest.raises(DatabaseUnavailable) as caught:
        schema.check(opened)
    assert SECRET not in repr(caught.value.to_dict())


def test_a_failed_block_leaves_nothing(engine: sa.Engine) -> None:
    def fail() -> None:
        with writing(engine) as connection:
            connection.execute(sa.insert(tables.namespaces), {"name": "vision", "seq": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with reading(engine) as connection:
        assert connection.execute(sa.select(tables.namespaces)).all() == []


def test_our_errors_pass_through_untranslated(engine: sa.Engine) -> None:
    with pytest.raises(RegistryError, match="as it is"), writing(engine):
        raise RegistryError("as it is")


def test_a_reader_sees_one_state_throughout(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        assert connection.execute(sa.select(tables.namespaces)).all() == []
        with writing(engine) as writer:
            writer.execute(sa.insert(tables.namespaces), {"name": "vision", "seq": 1})
        assert connection.execute(sa.select(tables.namespaces)).all() == []
    with reading(engine) as connection:
        assert len(connection.execute(sa.select(tables.namespaces)).all()) == 1


def test_a_writer_waits_for_the_one_before_it_and_sees_what_it_wrote(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.head), {"id": 1, "size": 0, "note": ""})
    seen: list[int] = []

    def count() -> None:
        with writing(engine) as connection:
            size = connection.execute(sa.select(tables.head.c.size)).scalar_one()
            seen.append(size)
            time.sleep(0.02)
            connection.execute(sa.update(tables.head).values(size=size + 1))

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(seen) == list(range(5))


def test_a_writer_that_waits_too_long_says_who_is_in_the_way(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT", 0.3)
    impatient = open_engine(engine.url.render_as_string(hide_password=False))
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.head), {"id": 1, "size": 0, "note": ""})
    with writing(engine) as connection:
        connection.execute(sa.update(tables.head).values(size=1))
        with pytest.raises(DatabaseUnavailable) as caught, writing(impatient):
            pass
    assert "another writer" in (caught.value.hint or "")
    impatient.dispose()


def test_commits_on_sqlite_survive_a_power_cut(tmp_path: Path) -> None:
    """WAL with full synchronisation, and foreign keys held."""
    opened = open_engine(f"sqlite:///{tmp_path / 'db'}")
    with reading(opened) as connection:
        wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted}
    assert found == wanted
    opened.dispose()


def test_rows_without_their_parent_are_refused(engine: sa.Engine) -> None:
    with pytest.raises((sa.exc.IntegrityError, DatabaseUnavailable)), writing(engine) as connection:
        connection.execute(sa.insert(tables.models), {"model": "vision/net", "namespace": "vision", "seq": 1})


def test_the_engine_is_sqlite_as_this_python_has_it() -> None:
    assert sqlite3.sqlite_version_info >= (3, 35)  # ALTER TABLE DROP COLUMN, which migrations may use
