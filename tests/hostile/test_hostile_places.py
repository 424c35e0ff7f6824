"""Files that are not what they seem on the disk: found by code, and not followed, opened or waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.errors import InvalidModel, NotFound
from registry.scanning import Report, scan_path, scan_source, serious
from registry.source import collect
from support import graphs


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model with its weights in a file beside it."""
    place = tmp_path / "model"
    place.mkdir()
    return graphs.save(graphs.mlp(), place / "model.onnx", external="w.bin")


def _codes(report: Report) -> dict[str, str]:
    return {one.path: one.code for one in report.findings}


def _linked_data(model: Path) -> None:
    outside = model.parent.parent / "secret.bin"
    (model.parent / "w.bin").rename(outside)
    (model.parent / "w.bin").symlink_to(outside)


def _linked_twice(model: Path) -> None:
    os.link(model.parent / "w.bin", model.parent.parent / "other-name.bin")


def _pipe(model: Path) -> None:
    (model.parent / "w.bin").unlink()
    os.mkfifo(model.parent / "w.bin")


def _linked_model(model: Path) -> None:
    model.rename(model.parent.parent / "real.onnx")
    model.symlink_to(model.parent.parent / "real.onnx")


PLACES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "symbolic-link-to-data": (_linked_data, "w.bin", "symbolic-link"),
    "hard-link-to-data": (_linked_twice, "w.bin", "hard-link"),
    "pipe-instead-of-data": (_pipe, "w.bin", "special-file"),
    "symbolic-link-to-the-model": (_linked_model, "model.onnx", "symbolic-link"),
}


@pytest.mark.parametrize("whole", [True, False], ids=["directory", "file"])
@pytest.mark.parametrize("name", PLACES)
def test_it_is_found(model: Path, name: str, whole: bool) -> None:
    spoil, path, code = PLACES[name]
    spoil(model)
    report = scan_path(model.parent if whole else model)
    assert _codes(report)[path] == code
    assert code in serious(report)


def test_a_link_to_another_directory_is_not_walked(model: Path) -> None:
    (model.parent / "more").symlink_to("/etc")
    assert _codes(scan_path(model.parent)) == {"more": "symbolic-link"}


def test_data_behind_a_linked_directory_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    made = graphs.save(graphs.mlp(), tmp_path / "model" / "model.onnx", external="w.bin")
    (tmp_path / "data").mkdir()
    (tmp_path / "model" / "w.bin").rename(tmp_path / "data" / "w.bin")
    made.write_bytes(made.read_bytes().replace(b"w.bin", b"d/w.b"))
    (tmp_path / "data" / "w.bin").rename(tmp_path / "data" / "w.b")
    (tmp_path / "model" / "d").symlink_to(tmp_path / "data")
    assert _codes(scan_path(made))["d"] == "symbolic-link"


def test_a_socket_is_found(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)  # a socket's path has 107 bytes at most
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        assert _codes(scan_path(model.parent)) == {"s": "special-file"}


def test_a_name_that_is_not_unicode_is_found(model: Path) -> None:
    (model.parent / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"")
    assert [one.code for one in scan_path(model.parent).findings] == ["unsafe-file-name"]


def test_hard_links_are_found_before_a_push(model: Path) -> None:
    assert scan_source(collect(model.parent)).findings == ()
    _linked_twice(model)
    assert _codes(scan_source(collect(model.parent))) == {"w.bin": "hard-link"}


@pytest.mark.parametrize("whole", [True, False], ids=["directory", "file"])
def test_a_plain_model_is_clean(model: Path, whole: bool) -> None:
    (model.parent / "model.sig").symlink_to("/nowhere")  # the bundle beside a pulled model is not part of it
    assert scan_path(model.parent if whole else model).findings == ()


def test_nothing_to_scan_is_an_error_and_no_clean_report(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel):
        scan_path(tmp_path)
    with pytest.raises(NotFound):
        scan_path(tmp_path / "gone.onnx")
