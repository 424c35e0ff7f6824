"""``registry audit report``: a page in a file or on stdout, and the same as one JSON document."""

from __future__ import annotations

import shlex
import shutil
import stat
from pathlib import Path

import pytest
from typer.main import get_command

from registry.audit.report.findings import findings
from registry_cli.main import app
from support import ledgers
from support.commandline import call
from support.reportfacts import facts


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    return ledgers.copied(tmp_path)


def _audit(home: Path, *arguments: object, who: str = "auditor") -> tuple[object, ...]:
    return ("--home", home, "--identity", home / f"{who}.pem", "audit", "report", *arguments)


def test_the_page_goes_to_a_file_that_others_do_not_read(generated: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = call(*_audit(generated, "--since", "2024-01-01", "-o", page)).done()
    assert page.read_text().startswith("<!doctype html>\n")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert done.out.splitlines()[0] == f"written  {page}"
    assert "look     The ledger was never verified in full from here" in done.out.splitlines()
    assert done.err == ""


def test_the_page_goes_to_stdout_and_nothing_with_it(generated: Path) -> None:
    done = call(*_audit(generated)).done()
    assert done.out.startswith("<!doctype html>\n")
    assert done.out.endswith("</html>")
    assert done.err == ""


def test_the_document_has_the_numbers_and_the_findings(generated: Path) -> None:
    document = (
        call(*_audit(generated, "--since", "2024-01-01", "--stale-days", "7", "--json")).done().document()
    )
    assert document["period"]["first"] == "2024-11-20"
    assert document["activity"]["acts"] + document["denied"]["told"] == document["health"]["size"]
    assert document["unused"]["days"] == 7
    assert document["written"] is None
    levels = [one["level"] for one in document["findings"]]
    assert levels == sorted(levels, key=["act", "look", "know"].index)


def test_the_commands_that_the_page_names_are_there() -> None:
    """With those options, though not run."""
    told = [one.command for one in findings(facts()) if one.command]
    assert len(told) > 8
    for text in told:
        command, arguments = get_command(app), shlex.split(text)[1:]
        while inside := getattr(command, "commands", None):
            command = inside[arguments.pop(0)]
        options = {option for one in command.params for option in one.opts}
        assert {one for one in arguments if one.startswith("--")} <= options


def test_an_engineer_is_denied(generated: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ended = call(*_audit(generated, "-o", page, who="engineer"))
    assert (ended.code, ended.out) == (4, "")
    assert "only an auditor or an admin may see the report" in ended.err
    assert not page.exists()


@pytest.mark.parametrize(
    ("since", "said"), [("soon", "this is no time"), ("2999-01-01", "the period begins in the future")]
)
def test_a_time_that_makes_no_sense(generated: Path, since: str, said: str) -> None:
    ended = call(*_audit(generated, "--since", since))
    assert ended.code == 2
    assert said in ended.err


def test_a_disk_that_takes_no_page_says_so(generated: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "nowhere", ignore_errors=True)
    ended = call(*_audit(generated, "-o", tmp_path / "nowhere" / "report.html"))
    assert ended.code == 3
    assert "there is no such file" in ended.err
