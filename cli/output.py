"""What people and programs see: data on stdout, talk and progress on stderr."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from registry.errors import RegistryError
    from registry.progress import Progress

_MOMENT = "(UTC)"  # the end of a time's heading
_PATIENCE = 0.7  # seconds before a bar appears: anything shorter needs none


def document(value: object) -> None:
    """Print one JSON document on stdout: ASCII, so that no locale and no odd file name can damage it."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    return str(value)


def say(text: str) -> None:
    """A line of talk on stderr; were it several, the others are indented, and pass for nothing else."""
    sys.stderr.write(clean(text).replace("\n", "\n        ") + "\n")


def complaint(error: RegistryError) -> Iterator[str]:
    """What failed, at which step of the ritual, on what, and what to do next: one line each."""
    where = f" at step {error.step}" if error.step else ""
    yield f"error [{error.code}]{where}: {error.message}"
    if error.on:
        yield f"  on:   {error.on}"
    if error.hint:
        yield f"  next: {error.hint}"


def clean(text: object) -> str:
    """``text`` without control characters: names and reasons from others cannot steer the terminal."""
    return "".join(
        char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in str(text)
    )


def console() -> Console:
    """The console for data."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def pairs(rows: Iterable[tuple[str, object]]) -> None:
    """Name and value, one pair a line, on stdout; values stay whole, so that they can be copied."""
    shown = [
        (clean(name).replace("\n", " "), clean(value)) for name, value in rows if value not in (None, "")
    ]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        inside = value.replace("\n", "\n" + " " * (width + 2))  # a second line must not pass for a pair
        sys.stdout.write(f"{name:<{width}}  {inside}\n")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table on stdout that fits the terminal: long cells fold, times do not, and nothing is cut off."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        side: Literal["right", "left"] = "right" if heading in right else "left"
        shown.add_column(heading, justify=side, overflow="fold", no_wrap=heading.endswith(_MOMENT))
    for row in rows:
        shown.add_row(*(Text(clean(cell) if cell is not None else "") for cell in row))
    console().print(shown)


def size(count: int) -> str:
    """Bytes for people, in powers of 1024."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def progress(as_json: bool) -> Progress:
    """A bar on stderr where a person is watching, else silence."""
    from registry.progress import SILENT

    return SILENT if as_json or not sys.stderr.isatty() else _Bar()


class _Bar:
    """A progress bar that appears once a stage takes longer than a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._label, self._total, self._done, self._since = "", 0, 0, 0.0

    def begin(self, label: str, total: int) -> None:
        self._label, self._total, self._done, self._since = label, total, 0, time.monotonic()

    def advance(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            if self._bar is None and time.monotonic() - self._since > _PATIENCE:
                self._appear()
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=self._done)

    def end(self) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
            self._bar = self._task = None

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns: list[Any] = [
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
        ]
        columns += [TransferSpeedColumn(), TimeRemainingColumn()]
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self._label, total=self._total or None)
        self._bar.start()
