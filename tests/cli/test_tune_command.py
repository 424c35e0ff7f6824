"""``registry tune`` as people and programs call it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from registry.onnx.tune import space
from support import graphs
from support.commandline import call


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two recipes instead of thirty."""
    monkeypatch.setattr(space, "coarse", lambda *, calibrated: space.weight_only()[:2])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return graphs.save(graphs.mlp(), tmp_path / "mlp.onnx")


@pytest.fixture
def validation(tmp_path: Path) -> Path:
    np.savez(tmp_path / "v.npz", x=np.random.default_rng(1).standard_normal((50, 16)).astype("f"))
    return tmp_path / "v.npz"


def test_a_tuned_model_as_json(founded: Path, source: Path, validation: Path, tmp_path: Path) -> None:
    arguments = ("--to", "vision/mlp", "--validation", validation, "--min-agreement", "0.9", "--no-proof")
    told = call("--home", founded, "tune", source, *arguments, "--json", "--plot", tmp_path / "p.svg").done()
    found = told.document()
    assert found["reference"] == "vision/mlp:1"
    assert found["chosen"] in found["trials"]
    assert found["evaluation"]["agreement_ppm"] == found["chosen"]["agreement_ppm"] >= 900_000
    assert found["complete"] is True
    assert found["because"][0].startswith("the smallest of ")
    assert (tmp_path / "p.svg").read_bytes().startswith(b"<?xml")
    assert told.err == ""


def test_a_tuned_model_for_people(founded: Path, source: Path, validation: Path, tmp_path: Path) -> None:
    arguments = ("--to", "vision/mlp", "--validation", validation, "--min-agreement", "0.9", "--no-proof")
    first = call("--home", founded, "tune", source, *arguments, "--plot", tmp_path / "p.png").done()
    assert "weight-only, INT8" in first.out
    assert any(line.startswith("chosen") for line in first.out.splitlines())
    assert any(line.startswith("because") for line in first.out.splitlines())
    assert "vision/mlp:1" in first.out
    assert "tried before" not in first.out
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    again = call("--home", founded, "tune", source, *arguments).done()
    assert "tried before" in again.out
    assert "vision/mlp:2" in again.out


def test_nothing_meets_the_bound(
    founded: Path, source: Path, validation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table and the picture are there, and nothing is published."""
    monkeypatch.setattr(space, "coarse", lambda *, calibrated: space.weight_only()[1:2])
    rows = np.random.default_rng(1).standard_normal((300, 16)).astype("f")
    np.savez(validation, x=rows)
    arguments = ("--to", "vision/mlp", "--validation", validation, "--min-agreement", "1")
    result = call("--home", founded, "tune", source, *arguments, "--plot", tmp_path / "p.png")
    assert result.code == 2
    assert "weight-only, INT4" in result.out
    assert "no recipe meets the bound" in result.err
    assert "--min-agreement" in result.next()
    assert (tmp_path / "p.png").exists()
    assert call("--home", founded, "show", "vision/mlp").code == 3


def test_time_that_runs_out_is_told(founded: Path, source: Path, validation: Path) -> None:
    arguments = ("--to", "vision/mlp", "--validation", validation, "--min-agreement", "0.5", "--no-proof")
    result = call("--home", founded, "tune", source, *arguments, "--budget", "0s").done()
    assert "time ran out" in result.err
    assert result.out.count("weight-only") >= 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("--budget", "soon"),
        ("--plot", "picture.jpg"),
        ("--plot", "no/such/directory/p.png"),
        ("--min-agreement", "2"),
        ("--objective", "beauty"),
        ("--to", "vision/mlp:1"),
    ],
)
def test_what_makes_no_sense(founded: Path, source: Path, validation: Path, wrong: tuple[str, str]) -> None:
    options = {"--to": "vision/mlp", "--validation": str(validation)} | dict([wrong])
    words = (word for pair in options.items() for word in pair)
    assert call("--home", founded, "tune", source, *words).code == 2


def test_a_person_sees_a_live_table(
    founded: Path, source: Path, validation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from registry.onnx.tune.choice import Goal
    from registry.onnx.tune.search import Standing
    from registry.onnx.tune.trial import Trial
    from registry_cli.trials import live

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    first, second = space.weight_only()[:2]
    trials = (
        Trial(first, "0" * 64, 2048, 990_000, 30_000, 500_000),
        Trial(second, failed="[red]no\x1b[31m[/red]"),
    )
    with live(False) as (watch, say):
        watch(Standing(trials, second, 7, trials[0]))
        say("a \x1b[2Jremark")
    shown = terminal.getvalue()
    assert "99.00 %" in shown
    assert "2 tried, of 7 at least; now weight-only, INT4" in shown
    assert "remark" in shown
    assert "\x1b[2Jremark" not in shown
    assert "[red]no" in shown
    assert Goal(1, "size").met(trials[0])
    with live(True) as (watch, _):
        watch(Standing(trials, None, 7, None))
    assert terminal.getvalue() == shown
