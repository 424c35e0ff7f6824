"""Attacks on what leads to a version: aliases, labels and yanks."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from registry import catalog
from registry.checkout import checkout
from registry.records import tables
from support.attacks import absent, denied, entry_of, found, push_body, refused
from support.victim import MODEL, REF, VERSION, YANKED, Victim

_PROD = tables.aliases.c.name == "prod"


def _alias(victim: Victim, **values: Any) -> None:
    victim.execute(sa.update(tables.aliases).where(_PROD).values(values))


def _hide(victim: Victim, seq: int, **values: Any) -> None:
    """Change the index beside an act, so that nothing leads to it."""
    victim.execute(sa.update(tables.acts).where(tables.acts.c.seq == seq).values(values))


def test_every_name_leads_to_its_version(victim: Victim) -> None:
    for suffix in ("prod", "1.4.0-int8", str(VERSION)):
        with victim.open() as context:
            assert checkout(context, f"{MODEL}:{suffix}").digest == push_body(victim).digest


@pytest.mark.parametrize("number", [1, 3])
def test_an_alias_pointed_at_another_version_is_refused(victim: Victim, number: int) -> None:
    _alias(victim, number=number)
    refused(victim, 5, "bad-reference")
    assert "row-differs" in found(victim, "aliases.number")


def test_an_alias_pointed_at_a_version_there_is_not_leads_nowhere(victim: Victim) -> None:
    _alias(victim, number=9)
    absent(victim)
    assert "row-differs" in found(victim, "aliases.number")


def test_an_alias_rolled_back_to_an_older_act_is_refused(victim: Victim) -> None:
    """Number and entry as they were before: each cell is one that a genuine act wrote."""
    older = victim.older["aliases"][0]
    assert (older["number"], older["seq"]) == (1, entry_of(victim, "push", 1))
    _alias(victim, number=1, seq=older["seq"])
    refused(victim, 5, "bad-reference")
    assert "row-differs" in found(victim, "aliases.number, seq")


def test_an_alias_rolled_back_to_a_push_without_it_is_refused(victim: Victim) -> None:
    _alias(victim, number=3, seq=entry_of(victim, "push", 3))
    refused(victim, 5, "bad-reference")


def test_an_alias_moved_onto_another_models_is_refused(victim: Victim) -> None:
    victim.execute(sa.update(tables.aliases).where(_PROD).values(model="vision/other", number=1))
    refused(victim, 5, "bad-reference", "vision/other:prod")
    absent(victim)


def test_an_alias_that_nobody_set_is_refused(victim: Victim) -> None:
    row = {"model": MODEL, "name": "stable", "number": VERSION, "seq": entry_of(victim, "alias", VERSION)}
    victim.execute(sa.insert(tables.aliases).values(row))
    refused(victim, 5, "bad-reference", f"{MODEL}:stable")


def test_an_alias_that_shadows_a_label_is_refused(victim: Victim) -> None:
    """The label of version 2 as an alias to version 1: whichever is found, it is not taken."""
    row = {"model": MODEL, "name": "1.4.0-int8", "number": 1, "seq": entry_of(victim, "push", 1)}
    victim.execute(sa.insert(tables.aliases).values(row))
    refused(victim, 5, "bad-reference", f"{MODEL}:1.4.0-int8")


def test_swapped_labels_are_refused(victim: Victim) -> None:
    versions = tables.versions
    for number, label in ((2, "aside"), (3, "1.4.0-int8"), (2, "1.5.0-int8")):
        where = sa.and_(versions.c.model == MODEL, versions.c.number == number)
        victim.execute(sa.update(versions).where(where).values(label=label))
    for label in ("1.4.0-int8", "1.5.0-int8"):
        refused(victim, 5, "bad-reference", f"{MODEL}:{label}")
    refused(victim, 5, "bad-reference")


def test_a_label_given_to_a_version_without_one_is_refused(victim: Victim) -> None:
    versions = tables.versions
    where = sa.and_(versions.c.model == MODEL, versions.c.number == 1)
    victim.execute(sa.update(versions).where(where).values(label="forged"))
    refused(victim, 5, "bad-reference", f"{MODEL}:forged")


# --- yanks --------------------------------------------------------------------------------------


def test_a_yanked_version_is_denied(victim: Victim) -> None:
    """The control: honest, and no forgery."""
    denied(victim, 7, "yanked", YANKED)


def test_a_version_unyanked_by_deleting_the_row_stays_yanked(victim: Victim) -> None:
    victim.execute(sa.delete(tables.yanks))
    denied(victim, 7, "yanked", YANKED)
    denied(victim, 7, "yanked", MODEL)  # it is the newest again, and still withdrawn
    assert found(victim, "yanks ") == {"row-missing"}


def test_a_yank_row_moved_to_another_version_withdraws_neither(victim: Victim) -> None:
    victim.execute(sa.update(tables.yanks).values(number=VERSION))
    refused(victim, 5, "bad-reference")
    denied(victim, 7, "yanked", YANKED)


def test_a_hidden_yank_act_is_found_by_its_row(victim: Victim) -> None:
    _hide(victim, entry_of(victim, "yank", 3), kind="pull")
    denied(victim, 7, "yanked", YANKED)
    assert found(victim, "acts.kind") == {"index-differs"}


def test_the_door_alone_does_not_release_a_yanked_version(victim: Victim) -> None:
    """Nor does an alias to it pass, set before somebody hid the yank from the tables."""
    victim.execute(sa.delete(tables.yanks))
    with victim.open() as context:
        catalog.alias(context, YANKED, "late")
    denied(victim, 7, "yanked", f"{MODEL}:late")


WITHHELD = {
    "kind": {"kind": "pull"},
    "model": {"model": "vision/other"},
    "number": {"number": 1},
}


@pytest.mark.parametrize("column", WITHHELD)
def test_a_yank_withheld_whole_is_found_by_fsck(victim: Victim, column: str) -> None:
    """Row and index both: what the threat model grants to whoever writes the database (to withhold).

    No checkout can tell, for it asks the database which acts speak of a version; a replay of the ledger can.
    """
    victim.execute(sa.delete(tables.yanks))
    _hide(victim, entry_of(victim, "yank", 3), **WITHHELD[column])
    victim.passes(YANKED)
    assert found(victim, f"acts.{column}") == {"index-differs"}
    assert found(victim, "yanks ") == {"row-missing"}


@pytest.mark.parametrize("column", WITHHELD)
def test_an_alias_act_withheld_whole_is_found_by_fsck(victim: Victim, column: str) -> None:
    """The same for an alias: an older one is served, and fsck tells."""
    _alias(victim, number=1, seq=entry_of(victim, "push", 1))
    _hide(victim, entry_of(victim, "alias", VERSION), **WITHHELD[column])
    victim.passes(REF) if column != "number" else refused(victim, 5, "bad-reference")
    assert found(victim, f"acts.{column}") == {"index-differs"}
    assert "row-differs" in found(victim, "aliases.number, seq")
