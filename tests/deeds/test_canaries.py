"""Canaries: recorded with a push, covered by its signature, asked again at a checkout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from registry.checkout import checkout, verify
from registry.context import Context
from registry.errors import BadCanary, InvalidInput
from registry.onnx import canary
from registry.pull import pull
from registry.push import push
from support import graphs

REF = "vision/net"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    return graphs.save(graphs.mlp(), folder / "model.onnx")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    np.savez(tmp_path / "inputs.npz", x=graphs.feeds(graphs.mlp(), symbolic=5)["x"])
    return tmp_path / "inputs.npz"


def test_a_version_answers_its_canaries(context: Context, model: Path, inputs: Path) -> None:
    push(context, model, REF, canaries=inputs)
    found = checkout(context, REF, canary=True)
    assert canary.PATH in found.files
    assert {file.path for file in found.manifest.files} == {"model.onnx", canary.PATH}
    assert "canaries" in verify(context, REF)[11].detail


def test_without_canaries_there_is_nothing_to_answer_and_that_is_a_refusal(
    context: Context, model: Path
) -> None:
    push(context, model, REF)
    with pytest.raises(BadCanary, match="no canaries"):
        checkout(context, REF, canary=True)
    checkout(context, REF)


def test_another_model_with_the_same_canaries_is_refused_at_the_push(
    context: Context, model: Path, inputs: Path, tmp_path: Path
) -> None:
    push(context, model, REF, canaries=inputs)
    pull(context, REF, tmp_path / "out")
    _swap(tmp_path / "out" / "model.onnx")
    with pytest.raises(BadCanary, match="no longer answers"):
        push(context, tmp_path / "out", REF)


def test_a_swapped_model_is_refused_at_the_checkout(
    context: Context, model: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher may bring canaries of another model; whoever asks for them finds out."""
    push(context, model, REF, canaries=inputs)
    pull(context, REF, tmp_path / "out")
    _swap(tmp_path / "out" / "model.onnx")
    with monkeypatch.context() as careless:
        careless.setattr(canary, "replay", lambda *arguments: None)
        push(context, tmp_path / "out", REF)
    with pytest.raises(BadCanary) as caught:
        checkout(context, f"{REF}:2", canary=True)
    assert caught.value.step == "12 (run)"
    assert [one.number for one in verify(context, f"{REF}:2") if not one.ok] == [12]
    checkout(context, f"{REF}:1", canary=True)


def test_a_pulled_directory_is_pushed_again_with_its_canaries(
    context: Context, model: Path, inputs: Path, tmp_path: Path
) -> None:
    first = push(context, model, REF, canaries=inputs)
    pull(context, REF, tmp_path / "out")
    assert push(context, tmp_path / "out", REF).digest == first.digest


def test_inputs_that_are_not_the_models_are_refused(context: Context, model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "odd.npz", other=np.zeros(3, np.float32))
    with pytest.raises(InvalidInput):
        push(context, model, REF, canaries=tmp_path / "odd.npz")


def _swap(path: Path) -> None:
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        numbers = np.frombuffer(tensor.raw_data, np.float32)
        tensor.raw_data = numbers[::-1].tobytes()
    onnx.save(model, path)
