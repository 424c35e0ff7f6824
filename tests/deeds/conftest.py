"""Registries for the deeds: one on each backend, one on SQLite and a directory; models to push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.context import Context
from support import worlds


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of alice's, on SQLite and a directory."""
    return worlds.make_home(tmp_path / "home")


@pytest.fixture
def context(home: Path) -> Iterator[Context]:
    with worlds.open_context(home) as opened:
        yield opened


@pytest.fixture
def anywhere(tmp_path: Path, backend: worlds.Backend) -> Iterator[Context]:
    """The same on each backend."""
    with worlds.open_context(worlds.make_home(tmp_path / "anywhere", backend)) as opened:
        yield opened


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with a small ONNX model, its weights beside it, and a tokenizer."""
    directory = tmp_path / "model"
    worlds.make_model(directory, external="weights.bin")
    (directory / "tokenizer.json").write_text('{"vocabulary": []}')
    return directory
