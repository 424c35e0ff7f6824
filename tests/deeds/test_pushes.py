"""Push: each content stored once, and nothing published that is not safe to pull."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from registry.checkout import checkout
from registry.context import Context
from registry.errors import (
    AlreadyExists,
    Denied,
    InvalidInput,
    InvalidModel,
    InvalidReference,
    NotFound,
    UnsafePath,
)
from registry.fsck import fsck
from registry.push import push
from support import worlds


def versions(context: Context) -> list[tuple[str, int]]:
    return [(row["model"], row["number"]) for row in worlds.dump(context)["versions"]]


def clean(context: Context) -> None:
    checked = fsck(context)
    assert (checked.findings, checked.orphans, checked.under_way) == ((), (), ())


# --- each content once ------------------------------------------------------------------------


def test_the_same_files_again_store_nothing(anywhere: Context, model: Path) -> None:
    first = push(anywhere, model, "vision/net")
    stored = worlds.blobs_of(anywhere)
    assert (first.stored, first.reused, len(stored)) == (3, 0, 3)
    second = push(anywhere, model, "vision/net")
    assert (second.stored, second.reused, second.digest) == (0, 3, first.digest)
    assert worlds.blobs_of(anywhere) == stored
    clean(anywhere)


def test_one_changed_file_stores_one(anywhere: Context, model: Path) -> None:
    push(anywhere, model, "vision/net")
    before = worlds.blobs_of(anywhere)
    (model / "tokenizer.json").write_text('{"vocabulary": ["a"]}')
    second = push(anywhere, model, "vision/net")
    after = worlds.blobs_of(anywhere)
    assert (second.stored, second.reused) == (1, 2)
    assert after.keys() > before.keys()
    assert len(after) == len(before) + 1
    first, newest = checkout(anywhere, "vision/net:1"), checkout(anywhere, "vision/net:2")
    assert bytes(first.files["tokenizer.json"]) == b'{"vocabulary": []}'
    assert bytes(newest.files["tokenizer.json"]) == b'{"vocabulary": ["a"]}'
    clean(anywhere)


def test_a_file_of_the_same_size_and_other_bytes_is_stored(context: Context, model: Path) -> None:
    push(context, model, "vision/net")
    (model / "tokenizer.json").write_text('{"vocabulary": {}}')
    assert push(context, model, "vision/net").stored == 1


def test_files_alike_inside_one_push_are_stored_once(context: Context, model: Path) -> None:
    for name in ("one.bin", "two.bin", "deep/three.bin"):
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(b"alike" * 1000)
    (model / "empty").touch()
    (model / "empty too").touch()
    pushed = push(context, model, "vision/net")
    assert (pushed.stored, pushed.reused, len(worlds.blobs_of(context))) == (5, 3, 5)
    model_ = checkout(context, "vision/net")
    assert bytes(model_.files["deep/three.bin"]) == b"alike" * 1000
    assert bytes(model_.files["empty too"]) == b""


def test_another_model_shares_nothing(context: Context, model: Path) -> None:
    """Blob keys are sealed to a model's vault: whoever may read one model need not read the other."""
    push(context, model, "vision/net")
    other = push(context, model, "audio/net")
    assert (other.stored, other.reused, len(worlds.blobs_of(context))) == (3, 0, 6)


def test_the_store_holds_no_plaintext(context: Context, model: Path) -> None:
    marker = os.urandom(64)
    (model / "marked.bin").write_bytes(marker * 50_000)  # several segments
    push(context, model, "vision/net")
    for path in context.paths.home.rglob("*"):
        assert not path.is_file() or marker[:16] not in path.read_bytes(), path


# --- what may be pushed -----------------------------------------------------------------------


def test_a_single_file_brings_its_external_data_and_nothing_else(context: Context, model: Path) -> None:
    push(context, model / "model.onnx", "vision/net")
    assert set(checkout(context, "vision/net").files) == {"model.onnx", "weights.bin"}


def test_every_regular_file_of_a_directory_is_taken(context: Context, model: Path) -> None:
    names = {
        " space .txt",
        "größe/模型.bin",
        ".hidden",
        ".git/config",
        "a/b/c/d/e/f/g.txt",
        "x" * 255,
        "new\nline",
    }
    for name in names:
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(name.encode())
    (model / "model.sig").write_bytes(b"the signature of an earlier pull")
    push(context, model, "vision/net")
    found = checkout(context, "vision/net").files
    assert {name: bytes(found[name]) for name in names} == {name: name.encode() for name in names}
    assert set(found) == names | {"model.onnx", "weights.bin", "tokenizer.json"}


def _link(directory: Path) -> None:
    (directory / "link.bin").symlink_to("weights.bin")


