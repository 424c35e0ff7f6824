"""Rows for people and for other programs: a table, JSON lines, CSV or Parquet.

JSON lines and Parquet keep every text as it is. A table and a CSV file are shown to people, by a terminal
or a spreadsheet: there a text from others is inert, and neither steers the terminal nor begins a formula.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import typer

Row = Mapping[str, Any]
_WIDE = 110  # columns of a terminal
_PAGE = 1000  # rows that are laid out, or written, together

# How a spreadsheet recognises a formula, at the beginning of a cell or after what it may take for the end
# of one (OWASP, "CSV injection"): the wide forms are what some input methods make of the narrow ones.
_FORMULA = re.compile(r"((?:^|[;\t|\n])[\s'\"]*)([=+\-@\uff1d\uff0b\uff0d\uff20])")


class Form(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


Format = Annotated[
    Form, typer.Option("--format", help="Parquet is binary: write it to a file, with --output or >.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout.")
]


@dataclass(frozen=True)
class Column:
    """One field of the rows. ``heading`` is its place in a table; a column without one is for programs."""

    name: str
    kind: Literal["text", "number", "truth", "texts"] = "text"
    heading: str = ""
    show: Callable[[Row], object] | None = None  # what a table shows, where it is not the value
    wide: bool = False  # only a wide terminal has room for it


def write(form: Form, columns: Sequence[Column], rows: Iterable[Row], output: Path | None = None) -> int:
    """Write the rows as they come, and return how many there were.

    A file takes the place of an older one when it is complete. Raises InvalidInput for Parquet to a
    terminal, or where the file may not be written, and DiskTrouble.
    """
    counted = _Counted(rows)
    with _sink(form, output) as sink:
        _WRITERS[form](columns, counted, sink)
    return counted.count


class _Counted:
    """Rows, counted as they go by."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


@contextmanager
def _sink(form: Form, output: Path | None) -> Iterator[IO[Any]]:
    """Where the bytes or characters of a form go."""
    if output is None:
        if form is not Form.PARQUET:
            yield sys.stdout
            return
        _refuse_terminal()
        yield sys.stdout.buffer
        return
    import os
    import secrets

    from registry import disk

    with disk.translated(output):
        if output.exists() and not output.is_file():  # a pipe, or a device
            with _file(form, os.open(output, os.O_WRONLY | os.O_CLOEXEC)) as file:
                yield file
            return
        temporary = output.with_name(f".{output.name}.{secrets.token_hex(8)}")
        try:
            # nobody else may read it: an audit is not for everybody on the machine
            mode = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with _file(form, os.open(temporary, mode, 0o600)) as file:
                yield file
            temporary.replace(output)
        finally:
            temporary.unlink(missing_ok=True)


def _file(form: Form, descriptor: int) -> IO[Any]:
    if form is Form.PARQUET:
        return open(descriptor, "wb")
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="")


def _refuse_terminal() -> None:
    from registry.errors import InvalidInput

    if sys.stdout.isatty():
        raise InvalidInput("Parquet is not for a terminal", hint="add: --output FILE.parquet")


def _pages(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while page := list(islice(left, _PAGE)):
        yield page


def _table(columns: Sequence[Column], rows: Iterable[Row], sink: IO[str]) -> None:
    from .output import console, table

    room = console().width >= _WIDE
    shown = [column for column in columns if column.heading and (room or not column.wide)]
    headings = [column.heading for column in shown]
    right = [column.heading for column in shown if column.kind == "number"]
    for page in _pages(rows):
        with redirect_stdout(sink):
            table(headings, [[_cell(column, row) for column in shown] for row in page], right=right)


def _cell(column: Column, row: Row) -> object:
    value = column.show(row) if column.show else row[column.name]
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
    return text.replace("\n", " ") if isinstance(text, str) else text  # a second line must not pass for a row


def _jsonl(columns: Sequence[Column], rows: Iterable[Row], sink: IO[str]) -> None:
    """One JSON object a line (RFC 8259), in ASCII."""
    for row in rows:
        sink.write(json.dumps({column.name: row[column.name] for column in columns}) + "\n")


def _csv(columns: Sequence[Column], rows: Iterable[Row], sink: IO[str]) -> None:
    """RFC 4180 with a header line, one line a row."""
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_inert(row[column.name]) for column in columns])


def _inert(value: object) -> object:
    """What a spreadsheet shows as it stands. A number of ours stays one; an apostrophe marks a text."""
    from .output import clean

    if value is None or isinstance(value, int):
        return value
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return clean(_FORMULA.sub(r"\1'\2", text)).replace("\n", " ")


def _parquet(columns: Sequence[Column], rows: Iterable[Row], sink: IO[bytes]) -> None:
    """Apache Parquet, a row group for every page."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"text": pa.string(), "number": pa.int64(), "truth": pa.bool_(), "texts": pa.list_(pa.string())}
    schema = pa.schema([(column.name, kinds[column.kind]) for column in columns])
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for page in _pages(rows):
            plain = [{column.name: row[column.name] for column in columns} for row in page]
            writer.write_batch(pa.RecordBatch.from_pylist(plain, schema=schema))


_WRITERS: dict[Form, Callable[[Sequence[Column], Iterable[Row], IO[Any]], None]] = {
    Form.TABLE: _table,
    Form.JSONL: _jsonl,
    Form.CSV: _csv,
    Form.PARQUET: _parquet,
}
