"""Homes for the tests of the command line: founded and filled once, copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support import graphs
from support.commandline import call


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A statically quantized model: x[n, 16] to y[n, 8]."""
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    return graphs.static(graphs.mlp(), path, qdq=True)


@pytest.fixture(scope="session")
def empty_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("founded") / "home"
    call("--home", home, "init", "--name", "alice").done()
    return home


@pytest.fixture(scope="session")
def published_template(tmp_path_factory: pytest.TempPathFactory, empty_template: Path, model: Path) -> Path:
    home = tmp_path_factory.mktemp("published") / "home"
    shutil.copytree(empty_template, home)
    arguments = ("--label", "1.0-int8", "--alias", "prod", "--meta", "owner=vision")
    call("--home", home, "push", model, "vision/mlp", *arguments).done()
    return home


@pytest.fixture
def founded(tmp_path: Path, empty_template: Path) -> Path:
    """A home with a registry in which nothing is published."""
    return Path(shutil.copytree(empty_template, tmp_path / "home"))


@pytest.fixture
def home(tmp_path: Path, published_template: Path) -> Path:
    """A home with ``vision/mlp:1``, labelled 1.0-int8, with the alias prod and owner=vision."""
    return Path(shutil.copytree(published_template, tmp_path / "home"))


@pytest.fixture
def broken(home: Path) -> Path:
    """A home whose one blob has a flipped bit in the middle: step 9 refuses it."""
    blob = next(path for path in (home / "blobs" / "objects").rglob("*") if path.is_file())
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    return home