def _link_to_directory(directory: Path) -> None:
    (directory / "more").symlink_to("/etc")


def _socket(directory: Path) -> None:
    os.mkfifo(directory / "pipe")


def _bytes_name(directory: Path) -> None:
    Path(os.fsdecode(os.fsencode(directory) + b"/\xff\xfe.bin")).write_bytes(b"x")


def _not_onnx(directory: Path) -> None:
    (directory / "model.onnx").write_bytes(b"PK\x03\x04 a zip file, not a model")


def _truncated(directory: Path) -> None:
    os.truncate(directory / "model.onnx", (directory / "model.onnx").stat().st_size - 7)


def _no_weights(directory: Path) -> None:
    (directory / "weights.bin").unlink()


def _no_model(directory: Path) -> None:
    (directory / "model.onnx").rename(directory / "model.bin")


REFUSED = {
    "a link": (_link, UnsafePath),
    "a link to a directory": (_link_to_directory, UnsafePath),
    "a pipe": (_socket, UnsafePath),
    "a name that is no text": (_bytes_name, UnsafePath),
    "another kind of file": (_not_onnx, InvalidModel),
    "a truncated model": (_truncated, InvalidModel),
    "weights missing": (_no_weights, InvalidModel),
    "no model": (_no_model, InvalidModel),
}


@pytest.mark.parametrize("flaw", REFUSED)
def test_what_is_not_safe_to_publish_is_refused(context: Context, model: Path, flaw: str) -> None:
    spoil, error = REFUSED[flaw]
    spoil(model)
    with pytest.raises(error) as caught:
        push(context, model, "vision/net")
    assert caught.value.exit_code == 2
    assert (worlds.blobs_of(context), versions(context)) == ({}, [])
    assert worlds.dump(context)["models"] == []
    clean(context)


def test_a_path_that_is_not_there_is_not_found(context: Context, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        push(context, tmp_path / "nowhere", "vision/net")


def test_an_empty_directory_is_no_model(context: Context, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidModel) as caught:
        push(context, tmp_path / "empty", "vision/net")
    assert caught.value.hint


@pytest.mark.parametrize("ref", ["vision/net:1", "vision/net:prod", f"vision/net@sha256:{'0' * 64}", "net"])
def test_a_push_names_a_model_only(context: Context, model: Path, ref: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        push(context, model, ref)
    assert caught.value.hint


UNSAYABLE: dict[str, dict[str, Any]] = {
    "a label with a space": {"label": "two words"},
    "a label that is a number": {"label": "7"},
    "an empty label": {"label": ""},
    "an alias that is a number": {"aliases": ["7"]},
    "metadata without a name": {"metadata": {"": "x"}},
    "metadata too long": {"metadata": {"a": "x" * 5000}},
    "metadata that is not Unicode": {"metadata": {"a": "\udcff"}},
    "metadata with NUL": {"metadata": {"a": "\0"}},
    "too many aliases": {"aliases": [f"a{number}" for number in range(65)]},
}


@pytest.mark.parametrize("options", UNSAYABLE.values(), ids=UNSAYABLE)
def test_what_no_act_can_say_is_the_callers_mistake(
    context: Context, model: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        push(context, model, "vision/net", **options)
    assert versions(context) == []


def test_metadata_is_kept_as_given(anywhere: Context, model: Path) -> None:
    metadata = {"task": "détection – 検出", "empty": "", "quoted": "'\"\\\n\t{}%s"}  # noqa: RUF001
    push(anywhere, model, "vision/net", metadata=metadata)
    assert dict(checkout(anywhere, "vision/net").metadata) == metadata
    rows = worlds.dump(anywhere)["version_metadata"]
    assert {row["name"]: row["value"] for row in rows} == metadata


def test_a_stranger_is_turned_away_before_a_byte_is_read(home: Path, model: Path, tmp_path: Path) -> None:
    worlds.make_identity(tmp_path / "eve.pem", "eve")
    (model / "model.onnx").write_bytes(b"not even a model")
    with worlds.open_context(home, identity_file=tmp_path / "eve.pem") as context:
        with pytest.raises(Denied):
            push(context, model, "vision/net")
        assert worlds.blobs_of(context) == {}


def test_a_label_that_is_taken_is_refused_and_leaves_no_orphan(context: Context, model: Path) -> None:
    push(context, model, "vision/net", label="1.0")
    (model / "tokenizer.json").write_text("{}")
    with pytest.raises(AlreadyExists):
        push(context, model, "vision/net", label="1.0")
    assert versions(context) == [("vision/net", 1)]
    assert push(context, model, "vision/net", label="1.1").ref.version == 2
    clean(context)
