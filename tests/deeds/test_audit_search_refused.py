"""Searches that make no sense, and tables that say what no act says: both are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from registry.audit.query import Query
from registry.audit.search import count, search
from registry.context import Context
from registry.errors import (
    BadAuthority,
    BadReference,
    InvalidInput,
    InvalidReference,
    MemberNotFound,
    ReferenceNotFound,
)
from registry.records import tables
from registry.records.database import writing
from support import rehearsed
from support.company import Company

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A company to read from."""
    return rehearsed.staffed(tmp_path_factory.mktemp("staff"))


@pytest.fixture
def stage(staff: Company, tmp_path: Path) -> Company:
    """A copy of the company, whose tables may be changed."""
    return rehearsed.copied(staff, tmp_path)


@pytest.mark.parametrize(
    ("conditions", "error"),
    [
        ({"actor": "nobody"}, MemberNotFound),
        ({"actor": "' or 1=1 --"}, MemberNotFound),
        ({"team": "alice"}, MemberNotFound),
        ({"actions": ("pul",)}, InvalidInput),
        ({"actions": ("refusal",)}, InvalidInput),
        ({"outcome": "denyed"}, InvalidInput),
        ({"on": "vision/net:none"}, ReferenceNotFound),
        ({"on": "vision//"}, InvalidReference),
        ({"on": "../x"}, InvalidReference),
        ({"on": "a b"}, InvalidReference),
        ({"digest": "abcdef1"}, InvalidInput),
        ({"digest": "g" * 64}, InvalidInput),
        ({"digest": "0" * 65}, InvalidInput),
        ({"on": f"vision/net@sha256:{'0' * 64}", "digest": "1" * 64}, InvalidInput),
        ({"version": 0}, InvalidInput),
        ({"text": "\0"}, InvalidInput),
        ({"text": "\udc80"}, InvalidInput),
        ({"text": "x" * 1001}, InvalidInput),
        ({"since": NOON, "until": NOON}, InvalidInput),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_makes_no_sense_is_refused(staff: Company, conditions: dict[str, Any], error: Any) -> None:
    with staff.open() as context:
        for asked in (search, count):
            with pytest.raises(error):
                asked(context, Query(**conditions))


def test_a_text_is_no_pattern_and_no_statement(staff: Company) -> None:
    with staff.open() as context:
        before = count(context, Query())
        for text in (
            "%",
            "_",
            "'; DROP TABLE events; --",
            "vision%",
            "\\",
            '"',
            "<script>",
            "*",
            "' OR '1'='1",
        ):
            assert search(context, Query(text=text)).events == []
            assert count(context, Query(text=text)) == 0
        assert count(context, Query()) == before


def _tamper(context: Context, **values: Any) -> None:
    with writing(context.raw_engine) as connection:
        of_push = tables.events.c.action == "push"
        connection.execute(sa.update(tables.events).where(of_push).values(**values))


def test_a_table_that_names_another_actor_is_not_believed(stage: Company) -> None:
    with stage.open() as context:
        _tamper(context, member="bob")
        with pytest.raises(BadAuthority, match="another actor") as caught:
            search(context, Query(actor="bob"))
        assert "audit verify" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("values", "conditions"),
    [
        ({"action": "pull"}, {"actions": ("pull",)}),
        ({"place": "vision/elsewhere"}, {"on": "vision/elsewhere"}),
        ({"number": 7}, {"version": 7}),
        ({"outcome": "refused"}, {"outcome": "refused"}),
        ({"code": "yanked"}, {"outcome": "yanked"}),
    ],
    ids=["action", "place", "number", "outcome", "code"],
)
def test_a_table_that_says_what_the_act_does_not_is_not_believed(
    stage: Company, values: dict[str, Any], conditions: dict[str, Any]
) -> None:
    with stage.open() as context:
        _tamper(context, **values)
        with pytest.raises(BadReference, match="what the act does not"):
            search(context, Query(**conditions))
