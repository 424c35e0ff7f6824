"""Rows as tables, JSON lines, CSV and Parquet: what is in them arrives, and harms neither reader nor file."""

from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import DiskTrouble, InvalidInput, NotFound
from registry_cli.formats import Column, Form, write

COLUMNS = (
    Column("seq", "number", "entry"),
    Column("who", heading="actor"),
    Column("note"),
    Column("rights", "texts", "may"),
    Column("sure", "truth"),
)
FORMULAS = (
    "=1+1",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "=cmd|'/c calc'!A0",
    "  =1",
    '"=1',
    "'=1",
    "\t=1",
    "\r=1",
    "\n=1",
    "x\n=1",
    "x;=1",
    "x\t=1",
    "x|@a",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20a",
)
BEGINS = "=+-@\uff1d\uff0b\uff0d\uff20"


def rows(*notes: Any) -> list[dict[str, Any]]:
    return [
        {"seq": number, "who": "alice", "note": note, "rights": ["pull", "push"], "sure": True}
        for number, note in enumerate(notes)
    ]


def written(form: Form, columns: Any, of: Any, tmp_path: Path) -> bytes:
    path = tmp_path / f"out.{form}"
    assert write(form, columns, iter(of), path) == len(of)
    return path.read_bytes()


def test_json_lines_keep_every_text_in_ascii(tmp_path: Path) -> None:
    given = rows("=1+1", "\x1b[31m", "ü\N{SNOWMAN}\n", None)
    out = written(Form.JSONL, COLUMNS, given, tmp_path)
    assert out.isascii()
    assert b"\x1b" not in out
    assert [json.loads(line) for line in out.splitlines()] == given


def test_parquet_keeps_every_text_and_number(tmp_path: Path) -> None:
    from pyarrow import parquet

    given = rows("=1+1", "\x1b[31m", "ü\N{SNOWMAN}\n", None)
    given[0]["seq"], given[1]["rights"], given[2]["sure"] = 2**62, [], None
    path = tmp_path / "out.parquet"
    write(Form.PARQUET, COLUMNS, given, path)
    table = parquet.read_table(path)
    assert table.to_pylist() == given
    assert [str(kind) for kind in table.schema.types] == [
        "int64",
        "string",
        "string",
        "list<element: string>",
        "bool",
    ]


@pytest.mark.parametrize("form", list(Form))
def test_more_rows_than_a_page_are_all_written(form: Form, tmp_path: Path) -> None:
    from pyarrow import parquet

    out = written(form, COLUMNS, rows(*["x"] * 1001), tmp_path)
    assert out.count(b"alice") >= 1001 or form is Form.PARQUET
    if form is Form.PARQUET:
        assert parquet.read_table(tmp_path / "out.parquet").num_rows == 1001


@pytest.mark.parametrize("form", list(Form))
def test_no_rows_make_a_whole_file(form: Form, tmp_path: Path) -> None:
    out = written(form, COLUMNS, [], tmp_path)
    assert (out == b"") == (form in (Form.TABLE, Form.JSONL))


def test_csv_is_read_back(tmp_path: Path) -> None:
    out = written(Form.CSV, COLUMNS, rows('a "quoted", text', "", None), tmp_path)
    assert list(csv.reader(io.StringIO(out.decode(), newline=""))) == [
        ["seq", "who", "note", "rights", "sure"],
        ["0", "alice", 'a "quoted", text', "pull, push", "True"],
        ["1", "alice", "", "pull, push", "True"],
        ["2", "alice", "", "pull, push", "True"],
    ]


def cells(out: bytes) -> list[str]:
    """What a spreadsheet may take for a cell, whichever character divides cells in its country."""
    text = out.decode()
    found = []
    for divider in (",", ";", "\t", "|"):
        for quote in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            lines = csv.reader(io.StringIO(text, newline=""), delimiter=divider, quoting=quote)  # type: ignore[arg-type]
            found += [cell for line in lines for cell in line]
    return found


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_text_becomes_a_formula(formula: str, tmp_path: Path) -> None:
    out = written(Form.CSV, [Column("note")], [{"note": formula}], tmp_path)
    found = cells(out)
    assert not [cell for cell in found if cell.strip(" \"'")[:1] in tuple(BEGINS) and "'" not in cell[:4]]
    assert any("'" in cell for cell in found)


@given(st.text(alphabet=st.sampled_from([*BEGINS, *";,|\t\r\n\"' x1\x1b\u202e\x00"]), max_size=12))
def test_whatever_is_in_a_text_no_cell_begins_a_formula(tmp_path_factory: Any, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    write(Form.CSV, [Column("note"), Column("last")], [{"note": text, "last": "end"}], path)
    out = path.read_bytes()
    assert len(out.splitlines()) == 2  # the heading, and one row
    for divider in (";", "\t", "|"):
        for cell in out.decode().splitlines()[1].split(divider):
            assert cell.lstrip(' "')[:1] not in tuple(BEGINS), cell


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    out = written(Form.CSV, [Column("n", "number")], [{"n": -5}], tmp_path)
    assert out == b"n\r\n-5\r\n"


@pytest.mark.parametrize("form", [Form.TABLE, Form.CSV])
def test_what_people_see_steers_no_terminal_and_forges_no_row(form: Form, tmp_path: Path) -> None:
    columns = [Column("note", heading="note"), Column("who", heading="who")]
    hostile = "a\x1b]0;owned\x07\r\x08\u202e\u200b\x9b31m\nforged,row"
    out = written(form, columns, [{"note": hostile, "who": "alice"}], tmp_path).decode()
    assert not set("\x1b\x07\x08\u202e\u200b\x9b") & set(out)
    assert "\r" not in out.replace("\r\n", "\n")
    assert not [line for line in out.splitlines() if line.lstrip().startswith("forged")]


def test_markup_is_shown_as_it_stands(tmp_path: Path) -> None:
    out = written(Form.TABLE, [Column("note", heading="note")], [{"note": "[red]<b>x</b>[/red]"}], tmp_path)
    assert "[red]<b>x</b>[/red]" in out.decode()


def test_nobody_else_may_read_the_file_and_an_older_one_stays_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("older")

    def failing() -> Any:
        yield from rows("x")
        raise InvalidInput("the rows end here")

    with pytest.raises(InvalidInput):
        write(Form.CSV, COLUMNS, failing(), path)
    assert path.read_text() == "older"
    assert [one.name for one in tmp_path.iterdir()] == ["out.csv"]
    write(Form.CSV, COLUMNS, rows("x"), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("form", [Form.JSONL, Form.PARQUET])
def test_what_cannot_be_written_is_told(form: Form, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        write(form, COLUMNS, rows("x"), tmp_path / "none" / "out")
    with pytest.raises(DiskTrouble):
        write(form, COLUMNS, rows("x"), Path("/dev/full"))
    assert not list(Path("/dev").glob(".full*"))


def test_parquet_is_not_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", screen)
    with pytest.raises(InvalidInput, match="terminal") as caught:
        write(Form.PARQUET, COLUMNS, rows("x"))
    assert "--output" in (caught.value.hint or "")
