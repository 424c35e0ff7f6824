"""A disk that is full: exit code 7, what to do, nothing half-done; the same command succeeds afterwards.

Two kinds: a limit on the size of files (setrlimit(2), EFBIG), and a small file system (tmpfs, ENOSPC).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commandline import Result, call, snapshot, spawn

WEIGHT = 3 << 20  # bytes of the file that does not fit
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))"
TIGHT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"


@pytest.fixture
def large(tmp_path: Path, model: Path) -> Path:
    """A directory with a model and a file of 3 MiB."""
    source = tmp_path / "large"
    source.mkdir()
    shutil.copy(model, source / "model.onnx")
    (source / "vocabulary.bin").write_bytes(bytes(range(256)) * (WEIGHT // 256))
    return source


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _full(result: Result) -> None:
    assert result.code == 7, result.err
    assert "error [disk-trouble]" in result.err
    assert re.search("free some space|ulimit", result.next())
    assert "Traceback" not in result.err
    assert result.out == ""


def _sound(home: Path, acts: int) -> None:
    found = call("--home", home, "fsck", "--json").done().document()
    assert (found["ok"], found["acts"]) == (True, acts)


def test_push_over_the_limit(founded: Path, large: Path) -> None:
    _full(spawn("--home", founded, "push", large, "vision/large", first=LIMITED))
    assert call("--home", founded, "list", "--json").done().document() == {"models": []}
    _sound(founded, acts=2)  # genesis and create: the model is there before the first byte is stored
    call("--home", founded, "push", large, "vision/large").done()
    _sound(founded, acts=3)


def test_pull_over_the_limit(founded: Path, large: Path, tmp_path: Path) -> None:
    call("--home", founded, "push", large, "vision/large").done()
    before = sorted(path.name for path in tmp_path.iterdir())
    _full(spawn("--home", founded, "pull", "vision/large", "-o", tmp_path / "a" / "out", first=LIMITED))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    _sound(founded, acts=4)
    call("--home", founded, "pull", "vision/large", "-o", tmp_path / "a" / "out").done()
    assert (tmp_path / "a" / "out" / "vocabulary.bin").stat().st_size == WEIGHT


@pytest.mark.parametrize(
    "command", [["alias", "vision/mlp", "best"], ["yank", "vision/mlp", "--reason", "x"]], ids=lambda c: c[0]
)
def test_a_database_that_cannot_grow(home: Path, command: list[str]) -> None:
    _full(spawn("--home", home, *command, first=TIGHT))
    _sound(home, acts=3)
    call("--home", home, *command).done()
    _sound(home, acts=4)


def test_outputs_of_a_run_that_do_not_fit(home: Path, tmp_path: Path) -> None:
    import numpy as np

    np.savez(tmp_path / "x.npz", x=np.zeros((50_000, 16), np.float32))
    arguments = ("--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    _full(spawn("--home", home, "run", "vision/mlp", *arguments, first=LIMITED))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "x.npz"]


def test_init_that_does_not_fit(tmp_path: Path) -> None:
    _full(spawn("--home", tmp_path / "home", "init", first=TIGHT))
    assert call("--home", tmp_path / "home", "list").code == 3
    call("--home", tmp_path / "home", "init").done()
    _sound(tmp_path / "home", acts=1)


def test_push_into_a_full_store(small: Path, tmp_path: Path, large: Path) -> None:
    home = tmp_path / "home"
    call("--home", home, "init", "--store", small / "blobs").done()
    _full(spawn("--home", home, "push", large, "vision/large"))
    assert call("--home", home, "list", "--json").done().document() == {"models": []}
    (large / "vocabulary.bin").write_bytes(b"shorter")
    call("--home", home, "push", large, "vision/large").done()
    _sound(home, acts=3)


def test_pull_onto_a_full_file_system(founded: Path, small: Path, large: Path) -> None:
    call("--home", founded, "push", large, "vision/large").done()
    _full(spawn("--home", founded, "pull", "vision/large", "-o", small / "a" / "out"))
    assert snapshot(small) == {}
    _sound(founded, acts=4)


def test_a_home_on_a_full_file_system(small: Path, empty_template: Path, model: Path) -> None:
    home = Path(shutil.copytree(empty_template, small / "home"))
    filler = small / "filler"
    free = shutil.disk_usage(small).free
    filler.write_bytes(bytes(free - 8192))
    _full(spawn("--home", home, "push", model, "vision/mlp"))
    filler.unlink()
    assert call("--home", home, "list", "--json").done().document() == {"models": []}
    call("--home", home, "push", model, "vision/mlp").done()
    _sound(home, acts=3)
