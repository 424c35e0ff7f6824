"""Who sees what of the audit: an auditor everything, an engineer what concerns them and their models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from registry import access, catalog
from registry.audit.query import Query
from registry.audit.search import count, group, search
from registry.context import Context
from registry.errors import NotPermitted
from registry.push import push
from support import rehearsed
from support.company import MODEL, OTHER, Company


@pytest.fixture(scope="module")
def divided(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """bob may pull MODEL; OTHER, its people and its words are none of his business. To read from."""
    directory = tmp_path_factory.mktemp("divided")
    company, tiny = rehearsed.staffed(directory), directory / "tiny"
    (tiny / "note.txt").write_text("second")
    with company.open() as context:
        push(context, tiny, OTHER, metadata={"note": "the secret merger"}, label="secret-1")
        catalog.yank(context, f"{OTHER}:1", "the secret reason")
    company.enroll("audrey", role="auditor")
    return company


def _shown(context: Context, **conditions: Any) -> set[str]:
    """The places of all that a search shows, each page in turn."""
    query = Query(**conditions)
    found = search(context, query, limit=0).events
    assert count(context, query) == len(found)
    assert sum(one.acts for one in group(context, query, "model")) == len(found)
    return {one.on for one in found}


def test_an_engineer_sees_their_own_models_and_themselves(divided: Company) -> None:
    with divided.open("bob") as context:
        found = search(context, Query(), limit=0).events
        assert {one.on for one in found} == {MODEL, "vision/", "bob"}
        assert all(one.actor == "bob" or one.on in (MODEL, "vision/", "bob") for one in found)
        assert _shown(context, sort="on", reverse=True) == {MODEL, "vision/", "bob"}
        for conditions in (
            {"on": OTHER},
            {"on": f"{OTHER}:1"},
            {"on": "ml"},
            {"on": "carol"},
            {"text": "secret"},
            {"text": OTHER},
            {"actions": ("yank",)},
            {"team": "ml", "on": OTHER},
            {"actor": "carol", "on": OTHER},
            {"sort": "actor", "outcome": "allowed", "on": OTHER},
        ):
            assert _shown(context, **conditions) == set(), conditions
        assert _shown(context, on="vision/") == {MODEL, "vision/"}
        assert OTHER not in {one.value for one in group(context, Query(), "model")}
        with pytest.raises(NotPermitted):
            search(context, Query(on=f"{OTHER}:secret-1"))


def test_neither_a_digest_nor_a_cursor_shows_more(divided: Company) -> None:
    with divided.open() as context:
        (push, *_) = search(context, Query(on=OTHER, actions=("push",))).events
        version = catalog.show(context, f"{OTHER}:2")
        after = search(context, Query(), limit=1).next
    with divided.open("bob") as context:
        for digest in (push.digest, version["digest"], push.digest[:8]):
            assert _shown(context, digest=digest) == set()
        assert {one.on for one in search(context, Query(), limit=0, after=after).events} <= {
            MODEL,
            "vision/",
            "bob",
        }


def test_what_was_taken_back_is_seen_no_more_but_ones_own_acts(divided: Company, tmp_path: Path) -> None:
    staffed = rehearsed.copied(divided, tmp_path)
    with staffed.open("bob") as context:
        assert {one.actor for one in search(context, Query(on=MODEL), limit=0).events} > {"bob"}
    staffed.revoke("bob", "pull", MODEL)
    with staffed.open("bob") as context:
        assert {one.actor for one in search(context, Query(), limit=0).events if one.on == MODEL} == {"bob"}


def test_an_auditor_sees_everything_and_holds_no_key(divided: Company) -> None:
    with divided.open() as admin, divided.open("audrey") as auditor:
        assert search(auditor, Query(), limit=0) == search(admin, Query(), limit=0)
        assert _shown(auditor, text="SECRET MERGER") == {OTHER}
        assert not admin.law().state.sealed_to["audrey"]
        assert access.effective(admin, "audrey") == []


def test_a_stranger_sees_nothing(divided: Company) -> None:
    divided.makes("mallory")
    with divided.open("mallory") as context, pytest.raises(NotPermitted):
        search(context, Query())
