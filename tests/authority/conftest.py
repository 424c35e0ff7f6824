"""A door with a history behind it: two models, three versions, names, a yank."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry import acts
from registry.records import schema
from registry.records.database import open_engine
from support.publisher import MODEL, Publisher

Door = Callable[[str], Publisher]


def populate(alice: Publisher) -> None:
    """vision/net: 1 (label 1.0, alias prod), 2 (alias beta), 3 (yanked); audio/vad: 1."""
    alice.admit(
        alice.push({"model.onnx": b"graph 1", "weights.bin": b"weights"}, label="1.0", aliases=("prod",))
    )
    alice.admit(alice.push({"model.onnx": b"graph 2", "weights.bin": b"weights"}, aliases=("beta",)))
    alice.admit(alice.push({"model.onnx": b"graph 3"}))
    alice.admit(alice.push({"model.onnx": b"voices"}, model="audio/vad"))
    alice.admit(alice.about(acts.Yank, 3, MODEL, reason="wrong labels"))


@pytest.fixture
def open_door() -> Iterator[Door]:
    """Opens a populated door before a database URL; closed again after the test."""
    engines = []

    def opened(url: str) -> Publisher:
        engine = open_engine(url)
        engines.append(engine)
        schema.upgrade(engine)
        alice = Publisher(engine)
        populate(alice)
        return alice

    yield opened
    for engine in engines:
        engine.dispose()


@pytest.fixture
def alice(open_door: Door, tmp_path: Path) -> Publisher:
    """A populated door on SQLite."""
    return open_door(f"sqlite:///{tmp_path / 'door.db'}")
