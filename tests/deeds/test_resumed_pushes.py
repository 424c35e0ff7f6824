"""Pushes that stop halfway: nothing of them is visible, and the same push again takes up what it stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from registry import acts, catalog, upload
from registry.blobs import BlobStore
from registry.checkout import checkout
from registry.context import Context
from registry.errors import ReferenceNotFound, SourceChanged, StoreUnavailable
from registry.fsck import fsck, gc
from registry.push import push
from registry.records import tables
from support import worlds


def versions(context: Context) -> list[tuple[str, int]]:
    return [(row["model"], row["number"]) for row in worlds.dump(context)["versions"]]


def clean(context: Context) -> None:
    checked = fsck(context)
    assert (checked.findings, checked.orphans, checked.under_way) == ((), (), ())


class Failing:
    """A store that fails when the n-th blob is about to be created."""

    def __init__(self, store: BlobStore, allowed: int) -> None:
        self._store, self._allowed = store, allowed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def create(self, name: str, size: int) -> Any:
        if not self._allowed:
            raise StoreUnavailable("the store is gone")
        self._allowed -= 1
        return self._store.create(name, size)


@pytest.mark.parametrize("stored", [0, 1, 2])
def test_an_interrupted_push_resumes_where_it_stopped(home: Path, model: Path, stored: int) -> None:
    with worlds.open_context(home) as context:
        context.__dict__["store"] = Failing(context.store, stored)
        with pytest.raises(StoreUnavailable):
            push(context, model, "vision/net")
        assert versions(context) == []
    with worlds.open_context(home) as context:
        kept = worlds.blobs_of(context)
        assert len(kept) == stored
        pushed = push(context, model, "vision/net")
        assert worlds.blobs_of(context).keys() >= kept.keys()
        assert len(worlds.blobs_of(context)) == 3
        assert pushed.ref.version == 1
        assert len(checkout(context, "vision/net").files) == 3
        clean(context)


def test_a_push_that_failed_at_the_door_resumes(
    home: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Context.act

    def closed(context: Context, body: acts.Body, **options: Any) -> Any:
        if isinstance(body, acts.Push):
            raise StoreUnavailable("the door is closed")
        return honest(context, body, **options)

    with worlds.open_context(home) as context:
        monkeypatch.setattr(Context, "act", closed)
        with pytest.raises(StoreUnavailable):
            push(context, model, "vision/net")
        kept = worlds.blobs_of(context)
        assert len(kept) == 3
    monkeypatch.undo()
    with worlds.open_context(home) as context:
        assert push(context, model, "vision/net").ref.version == 1
        assert worlds.blobs_of(context) == kept
        clean(context)


def test_what_was_collected_meanwhile_is_stored_again(home: Path, model: Path) -> None:
    with worlds.open_context(home) as context:
        context.__dict__["store"] = Failing(context.store, 2)
        with pytest.raises(StoreUnavailable):
            push(context, model, "vision/net")
    with worlds.open_context(home) as context:
        assert len(gc(context).removed) == 2
        assert worlds.blobs_of(context) == {}
        push(context, model, "vision/net")
        assert len(checkout(context, "vision/net").files) == 3
        clean(context)


def test_a_file_changed_between_the_attempts_is_stored_anew(home: Path, model: Path) -> None:
    with worlds.open_context(home) as context:
        context.__dict__["store"] = Failing(context.store, 2)
        with pytest.raises(StoreUnavailable):
            push(context, model, "vision/net")
    (model / "model.onnx").write_bytes((model / "model.onnx").read_bytes() + b"\x32\x01x")  # doc_string
    with worlds.open_context(home) as context:
        push(context, model, "vision/net")
        found = checkout(context, "vision/net").files["model.onnx"]
        assert bytes(found) == (model / "model.onnx").read_bytes()
        clean(context)


def test_a_journal_cut_short_by_a_crash_is_read_up_to_there(home: Path, model: Path) -> None:
    with worlds.open_context(home) as context:
        context.__dict__["store"] = Failing(context.store, 2)
        with pytest.raises(StoreUnavailable):
            push(context, model, "vision/net")
    (journal,) = (home / "pushes").iterdir()
    journal.write_bytes(journal.read_bytes()[:-20])
    with worlds.open_context(home) as context:
        push(context, model, "vision/net")
        assert len(checkout(context, "vision/net").files) == 3
        gc(context)
        clean(context)


@pytest.mark.parametrize(
    "rubbish", [b"", b"\n\n", b"{}\n", b"\xff\xfe\n", b"[" * 100_000, b'{"push":1}\n' * 9]
)
def test_a_journal_that_is_rubbish_is_no_journal(home: Path, model: Path, rubbish: bytes) -> None:
    with worlds.open_context(home) as context:
        context.__dict__["store"] = Failing(context.store, 1)
        with pytest.raises(StoreUnavailable):
            push(context, model, "vision/net")
    (journal,) = (home / "pushes").iterdir()
    journal.write_bytes(rubbish)
    with worlds.open_context(home) as context:
        push(context, model, "vision/net")
        assert len(checkout(context, "vision/net").files) == 3


@pytest.mark.parametrize("changed", ["model.onnx", "weights.bin"], ids=["just read", "still to come"])
def test_a_file_that_changes_during_the_push_is_noticed(
    context: Context, model: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """Between the inspection and the end of the reading, whichever file it is: model.onnx is read first."""
    honest = upload.seal

    def meanwhile(*arguments: Any) -> Any:
        done = honest(*arguments)
        (model / changed).write_bytes(b"x" * (model / changed).stat().st_size)
        return done

    monkeypatch.setattr(upload, "seal", meanwhile)
    with pytest.raises(SourceChanged, match="changed"):
        push(context, model, "vision/net")
    assert versions(context) == []
    assert len(worlds.blobs_of(context)) == (1 if changed == "model.onnx" else 2)


def test_a_failed_push_leaves_an_empty_model_at_most(context: Context, model: Path) -> None:
    """The model is created before the first byte is stored: its vault is what blob keys are sealed to."""
    context.__dict__["store"] = Failing(context.store, 1)
    with pytest.raises(StoreUnavailable):
        push(context, model, "vision/net")
    with pytest.raises(ReferenceNotFound, match="no such version"):
        checkout(context, "vision/net")
    assert versions(context) == []
    assert [act.kind for act, _ in worlds.acted(context)] == ["genesis", "create"]
    assert catalog.list_models(context) == []
    with context.engine.connect() as connection:
        assert connection.execute(sa.select(tables.leases)).all() == []
