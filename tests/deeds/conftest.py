"""Registries for the deeds: one on each backend, one on SQLite and a directory; models to push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.context import Context
from support import worlds
from support.company import Company
from support.onlookers import copied, cosign, require


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


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """A registry of alice's with room for others, on SQLite and a directory."""
    return Company(tmp_path)


@pytest.fixture
def company_anywhere(tmp_path: Path, backend: worlds.Backend) -> Company:
    """The same on each backend."""
    return Company(tmp_path, backend)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A directory with a small ONNX model, and a note."""
    directory = worlds.make_model(tmp_path / "tiny").parent
    (directory / "note.txt").write_text("first")
    return directory


@pytest.fixture
def staffed(company: Company, tiny: Path) -> Company:
    """bob reads vision/net directly, carol the namespace, dave by way of team ml."""
    return company.staff(tiny)


@pytest.fixture
def staffed_anywhere(company_anywhere: Company, tiny: Path) -> Company:
    """The same on each backend."""
    return company_anywhere.staff(tiny)


@pytest.fixture(scope="session")
def attended_template(tmp_path_factory: pytest.TempPathFactory) -> Company:
    root = tmp_path_factory.mktemp("attended")
    made = Company(root / "there")
    made.enroll("bob", "carol")
    made.publish(worlds.make_model(root / "tiny").parent)
    return made


@pytest.fixture
def attended(tmp_path: Path, attended_template: Company) -> Company:
    """Members alice, bob and carol, and one version of MODEL."""
    return copied(attended_template, tmp_path / "there")


@pytest.fixture
def watched(attended: Company) -> Company:
    """alice, bob and carol are pinned as witnesses, two of them demanded; alice and bob have cosigned."""
    require(attended, 2, "alice", "bob", "carol")
    cosign(attended, "alice")
    cosign(attended, "bob")
    return attended
