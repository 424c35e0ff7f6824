"""What ``--help`` and the documentation tell people to type exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from registry_cli.main import app
from support.commandline import call
from support.sources import ROOT

README = ROOT / "README.md"
PAGES = sorted(path for path in (README, *(ROOT / "docs").rglob("*.md")) if path.exists())
PLACEHOLDERS = {"N": "1", "K": "1", "SEQ": "1", "K=V": "key=value"}


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def _commands(group: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*names, name))
        else:
            yield (*names, name), command


COMMANDS = dict(_commands(_root()))


def parse(line: str) -> tuple[str, ...]:
    """The command that a line names, parsed with its options and arguments. Raises typer's usage errors.

    A line of nothing but a command's name speaks of the command, and need not be complete.
    """
    _, *words = shlex.split(line, comments=True)
    if tuple(words) in COMMANDS:
        return tuple(words)
    context = _root().make_context("registry", [PLACEHOLDERS.get(word, word) for word in words])
    path: tuple[str, ...] = ()
    while hasattr(context.command, "commands"):
        left = [*context._protected_args, *context.args]
        name, command, left = context.command.resolve_command(context, left)
        context = command.make_context(name, left, parent=context)
        path = (*path, name)
    return path


def test_the_parser_of_this_test_refuses_what_does_not_exist() -> None:
    for line in (
        "registry nonsense",
        "registry push a b --nonsense",
        "registry pull a",
        "registry log --limit x",
    ):
        with pytest.raises(Exception, match=r"No such|Missing|valid integer|unexpected"):
            parse(line)


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_by_an_example_that_parses(names: tuple[str, ...]) -> None:
    shown = call(*names, "--help").done()
    assert re.search(rf"Example: registry {' '.join(names)}\b", " ".join(shown.out.split()))
    (example,) = re.findall(r"^Example: (registry .*)$", COMMANDS[names].help, re.M)
    assert parse(example) == names


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_takes_json(names: tuple[str, ...]) -> None:
    assert "--json" in {option for parameter in COMMANDS[names].params for option in parameter.opts}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["db", "--help"], ["identity", "--help"]])
def test_help_goes_to_stdout(arguments: list[str]) -> None:
    shown = call(*arguments).done()
    assert "Usage" in shown.out
    assert shown.err == ""


def test_help_names_the_exit_codes() -> None:
    shown = " ".join(call("--help").done().out.split())
    for said in ("2 usage", "3 not found", "4 denied", "5 untrusted", "6 conflict", "7 unavailable"):
        assert said in shown


def _lines(page: Path) -> Iterator[str]:
    """Every ``registry ...`` line of the page's code blocks, and every such span within its text."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S)
    for block in blocks:
        yield from re.findall(r"^(?:\$ )?(registry .*)$", block, re.M)
    spans = re.findall(r"`(registry [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    yield from (re.sub(r"[\[\]]", "", span) for span in spans)


def test_there_is_a_readme_with_commands() -> None:
    assert README.exists(), "README.md is missing: nobody knows how to begin"
    assert len(list(_lines(README))) > 10


@pytest.mark.parametrize(
    ("page", "line"),
    [
        pytest.param(page, line, id=f"{page.name}: {line}")
        for page in PAGES
        for line in dict.fromkeys(_lines(page))
    ],
)
def test_every_command_line_in_the_documentation_parses(page: Path, line: str) -> None:
    assert parse(line) in COMMANDS, page


def test_the_readme_names_every_command() -> None:
    named = {parse(line) for line in _lines(README)}
    assert named == set(COMMANDS)
