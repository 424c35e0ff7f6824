"""Whoever watches a long deed is told of every byte, from the first to the last."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import registry
from registry.fsck import fsck
from registry.progress import SILENT
from support import worlds

MIB = 1 << 20


class Watcher:
    """Keeps what it is told; may be told from any thread."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, list[int]]] = []
        self.open = 0
        self._lock = threading.Lock()

    def begin(self, label: str, total: int) -> None:
        self.stages.append((label, total, []))
        self.open += 1

    def advance(self, amount: int) -> None:
        with self._lock:
            self.stages[-1][2].append(amount)

    def end(self) -> None:
        self.open -= 1


@pytest.fixture
def big(model: Path) -> Path:
    (model / "big.bin").write_bytes(bytes(3 * MIB + 5))
    return model


def told(watcher: Watcher, word: str) -> None:
    """Each stage of that name is told its whole total, in steps."""
    stages = [stage for stage in watcher.stages if word in stage[0]]
    assert stages
    for _, total, amounts in stages:
        assert total == sum(amounts) > 3 * MIB
        assert len(amounts) > 3
        assert min(amounts) >= 0
    assert watcher.open == 0


def test_every_deed_tells_every_byte(home: Path, big: Path, tmp_path: Path) -> None:
    watcher = Watcher()
    with registry.connect(home, progress=watcher) as hallmark:
        hallmark.push(big, "vision/net")
        told(watcher, "storing")
        watcher.stages.clear()
        hallmark.checkout("vision/net")
        told(watcher, "opening")
        watcher.stages.clear()
        hallmark.pull("vision/net", tmp_path / "out")
        told(watcher, "opening")
    with worlds.open_context(home, progress=watcher) as context:
        fsck(context)
        told(watcher, "reading")


def test_files_that_are_there_already_count_as_done(home: Path, big: Path) -> None:
    watcher = Watcher()
    with registry.connect(home) as hallmark:
        hallmark.push(big, "vision/net")
    with registry.connect(home, progress=watcher) as hallmark:
        hallmark.push(big, "vision/net")
    ((_, total, amounts),) = watcher.stages
    assert total == sum(amounts) == sum(path.stat().st_size for path in big.iterdir())


def test_silence_is_the_default_and_says_nothing() -> None:
    assert [SILENT.begin("", 0), SILENT.advance(1), SILENT.end()] == [None, None, None]  # type: ignore[func-returns-value]
