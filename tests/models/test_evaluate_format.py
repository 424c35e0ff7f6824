"""The signed form of an evaluation: what is written reads back, and nothing else reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import strictjson
from registry.errors import Malformed
from registry.onnx.evaluate.evaluation import (
    CAP,
    MAX_LAYERS,
    MILLION,
    Data,
    Evaluation,
    Layer,
    Output,
    Parent,
)
from registry.onnx.evaluate.layers import Found

_COUNTS = st.integers(0, 1 << 40)
_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_DECIMALS = st.floats(0, 1e300).map(lambda value: f"{value:.6g}")
_DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
_OUTPUTS = st.builds(
    Output,
    name=_NAMES,
    parent=_NAMES,
    type=st.sampled_from(["float", "int64"]),
    elements=_COUNTS,
    agreement_ppm=st.none() | st.integers(0, MILLION),
    cosine_ppm=st.none() | st.integers(-MILLION, MILLION),
    sqnr_mdb=st.none() | st.integers(-CAP, CAP),
    largest_error=st.none() | _DECIMALS,
    unlike=_COUNTS,
)
_LAYERS = st.builds(
    Layer,
    name=_NAMES,
    parent=_NAMES,
    operator=_NAMES,
    sqnr_mdb=st.integers(-CAP, CAP),
    largest_error=_DECIMALS,
)
_EVALUATIONS = st.builds(
    Evaluation,
    model=_NAMES,
    parent=st.builds(Parent, st.none() | _NAMES, _DIGESTS, _NAMES),
    data=st.builds(Data, _DIGESTS, st.integers(1, 1 << 30)),
    outputs=st.lists(_OUTPUTS, min_size=1, max_size=3).map(tuple),
    layers=st.lists(_LAYERS, max_size=3).map(tuple),
    layers_measured=st.integers(3, 9),
    tools=st.just((("numpy", "2.0"), ("onnxruntime", "1.31.1"))),
)


@given(_EVALUATIONS)
def test_what_is_written_reads_back_through_canonical_json(evaluation: Evaluation) -> None:
    text = strictjson.canonical(evaluation.to_dict())
    assert Evaluation.from_dict(strictjson.parse(text, limit=1 << 20)) == evaluation


def _some() -> dict[str, Any]:
    output = Output("y", "y", "float", 8, 990_000, 999_000, 30_000, "0.25", 0)
    second = Output("z", "z", "int64", 8, 980_000, None, None, None, 0)
    layer = Layer("c", "c", "ai.onnx.Conv", 31_000, "0.1")
    parent, data = Parent("a/b:1", "0" * 64, "model.onnx"), Data("1" * 64, 5)
    made = Evaluation("m.onnx", parent, data, (output, second), (layer,), 1, (("numpy", "2"),))
    return made.to_dict()


def test_the_summary_is_that_of_the_worst_output() -> None:
    told = _some()
    assert (told["agreement_ppm"], told["cosine_ppm"], told["sqnr_mdb"]) == (980_000, 999_000, 30_000)


_FLAWS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a summary better than the outputs": lambda told: told.update(agreement_ppm=1_000_000),
    "a summary that is a float": lambda told: told.update(agreement_ppm=980_000.0),
    "no summary": lambda told: told.update(sqnr_mdb=None),
    "an unknown field": lambda told: told.update(extra=1),
    "a missing field": lambda told: told.pop("data"),
    "a float": lambda told: told["outputs"][0].update(cosine_ppm=0.9),
    "agreement above one": lambda told: told["outputs"][1].update(agreement_ppm=1_000_001),
    "an infinite error": lambda told: told["outputs"][0].update(largest_error="inf"),
    "a negative error": lambda told: told["layers"][0].update(largest_error="-1"),
    "decibels beyond the cap": lambda told: told["layers"][0].update(sqnr_mdb=CAP + 1),
    "a digest in capitals": lambda told: told["parent"].update(digest="A" * 64),
    "no samples": lambda told: told["data"].update(samples=0),
    "more layers than were measured": lambda told: told.update(layers_measured=0),
    "too many layers": lambda told: told.update(
        layers=told["layers"] * (MAX_LAYERS + 1), layers_measured=MAX_LAYERS + 1
    ),
    "a tool without a version": lambda told: told["tools"].update(numpy=2),
}


@pytest.mark.parametrize("flaw", _FLAWS)
def test_what_is_refused(flaw: str) -> None:
    told = _some()
    assert Evaluation.from_dict(told).agreement_ppm == 980_000
    _FLAWS[flaw](told)
    with pytest.raises(Malformed):
        Evaluation.from_dict(told)


def test_of_too_many_layers_the_noisiest_are_signed_in_their_order() -> None:
    layers = tuple(Layer(str(at), str(at), "Conv", 1000 * (at % 7), "1") for at in range(MAX_LAYERS + 100))
    worst = Found(layers).worst
    assert len(worst) == MAX_LAYERS
    assert max(one.sqnr_mdb for one in worst) == 5000
    assert [int(one.name) for one in worst] == sorted(int(one.name) for one in worst)
    assert Found(layers[:5]).worst == layers[:5]
