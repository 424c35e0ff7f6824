"""A ledger verified by several processes: they find what one finds, and none of them is lost unnoticed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.audit.verify import crew, memory
from registry.context import Context
from registry.errors import DatabaseUnavailable, RegistryError, Unavailable
from support import ledgers
from support.rewriting import execute, rewrite
from support.verifying import LEVEL, Interrupting, findings, resigned, verify


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Context]:
    """A generated ledger of 300 acts, this test's own."""
    with Context(ledgers.copied(tmp_path)) as context:
        yield context


def test_processes_find_what_one_alone_finds(home: Context) -> None:
    """In the same order: of an honest ledger nothing, of another everything."""
    assert findings(home, jobs=2) == []
    rewrite(home, {seq: resigned(home, seq) for seq in (70, 250)})
    execute(home, "UPDATE events SET code = 'forged' WHERE seq IN (3, 200)")
    execute(home, "UPDATE activity SET acts = acts + 1 WHERE first = 5")
    execute(home, "DELETE FROM files WHERE rowid % 3 = 0")
    alone = findings(home)
    assert {one.code for one in alone} == {"bad-signature", "row-differs", "row-missing", "row-forged"}
    assert findings(home, jobs=2) == alone


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that a verification starts."""
    found: list[subprocess.Popen[bytes]] = []
    start = crew._start

    def remembered(*arguments: Any) -> subprocess.Popen[bytes]:
        found.append(start(*arguments))
        return found[-1]

    monkeypatch.setattr(crew, "_start", remembered)
    return found


DYING = (
    "import json, os, sys\n"
    "sys.path[:] = json.loads(sys.argv[1])\n"
    "from registry.audit.verify import wire, worker\n"
    "told, done = wire.told, []\n"
    "def dies(report):\n"
    "    done.append(report)\n"
    "    if len(done) > 2: os.kill(os.getpid(), 9)\n"
    "    return told(report)\n"
    "wire.told = dies\n"
    "worker.main()\n"
)


def test_a_process_that_dies_is_an_error(
    home: Context, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[bytes]]
) -> None:
    """Killed after two chunks: the ledger is not said to hold, and no other process is left behind."""
    monkeypatch.setattr(crew, "_BOOT", DYING)
    with pytest.raises(Unavailable, match="ended before it had told"):
        verify(home, jobs=2)
    assert [worker.poll() is not None for worker in started] == [True, True]
    assert memory.load(home.paths.home, home.config.registry_id, LEVEL) is None or not _done(home)


def _done(context: Context) -> bool:
    return bool(json.loads((context.paths.home / "verified").read_text())["done"])


def test_what_ends_a_process_ends_the_verification(home: Context) -> None:
    with pytest.raises(DatabaseUnavailable):
        findings(home, jobs=2, url="sqlite:////nowhere/at/all.db")


def test_an_interrupt_ends_every_process(home: Context, started: list[subprocess.Popen[bytes]]) -> None:
    home.progress = Interrupting(2)
    with pytest.raises(KeyboardInterrupt):
        verify(home, jobs=2)
    assert [worker.poll() is not None for worker in started] == [True, True]


BROKEN = (
    "import json, sys\n"
    "sys.path[:] = json.loads(sys.argv[1])\n"
    "from registry.audit.verify import worker\n"
    "worker.read_law = None\n"
    "worker.main()\n"
)


def test_a_bug_in_a_process_is_one_here(home: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_BOOT", BROKEN)
    with pytest.raises(RegistryError, match="TypeError") as caught:
        verify(home, jobs=2)
    assert caught.value.exit_code == 1
