"""Rotations that encrypt blobs again: all of them or none, and no blob that counts is ever removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from registry import access
from registry.context import Context
from registry.errors import DatabaseUnavailable, Denied, DiskTrouble, StoreUnavailable
from registry.fsck import gc
from support import worlds
from support.company import MODEL, REMAIN, Company
from support.failing import Failing


def test_reencrypting_gives_other_blobs_and_removes_the_old(staffed_anywhere: Company, tiny: Path) -> None:
    company = staffed_anywhere
    (tiny / "note.txt").write_text("")  # an empty file has a blob, too
    company.publish(tiny)
    before, files = company.blobs(), company.read("carol")
    ours = company.blob_keys()
    done = company.revoke("bob", "pull", MODEL, reencrypt=True)
    assert done.resealed == len(ours) == 3
    after = company.blobs()
    assert len(before.keys() - after.keys()) == len(after.keys() - before.keys()) == 3
    assert sorted(before.values()) == sorted(after.values())
    assert company.read("carol") == files
    assert company.read("dave", f"{MODEL}:1")["note.txt"] == b"first"
    assert company.readers("bob", *REMAIN) == set(REMAIN)
    company.clean()
    assert company.publish(tiny) == 3
    assert company.blobs() == after  # what is there is found under its new name
    company.clean()


@pytest.mark.parametrize(("method", "at"), [("create", 1), ("create", 2), ("open", 2)])
def test_a_reencryption_that_fails_half_way_changes_nothing(staffed: Company, method: str, at: int) -> None:
    with staffed.open() as context:
        before, blobs = worlds.dump(context), worlds.blobs_of(context)
        context.__dict__["store"] = Failing(context.store, method, at)
        with pytest.raises(StoreUnavailable):
            access.rotate(context, MODEL, reencrypt=True)
    with staffed.open() as context:
        assert (worlds.dump(context), worlds.blobs_of(context)) == (before, blobs)
    assert staffed.readers("bob", *REMAIN) == {"bob", *REMAIN}
    staffed.clean()


def test_a_reencryption_that_the_door_refuses_leaves_no_blob(
    staffed: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, blobs = Context.act, staffed.blobs()

    def refuse(context: Context, *_: object, **__: object) -> Any:
        raise Denied("not today")

    monkeypatch.setattr(Context, "act", refuse)
    with staffed.open() as context, pytest.raises(Denied):
        access.rotate(context, MODEL, reencrypt=True)
    monkeypatch.setattr(Context, "act", honest)
    assert staffed.blobs() == blobs
    staffed.clean()


@pytest.mark.parametrize("error", [DiskTrouble, DatabaseUnavailable])
def test_a_receipt_that_is_lost_costs_no_blob(
    staffed: Company, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """The act is admitted, then the disk cannot keep the checkpoint: the new blobs are what counts."""
    honest, files = Context.act, staffed.read("carol")

    def lose(context: Context, *arguments: Any, **options: Any) -> Any:
        honest(context, *arguments, **options)
        raise error("the receipt is lost")

    monkeypatch.setattr(Context, "act", lose)
    with staffed.open() as context, pytest.raises(error):
        access.rotate(context, MODEL, reencrypt=True)
    monkeypatch.setattr(Context, "act", honest)
    assert staffed.read("carol") == files
    staffed.clean()


def test_when_nobody_knows_whether_the_act_got_in_no_blob_is_lost(
    staffed: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks before the commit is known: the old blobs still count, and gc clears the new."""
    blobs, honest = staffed.blobs(), Context.act

    def broken(context: Context, *_: object, **__: object) -> Any:
        raise DatabaseUnavailable("the connection broke")

    monkeypatch.setattr(Context, "act", broken)
    with staffed.open() as context, pytest.raises(DatabaseUnavailable):
        access.rotate(context, MODEL, reencrypt=True)
    monkeypatch.setattr(Context, "act", honest)
    assert len(staffed.blobs()) == len(blobs) + 2
    with staffed.open() as context:
        assert len(gc(context).removed) == 2
    assert staffed.blobs() == blobs
    staffed.clean()


def test_old_blobs_that_cannot_be_removed_are_for_gc(staffed: Company) -> None:
    with staffed.open() as context:
        context.__dict__["store"] = Failing(context.store, "delete", 1)
        assert access.rotate(context, MODEL, reencrypt=True).resealed == 2
    assert staffed.readers("bob", *REMAIN) == {"bob", *REMAIN}
    with staffed.open() as context:
        gc(context)
    staffed.clean()
