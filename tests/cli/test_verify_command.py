"""``registry verify``: the twelve steps, in people's form and in the shape that scripts read."""

from __future__ import annotations

import re
from pathlib import Path

from registry.ritual import STEPS
from support.commandline import call, spawn

STEP = re.compile(r"^ *(\d+)  (\w+) +(ok|FAILED) ", re.M)


def test_every_step_is_printed_with_its_verdict(home: Path) -> None:
    verified = spawn("--home", home, "verify", "vision/mlp:prod").done()
    wanted = [(str(step.number), step.name, "ok") for step in STEPS]
    assert STEP.findall(verified.out) == wanted
    assert verified.out.endswith("vision/mlp:prod: verified\n")
    assert verified.err == ""


def test_json_has_exactly_the_promised_shape(home: Path) -> None:
    document = spawn("--home", home, "verify", "vision/mlp", "--json").done().document()
    assert set(document) == {"ok", "steps"}
    assert document["ok"] is True
    assert [(step["number"], step["name"]) for step in document["steps"]] == [
        (step.number, step.name) for step in STEPS
    ]
    for step in document["steps"]:
        assert set(step) == {"number", "name", "ok", "detail"}
        assert [type(step[name]) for name in ("number", "name", "ok", "detail")] == [int, str, bool, str]
        assert step["ok"]


def test_a_failed_step_is_the_last_one_and_the_exit_code_is_5(broken: Path) -> None:
    refused = spawn("--home", broken, "verify", "vision/mlp")
    assert refused.code == 5
    assert STEP.findall(refused.out)[-1] == ("9", "open", "FAILED")
    assert "NOT verified, step 9 failed" in refused.out


def test_a_failed_step_in_json(broken: Path) -> None:
    refused = spawn("--home", broken, "verify", "vision/mlp", "--json")
    assert refused.code == 5
    document = refused.document()
    assert document["ok"] is False
    assert [step["ok"] for step in document["steps"]] == [True] * 8 + [False]
    assert set(document["steps"][-1]) == {"number", "name", "ok", "detail"}
    assert document["steps"][-1]["detail"]


def test_a_version_that_is_not_there_was_never_walked(home: Path) -> None:
    missing = call("--home", home, "verify", "vision/mlp:7", "--json")
    assert missing.code == 3
    assert missing.document()["error"]["code"] == "reference-not-found"


def test_a_blob_that_is_gone_is_not_called_a_forgery(home: Path) -> None:
    blob = next(path for path in (home / "blobs" / "objects").rglob("*") if path.is_file())
    blob.unlink()
    missing = call("--home", home, "verify", "vision/mlp")
    assert missing.code == 3
    assert "error [blob-missing]" in missing.err
    assert call("--home", home, "fsck").code == 5
