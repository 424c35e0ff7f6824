"""The sealed keys beside the ledger: all that is named and nothing else, and gone when it is dropped."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry.errors import BadEncryption, Conflict, InvalidInput
from registry.records import schema, sealed, tables
from registry.records.database import open_engine, reading, writing


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    opened = open_engine(database_url)
    schema.upgrade(opened)
    with writing(opened) as connection:
        connection.execute(sa.insert(tables.head), {"id": 1, "size": 0, "note": ""})
    yield opened
    opened.dispose()


def some(count: int, size: int = 300) -> dict[str, bytes]:
    """So many ciphertexts, by digest."""
    return {
        hashlib.sha256(data).hexdigest(): data for data in (secrets.token_bytes(size) for _ in range(count))
    }


def put(engine: sa.Engine, given: dict[str, bytes], named: list[str] | None = None) -> None:
    with writing(engine) as connection:
        sealed.put(connection, list(given) if named is None else named, given)


def held(engine: sa.Engine) -> dict[str, bytes]:
    with reading(engine) as connection:
        return {digest: bytes(data) for digest, data in connection.execute(sa.select(tables.sealed))}


def test_what_is_put_can_be_got(engine: sa.Engine) -> None:
    given = some(3)
    put(engine, given)
    with reading(engine) as connection:
        assert sealed.get(connection, list(given)) == given
        one = next(iter(given))
        assert sealed.get(connection, [one, one]) == {one: given[one]}
        assert sealed.get(connection, []) == {}


def test_more_than_one_query_takes(engine: sa.Engine) -> None:
    given = some(1201, 8)
    put(engine, given)
    with reading(engine) as connection:
        assert sealed.get(connection, list(given)) == given
    with writing(engine) as connection:
        sealed.drop(connection, list(given)[1:])
    assert held(engine) == dict([next(iter(given.items()))])


def test_the_largest_that_may_be_is_kept(engine: sa.Engine) -> None:
    given = some(1, sealed.LIMIT)
    put(engine, given)
    assert held(engine) == given


REFUSED = {
    "named and not given": (lambda given: (list(given), {}), "not those"),
    "given and not named": (lambda given: ([], given), "not those"),
    "one missing": (lambda given: (list(given), dict(list(given.items())[1:])), "not those"),
    "one too many": (lambda given: (list(given), {**given, **some(1)}), "not those"),
    "named twice": (lambda given: ([*given, next(iter(given))], given), "not those"),
    "other bytes": (lambda given: (list(given), dict.fromkeys(given, b"other")), "its digest"),
    "empty": (lambda given: (list(given), dict.fromkeys(given, b"")), "its digest"),
    "too big": (lambda given: (list(big := some(1, sealed.LIMIT + 1)), big), "its digest"),
    "digest in capitals": (
        lambda given: ([one.upper() for one in given], {one.upper(): data for one, data in given.items()}),
        "its digest",
    ),
}


@pytest.mark.parametrize("flaw", REFUSED)
def test_anything_but_what_is_named_is_refused(engine: sa.Engine, flaw: str) -> None:
    forge, says = REFUSED[flaw]
    named, given = forge(some(2))
    with pytest.raises(InvalidInput, match=says):
        put(engine, given, named)
    assert held(engine) == {}


def test_what_is_there_already_is_not_put_again(engine: sa.Engine) -> None:
    """Otherwise two acts would hang on one row, and to destroy the key of one were to destroy both."""
    given = some(2)
    put(engine, given)
    one = dict([next(iter(given.items()))])
    with pytest.raises(Conflict, match="there already"):
        put(engine, {**one, **some(1)})
    assert held(engine) == given


def test_a_missing_key_is_noticed(engine: sa.Engine) -> None:
    given = some(2)
    put(engine, given)
    with writing(engine) as connection:
        sealed.drop(connection, [next(iter(given))])
    with reading(engine) as connection, pytest.raises(BadEncryption, match="lost") as caught:
        sealed.get(connection, list(given))
    assert "backup" in (caught.value.hint or "")


def test_a_changed_key_is_noticed(engine: sa.Engine) -> None:
    given = some(2)
    put(engine, given)
    with writing(engine) as connection:
        mine = tables.sealed.c.sha256 == next(iter(given))
        connection.execute(sa.update(tables.sealed).where(mine).values(ciphertext=b"changed"))
    with reading(engine) as connection, pytest.raises(BadEncryption, match="changed"):
        sealed.get(connection, list(given))


def test_what_is_dropped_is_gone_and_the_rest_stays(engine: sa.Engine) -> None:
    given = some(3)
    put(engine, given)
    first, *rest = given
    with writing(engine) as connection:
        sealed.drop(connection, [first, first, "0" * 64])
    assert held(engine) == {digest: given[digest] for digest in rest}


def test_a_drop_that_is_not_committed_drops_nothing(engine: sa.Engine) -> None:
    given = some(1)
    put(engine, given)

    def interrupted() -> None:
        with writing(engine) as connection:
            sealed.drop(connection, list(given))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert held(engine) == given


def _files(path: Path) -> bytes:
    return b"".join(part.read_bytes() for part in sorted(path.parent.glob(f"{path.name}*")))


@pytest.mark.parametrize("size", [100, 3000, sealed.LIMIT])
def test_no_byte_of_a_dropped_key_stays_in_the_files_of_sqlite(tmp_path: Path, size: int) -> None:
    """A revoked member may take the file afterwards: not in free pages, and not in the write-ahead log."""
    path = tmp_path / "registry.db"
    opened = open_engine(f"sqlite:///{path}")
    schema.upgrade(opened)
    given = some(40, size)
    put(opened, given)
    gone = list(given)[::2]
    # pages of a large value are its own: a run of bytes from inside it is as telling as its beginning
    runs = {digest: [given[digest][at : at + 32] for at in range(0, size - 32, 500)] for digest in given}
    assert all(run in _files(path) for digest in gone for run in runs[digest][:1])
    with writing(opened) as connection:
        sealed.drop(connection, gone)
    with opened.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    left = _files(path)
    assert [digest for digest in gone if any(run in left for run in runs[digest])] == []
    assert all(runs[digest][0] in left for digest in given if digest not in gone)
    opened.dispose()


def test_a_program_that_ends_leaves_no_byte_of_a_dropped_key(tmp_path: Path) -> None:
    """The last connection to close moves the write-ahead log into the file, and removes it."""
    path = tmp_path / "registry.db"
    opened = open_engine(f"sqlite:///{path}")
    schema.upgrade(opened)
    given = some(40, 3000)
    put(opened, given)
    with writing(opened) as connection:
        sealed.drop(connection, given)
    opened.dispose()
    assert [part.name for part in tmp_path.iterdir()] == [path.name]
    left = path.read_bytes()
    assert not any(data[at : at + 32] in left for data in given.values() for at in range(0, 2968, 500))


def test_without_overwriting_the_bytes_would_stay(tmp_path: Path) -> None:
    """So the test above can fail: SQLite by itself leaves what it deletes in free pages."""
    path = tmp_path / "registry.db"
    opened = open_engine(f"sqlite:///{path}")
    schema.upgrade(opened)
    given = some(40, 3000)
    put(opened, given)
    with writing(opened) as connection:
        connection.exec_driver_sql("PRAGMA secure_delete=OFF")
        sealed.drop(connection, list(given))
    opened.dispose()
    assert any(data[500:532] in _files(path) for data in given.values())
