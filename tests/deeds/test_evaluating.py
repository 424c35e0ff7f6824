"""Evaluating a version: what is measured is signed, and what is signed reads back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from registry import acts, attesting, strictjson
from registry.context import Context
from registry.errors import InvalidInput, NotFound, ReferenceNotFound
from registry.evaluating import evaluate
from registry.onnx.evaluate.evaluation import Evaluation
from registry.onnx.quantize import load_calibration
from registry.push import push
from support import graphs, worlds
from support.company import MODEL, Company

SAMPLES = 40


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = np.random.default_rng(0).standard_normal((SAMPLES, 16)).astype("f")
    np.savez(tmp_path / "data.npz", x=rows)
    return tmp_path / "data.npz"


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    (tmp_path / "parent").mkdir()
    return graphs.save(graphs.mlp(), tmp_path / "parent" / "model.onnx", external="weights.bin").parent


@pytest.fixture
def child(tmp_path: Path) -> Path:
    (tmp_path / "child").mkdir()
    return graphs.dynamic(graphs.mlp(), tmp_path / "child" / "int8.onnx")


class _Watching:
    def __init__(self) -> None:
        self.said: list[Any] = []

    def begin(self, label: str, total: int) -> None:
        self.said.append((label, total))

    def advance(self, amount: int) -> None:
        self.said.append(amount)

    def end(self) -> None:
        self.said.append("end")


def test_a_version_is_measured_against_another_and_that_is_signed(
    context: Context, parent: Path, child: Path, data: Path
) -> None:
    push(context, parent, "vision/mlp-fp32")
    push(context, child, "vision/mlp")
    done = evaluate(context, "vision/mlp", "vision/mlp-fp32:1", data)
    ref, records = attesting.attestations(context, "vision/mlp:1")
    (signed,) = [one for one in records if one["type"] == acts.EVALUATION]
    assert (signed["seq"], signed["signer"]) == (done.seq, "alice")
    assert Evaluation.from_dict(signed["predicate"]) == done.evaluation
    assert strictjson.canonical(signed["predicate"])
    assert (done.child, done.parent) == (str(ref), "vision/mlp-fp32:1")
    found = done.evaluation
    assert (found.model, found.parent.reference, found.parent.model) == (
        "int8.onnx",
        "vision/mlp-fp32:1",
        "model.onnx",
    )
    assert (found.data.samples, found.data.digest) == (SAMPLES, load_calibration(data).digest)
    assert found.agreement_ppm is not None
    assert found.agreement_ppm > 900_000
    assert [one.parent for one in found.layers] == ["m1", "a1", "r1", "m2", "y"]
    assert dict(found.tools).keys() == {"hallmark", "numpy", "onnxruntime"}


def test_a_path_and_the_version_made_of_it_have_one_digest(
    context: Context, parent: Path, child: Path, data: Path
) -> None:
    pushed = push(context, parent, "vision/mlp-fp32")
    push(context, child, "vision/mlp")
    done = evaluate(context, "vision/mlp", str(parent), data)
    assert (done.evaluation.parent.reference, done.evaluation.parent.digest) == (None, pushed.digest)
    assert done.seq is not None


def test_files_of_ones_own_need_no_registry_and_nothing_is_signed(
    parent: Path, child: Path, data: Path
) -> None:
    watching = _Watching()
    done = evaluate(None, str(child), str(parent), data, progress=watching)
    assert done.seq is None
    (label, total), *moved, end = watching.said
    assert (label, sum(moved), end) == (f"evaluating {child}", total, "end")


def test_nothing_is_signed_where_nobody_asks_for_it(
    context: Context, parent: Path, child: Path, data: Path
) -> None:
    push(context, child, "vision/mlp")
    done = evaluate(context, "vision/mlp", str(parent), data, sign=False, layers=False)
    assert (done.seq, done.layers, done.evaluation.layers_measured) == (None, (), 0)
    assert {one["type"] for one in attesting.attestations(context, "vision/mlp")[1]} == {acts.QUANTIZATION}


def test_a_model_equals_itself(parent: Path, data: Path) -> None:
    found = evaluate(None, str(parent), str(parent), data).evaluation
    assert (found.agreement_ppm, found.cosine_ppm, found.sqnr_mdb) == (1_000_000, 1_000_000, 200_000)
    assert {one.sqnr_mdb for one in found.layers} == {200_000}


def test_whoever_may_pull_may_measure_and_sign(company: Company, parent: Path, data: Path) -> None:
    company.enroll("bob")
    company.grant("bob", "pull", MODEL)
    company.publish(parent)
    with company.open("bob") as context:
        done = evaluate(context, MODEL, str(parent), data)
    with company.open() as context:
        (signed,) = [
            one for one in attesting.attestations(context, MODEL)[1] if one["type"] == acts.EVALUATION
        ]
    assert (signed["signer"], signed["seq"]) == ("bob", done.seq)


def test_what_is_not_there_or_does_not_fit(
    context: Context, parent: Path, child: Path, data: Path, tmp_path: Path
) -> None:
    before = worlds.dump(context)
    with pytest.raises(ReferenceNotFound):
        evaluate(context, "vision/none", str(parent), data)
    with pytest.raises(NotFound):
        evaluate(None, str(child), str(parent), tmp_path / "none.npz")
    with pytest.raises(InvalidInput, match="needs a registry"):
        evaluate(None, "vision/mlp", str(parent), data)
    np.savez(tmp_path / "wrong.npz", other=np.zeros((3, 16), "f"))
    with pytest.raises(InvalidInput):
        evaluate(None, str(child), str(parent), tmp_path / "wrong.npz")
    other = graphs.save(graphs.mlp(outputs=5), tmp_path / "other.onnx")
    with pytest.raises(InvalidInput, match="different shapes"):
        evaluate(None, str(child), str(other), data)
    assert worlds.dump(context) == before
