"""Leases: whose push may still be under way, and whose owner is gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry.records import leases, schema, tables
from registry.records.database import open_engine, reading, writing

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = open_engine(f"sqlite:///{tmp_path / 'db'}")
    schema.upgrade(opened)
    yield opened
    opened.dispose()


def take(engine: sa.Engine, push: str, now: datetime = NOW) -> None:
    with writing(engine) as connection:
        leases.take(connection, push, "vision/net", now)


def change(engine: sa.Engine, push: str, **values: str) -> None:
    with writing(engine) as connection:
        connection.execute(sa.update(tables.leases).where(tables.leases.c.push == push).values(**values))


def active(engine: sa.Engine, now: datetime = NOW) -> frozenset[str]:
    with reading(engine) as connection:
        return leases.active(connection, now)


def of(engine: sa.Engine, push: str) -> sa.Row[tuple[str, ...]]:
    with reading(engine) as connection:
        return connection.execute(sa.select(tables.leases).where(tables.leases.c.push == push)).one()


def ended_process() -> str:
    """PID and start of a process that has ended, as a lease of its own would have them."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        noted = leases._process(process.pid)
        assert process.stdin
        process.stdin.close()
    assert noted.startswith(f"{process.pid}:")
    assert "gone" not in noted
    return noted


def test_a_lease_of_this_process_is_active_however_long_it_takes(engine: sa.Engine) -> None:
    take(engine, "mine")
    assert of(engine, "mine").process.startswith(f"{os.getpid()}:")
    assert active(engine, NOW + 10 * leases.TERM) == {"mine"}


def test_a_lease_of_another_living_process_is_active(engine: sa.Engine) -> None:
    take(engine, "other")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        change(engine, "other", process=leases._process(process.pid))
        assert active(engine, NOW + 10 * leases.TERM) == {"other"}
        assert process.stdin
        process.stdin.close()
    assert active(engine, NOW) == frozenset()


def test_a_lease_of_a_dead_process_is_over_at_once(engine: sa.Engine) -> None:
    take(engine, "dead")
    change(engine, "dead", process=ended_process())
    assert active(engine, NOW) == frozenset()


def test_a_process_that_got_a_dead_ones_number_does_not_inherit_its_lease(engine: sa.Engine) -> None:
    take(engine, "reused")
    pid, _, start = of(engine, "reused").process.partition(":")
    change(engine, "reused", process=f"{pid}:{int(start) - 1}")
    assert active(engine, NOW) == frozenset()


@pytest.mark.parametrize("process", ["", ":", "abc:1", "-1:1", "0:gone", f"{2**31}:1", "²:1"])
def test_what_is_no_process_is_not_alive(engine: sa.Engine, process: str) -> None:
    take(engine, "odd")
    change(engine, "odd", process=process)
    assert active(engine, NOW) == frozenset()


def test_a_lease_of_another_host_lasts_for_its_term(engine: sa.Engine) -> None:
    take(engine, "far")
    change(engine, "far", host=f"not-{socket.gethostname()}", process=ended_process())
    assert active(engine, NOW) == {"far"}
    assert active(engine, NOW + leases.TERM - SECOND) == {"far"}
    assert active(engine, NOW + leases.TERM + SECOND) == frozenset()


def test_a_renewal_begins_the_term_anew(engine: sa.Engine) -> None:
    take(engine, "far")
    take(engine, "far", NOW + leases.TERM - SECOND)
    change(engine, "far", host="elsewhere")
    assert active(engine, NOW + leases.TERM + SECOND) == {"far"}


def test_taking_over_leaves_one_owner(engine: sa.Engine) -> None:
    take(engine, "push")
    change(engine, "push", process=ended_process())
    take(engine, "push")
    assert active(engine) == {"push"}


def test_ending_gives_back_one_lease_only(engine: sa.Engine) -> None:
    take(engine, "one")
    take(engine, "two")
    with writing(engine) as connection:
        leases.end(connection, "one")
        leases.end(connection, "never taken")
    assert active(engine) == {"two"}


def test_the_dead_are_forgotten_and_the_living_kept(engine: sa.Engine) -> None:
    for push in ("mine", "dead", "far", "over"):
        take(engine, push)
    change(engine, "dead", process=ended_process())
    change(engine, "far", host="elsewhere")
    change(engine, "over", host="elsewhere", expires="2026-01-01T00:00:00.000000Z")
    with writing(engine) as connection:
        leases.drop_dead(connection, NOW)
        left = set(connection.execute(sa.select(tables.leases.c.push)).scalars())
    assert left == {"mine", "far"}
