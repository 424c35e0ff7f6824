"""``registry audit search``: filters, pages and forms, and that hostile words are inert in all of them."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.commandline import Result, call, spawn

ESCAPES = "\x1b]0;owned\x07\x1b[31m\r\x08\u202e\u200b\x9b"
SQL = "'); DROP TABLE events; --"
HTML = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("https://evil.example","x")'
CONTROLS = "\x1b\x07\r\x08\u202e\u200b\x9b"
MORE = re.compile(r"^More: add --after ([A-Za-z0-9_-]+)$", re.M)


def found(home: Path, *options: object) -> Any:
    return call("--home", home, "audit", "search", *options, "--json").done().document()


def actions(home: Path, *options: object) -> list[str]:
    return [one["action"] for one in found(home, *options)["acts"]]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, published_template: Path) -> Path:
    """A home with a life behind it, and hostile words in it: to read from."""
    home = tmp_path_factory.mktemp("lived") / "home"
    shutil.copytree(published_template, home)
    call("--home", home, "team", "create", "ml").done()
    call("--home", home, "team", "add", "ml", "alice").done()
    call("--home", home, "alias", "vision/mlp:1", "best").done()
    call("--home", home, "grant", "ml", "pull", "vision/").done()
    call("--home", home, "yank", "vision/mlp:1", "--reason", f"{FORMULA}\n{ESCAPES}{HTML}{SQL}").done()
    refused = call("--home", home, "pull", "vision/mlp:1", "-o", home.parent / "out")
    assert refused.code == 4
    return home


def test_the_newest_acts_come_first(lived: Path) -> None:
    kinds = ["pull", "yank", "grant", "alias", "team-add", "team", "push", "create", "genesis"]
    assert actions(lived) == kinds
    assert actions(lived, "--reverse") == kinds[::-1]
    document = found(lived, "--limit", "1")
    assert set(document) == {"acts", "next", "size"}
    assert document["size"] == 9
    (refusal,) = document["acts"]
    assert (refusal["actor"], refusal["outcome"], refusal["code"]) == ("alice", "refused", "yanked")
    assert (refusal["on"], refusal["version"]) == ("vision/mlp", 1)


def test_filters_combine(lived: Path) -> None:
    assert actions(lived, "--outcome", "refused") == ["pull"]
    assert actions(lived, "--outcome", "yanked", "--action", "pull", "--on", "vision/mlp:1") == ["pull"]
    assert actions(lived, "--action", "grant", "--action", "alias") == ["grant", "alias"]
    assert actions(
        lived, "--on", "vision/mlp:best", "--actor", "alice", "--version", "1", "--since", "1h"
    ) == [
        "pull",
        "yank",
        "alias",
        "push",
    ]
    assert actions(lived, "--team", "ml") == ["pull", "yank", "grant", "alias"]
    assert actions(lived, "--text", "OWNER=vision") == ["push"]
    assert actions(lived, "--actor", "-") == []
    assert actions(lived, "--until", "1h") == []
    digest = found(lived, "--action", "push")["acts"][0]["digest"]
    assert actions(lived, "--digest", digest[:8]) == ["push"]


def test_pages_follow_each_other(lived: Path) -> None:
    first = call(
        "--home", lived, "audit", "search", "--since", "1h", "--limit", "4", "--format", "jsonl"
    ).done()
    cursor = MORE.findall(first.err)[0]
    rest = found(lived, "--since", "1h", "--limit", "0", "--after", cursor)
    assert rest["next"] is None
    entries = [json.loads(line)["seq"] for line in first.out.splitlines()]
    assert entries + [one["seq"] for one in rest["acts"]] == list(range(8, -1, -1))
    other = call("--home", lived, "audit", "search", "--after", cursor)
    assert (other.code, other.out) == (2, "")


def test_counts_and_groups(lived: Path) -> None:
    assert call("--home", lived, "audit", "search", "--count", "--team", "ml").done().out == "4\n"
    assert found(lived, "--count") == {"acts": 9}
    assert found(lived, "--group-by", "model")["groups"] == [
        {"model": "vision/mlp", "acts": 5, "not_allowed": 1},
        {"model": "", "acts": 4, "not_allowed": 0},
    ]
    people = call("--home", lived, "audit", "search", "--group-by", "actor").done()
    assert re.search(r"^alice +9 +1 *$", people.out, re.M)
    days = call("--home", lived, "audit", "search", "--group-by", "day", "--format", "csv").done()
    assert days.out.startswith("day,acts,not_allowed\r\n2")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--actor", "nobody"], 3),
        (["--team", "none"], 3),
        (["--action", "pul"], 2),
        (["--outcome", "denyed"], 2),
        (["--on", "vision/mlp:none"], 3),
        (["--since", "yesterday"], 2),
        (["--digest", "abc"], 2),
        (["--text", "\x1b[31m"], 2),
        (["--after", "x"], 2),
        (["--count", "--group-by", "day"], 2),
        (["--count", "--after", "x"], 2),
        (["--json", "--format", "csv"], 2),
        (["--sort", "size"], 2),
        (["--limit", "-1"], 2),
    ],
    ids=lambda value: ascii(value) if isinstance(value, list) else None,
)
def test_what_makes_no_sense_is_told_on_stderr(lived: Path, options: list[str], code: int) -> None:
    refused = call("--home", lived, "audit", "search", *options)
    assert (refused.code, refused.out) == (code, "")
    assert "\x1b" not in refused.err


def test_that_nothing_matches_is_told(lived: Path) -> None:
    none = call("--home", lived, "audit", "search", "--action", "rotate").done()
    assert (none.out, none.err) == ("", "No act matches.\n")


# --- hostile words --------------------------------------------------------------------------------


def _inert(result: Result) -> Iterator[str]:
    for text in (result.out, result.err):
        assert not set(CONTROLS) & set(text.replace("\r\n", "\n")), ascii(text)
        yield text


def test_a_terminal_is_not_steered(lived: Path) -> None:
    shown = spawn("--home", lived, "audit", "search", env={"COLUMNS": "500"}).done()
    out, _ = _inert(shown)
    lines = [line for line in out.splitlines() if "HYPERLINK" in line]
    assert len(lines) == 2  # of the yank, and of the pull that was refused for it
    assert all(HTML in line and SQL in line for line in lines)


def test_a_spreadsheet_shows_what_was_written(lived: Path) -> None:
    written = call("--home", lived, "audit", "search", "--format", "csv").done()
    list(_inert(written))
    (row,) = [row for row in csv.DictReader(io.StringIO(written.out, newline="")) if row["action"] == "yank"]
    assert row["detail"].startswith(f"'{FORMULA}")
    assert HTML in row["detail"]
    assert row["detail"].endswith("DROP TABLE events; '--")


def test_json_lines_and_parquet_keep_the_words(lived: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    words = f"{FORMULA}\n{ESCAPES}{HTML}{SQL}"
    lines = call("--home", lived, "audit", "search", "--format", "jsonl").done()
    list(_inert(lines))
    assert words in [json.loads(line)["detail"] for line in lines.out.splitlines()]
    file = tmp_path / "acts.parquet"
    call("--home", lived, "audit", "search", "--format", "parquet", "-o", file).done()
    table = parquet.read_table(file)
    assert words in table["detail"].to_pylist()
    assert table["seq"].to_pylist() == list(range(8, -1, -1))


def test_hostile_words_can_be_searched_for(lived: Path) -> None:
    for text in (SQL, HTML, "=hyperlink("):
        assert actions(lived, "--text", text) == ["pull", "yank"]
    for text in ("%", "_", "' or '1'='1"):
        assert actions(lived, "--text", text) == []
    assert found(lived, "--count") == {"acts": 9}
