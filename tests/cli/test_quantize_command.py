"""``registry quantize``: options become the recipe that is signed, and errors say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from registry.onnx.quantize.presets import PRESETS
from support import graphs
from support.commandline import call, spawn


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return graphs.save(graphs.mlp(), tmp_path / "net.onnx")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "samples.npz"
    np.savez(path, x=np.stack([graphs.feeds(graphs.mlp(), seed=seed)["x"] for seed in range(4)]))
    return path


def recipe(home: Path, parent: Path, *options: object) -> dict[str, Any]:
    words = ("quantize", parent, "--to", "vision/net", "--no-proof", "--json", *options)
    found: dict[str, Any] = call("--home", home, *words).done().document()["recipe"]
    return found


def test_people_see_what_was_made(founded: Path, parent: Path, data: Path) -> None:
    words = ("quantize", parent, "--to", "vision/net", "--calibration", data, "--no-proof", "--keep-parent")
    made = spawn("--home", founded, *words).done()
    shown = dict(line.split(maxsplit=1) for line in made.out.splitlines())
    assert shown["reference"] == "vision/net:1"
    assert shown["recipe"] == "static, QDQ, INT8, MinMax, per channel"
    assert (shown["parent"], shown["samples"], shown["file"]) == ("vision/net-fp32:1", "4", "net.int8.onnx")
    assert made.err == ""


def test_json_is_one_document(founded: Path, parent: Path) -> None:
    words = ("quantize", parent, "--to", "vision/net", "--no-proof", "--json")
    document = call("--home", founded, *words).done().document()
    assert (document["reference"], document["path"]) == ("vision/net:1", "net.int8.onnx")
    assert (document["origin"], document["samples"]) == (None, None)
    assert document["recipe"]["mode"] == "dynamic"
    listed = call("--home", founded, "attestations", "vision/net", "--json").done().document()
    assert {one["type"].split("/")[-2] for one in listed["attestations"]} == {"quantization", "recipe"}


def test_options_become_the_recipe(founded: Path, parent: Path, data: Path) -> None:
    given = ("--calibration", data, "--method", "percentile", "--percentile", "99.9", "--bins", "1024")
    more = ("--format", "qoperator", "--per-tensor", "--reduce-range", "--asymmetric", "--exclude", "fc1")
    found = recipe(founded, parent, *given, *more)
    expected = {
        "mode": "static",
        "calibration": "Percentile",
        "percentile": 99_900,
        "bins": 1024,
        "format": "QOperator",
        "per_channel": False,
        "reduce_range": True,
        "symmetric_weights": False,
        "weight_type": "UINT8",
        "exclude": ["fc1"],
    }
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--bits", "4"), ("weight-only", "INT4", 32)),
        (("--bits", "8", "--mode", "weight-only", "--block-size", "64"), ("weight-only", "INT8", 64)),
        (("--type", "nf4"), ("weight-only", "NF4", 64)),
        (("--type", "FP4", "--block-size", "32"), ("weight-only", "FP4", 32)),
        (("--preset", "small", "--asymmetric"), ("weight-only", "UINT4", 32)),
        (("--mode", "dynamic"), ("dynamic", "INT8", 0)),
    ],
    ids=lambda found: " ".join(map(str, found)),
)
def test_short_forms(
    founded: Path, parent: Path, options: tuple[str, ...], expected: tuple[str, str, int]
) -> None:
    found = recipe(founded, parent, *options)
    assert (found["mode"], found["weight_type"], found["block_size"]) == expected


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--mode", "magic"), "none of"),
        (("--method", "guess"), "none of"),
        (("--type", "int3"), "none of"),
        (("--bits", "5"), "4 or 8"),
        (("--preset", "nonsense"), "none of"),
        (("--mode", "static"), "needs calibration data"),
        (("--calibration", "absent.npz"), "no such calibration"),
        (("--exclude", "fc9"), "no such node"),
        (("--meta", "owner"), "KEY=VALUE"),
    ],
    ids=lambda found: " ".join(found) if isinstance(found, tuple) else "",
)
def test_mistakes_are_explained(founded: Path, parent: Path, options: tuple[str, ...], reason: str) -> None:
    failed = call("--home", founded, "quantize", parent, "--to", "vision/net", "--no-proof", *options)
    assert failed.code == (3 if "absent" in reason or "absent.npz" in options else 2)
    assert reason in " ".join(failed.err.split())


def test_the_help_names_every_preset() -> None:
    shown = " ".join(call("quantize", "--help").done().out.split())
    for name in PRESETS:
        assert name in shown
