"""The numbers of an evaluation against the same numbers computed at once, in another way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidInput
from registry.onnx.evaluate.compare import compare, decimal, millidecibel, parts_per_million
from registry.onnx.evaluate.evaluation import MILLION
from registry.onnx.evaluate.meter import CAP, Meter, decibels
from registry.onnx.session import Signature

Array = np.ndarray[Any, Any]


def _metered(ours: Array, theirs: Array, cuts: tuple[int, ...] = ()) -> Meter:
    meter = Meter()
    for mine, yours in zip(np.split(ours, cuts), np.split(theirs, cuts), strict=True):
        meter.add(mine, yours)
    return meter


def _pair(rows: int, classes: int, noise: float, seed: int) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    theirs = generator.standard_normal((rows, classes)).astype("f")
    return (theirs + noise * generator.standard_normal(theirs.shape)).astype("f"), theirs


@given(
    rows=st.integers(1, 40),
    classes=st.integers(2, 12),
    noise=st.sampled_from([1e-5, 1e-2, 0.3, 2.0]),
    seed=st.integers(0, 1 << 30),
)
def test_all_four_numbers_are_those_of_numpy_whatever_the_batches(
    rows: int, classes: int, noise: float, seed: int
) -> None:
    ours, theirs = _pair(rows, classes, noise, seed)
    meter = _metered(ours, theirs, tuple(range(0, rows, 7)))
    a, b = ours.ravel().astype(np.float64), theirs.ravel().astype(np.float64)
    error = a - b
    alike = sum(int(np.argmax(x)) == int(np.argmax(y)) for x, y in zip(ours, theirs, strict=True))
    assert meter.agreement == (alike, rows)
    assert meter.sqnr == pytest.approx(10 * np.log10((b**2).mean() / (error**2).mean()), abs=1e-9)
    assert meter.cosine == pytest.approx(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-12)
    assert meter.largest == np.abs(error).max()
    assert (meter.elements, meter.unlike) == (rows * classes, 0)


def test_a_known_decibel() -> None:
    """A tenth of the amplitude is 20 dB."""
    theirs = np.full((4, 4), 2.0)
    assert _metered(theirs + 0.2, theirs).sqnr == pytest.approx(20)


def test_equal_answers_are_at_the_cap_and_noise_upon_silence_below_it() -> None:
    some, none = np.ones((2, 3), "f"), np.zeros((2, 3), "f")
    equal = _metered(some, some)
    assert (equal.sqnr, equal.cosine, equal.largest, equal.agreement) == (CAP, 1.0, 0.0, (2, 2))
    assert (_metered(none, none).sqnr, _metered(none, none).cosine) == (CAP, 1.0)
    assert (_metered(some, none).sqnr, _metered(some, none).cosine) == (-CAP, 0.0)
    assert _metered(none, some).sqnr == 0.0


@pytest.mark.parametrize(
    ("signal", "noise", "expected"),
    [(0, 0, CAP), (1, 0, CAP), (0, 1, -CAP), (math.inf, 1, -CAP), (1, math.inf, -CAP), (1, 1e-300, CAP)],
)
def test_decibels_are_always_finite(signal: float, noise: float, expected: float) -> None:
    assert decibels(signal, noise) == expected


def test_answers_of_one_number_have_no_classes() -> None:
    for shape in ((5,), (5, 1), ()):
        assert _metered_whole(np.ones(shape, "f")).agreement is None


def _metered_whole(answer: Array) -> Meter:
    meter = Meter()
    meter.add(answer, answer)
    return meter


def test_of_several_that_are_as_large_the_first_counts() -> None:
    assert _metered(np.array([[1.0, 1.0]]), np.array([[1.0, 0.0]])).agreement == (1, 1)
    assert _metered(np.array([[1.0, 1.0]]), np.array([[0.0, 1.0]])).agreement == (0, 1)


def test_every_position_of_a_sequence_is_an_answer() -> None:
    answer = np.random.default_rng(0).standard_normal((2, 7, 5))
    assert _metered_whole(answer).agreement == (14, 14)


def test_labels_agree_one_by_one_and_have_no_decibels() -> None:
    meter = _metered(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5]))
    assert (meter.agreement, meter.floats) == ((3, 4), False)


def test_what_is_not_finite_is_counted_and_not_summed() -> None:
    ours = np.array([[1.0, np.inf, np.nan, 2.0, -np.inf]])
    theirs = np.array([[1.0, np.inf, 0.0, 3.0, np.inf]])
    meter = _metered(ours, theirs)
    assert (meter.unlike, meter.largest) == (2, 1.0)
    assert meter.sqnr == pytest.approx(10 * math.log10(10))


def test_numbers_at_the_end_of_their_range_give_finite_measures() -> None:
    huge = np.array([[1e308, -1e308]])
    meter = _metered(huge, -huge)
    assert (meter.sqnr, meter.cosine) == (-CAP, 0.0)
    assert "inf" not in decimal(meter.largest)


def test_answers_of_other_shapes() -> None:
    with pytest.raises(InvalidInput, match="different shapes"):
        Meter().add(np.ones((2, 3)), np.ones((3, 2)))


def test_rounding_never_flatters() -> None:
    assert parts_per_million(2, 3) == 666_666
    assert parts_per_million(10**9 - 1, 10**9) == 999_999
    assert (millidecibel(20.0004), millidecibel(-3.0001)) == (20_000, -3001)
    assert (decimal(0.0), decimal(1 / 3), decimal(math.inf)) == ("0", "0.333333", "1e+300")


class _Answering:
    """A model that answers with what it was given."""

    def __init__(self, **answers: Array) -> None:
        self._answers = answers
        kinds = {"f": "float", "d": "double", "l": "int64", "U": "string"}
        self.outputs = tuple(
            Signature(name, f"tensor({kinds[array.dtype.char]})", array.shape)
            for name, array in answers.items()
        )

    def run(self, names: Any, feeds: Any) -> list[Array]:
        return [self._answers[name] for name in names]


def test_outputs_belong_together_by_name_and_else_by_position() -> None:
    one, other = np.eye(3, dtype="f"), np.full((3, 3), 2, "f")
    swapped = compare(_Answering(a=one, b=other), _Answering(b=other, a=one), [{}])
    assert [(found.name, found.parent, found.sqnr_mdb) for found in swapped] == [
        ("a", "a", 200_000),
        ("b", "b", 200_000),
    ]
    renamed = compare(_Answering(x=one, y=other), _Answering(a=one, b=other), [{}])
    assert [(found.name, found.parent, found.agreement_ppm) for found in renamed] == [
        ("x", "a", MILLION),
        ("y", "b", MILLION),
    ]


def test_outputs_without_numbers_are_left_out_and_without_any_refused() -> None:
    words, numbers = np.array(["a"]), np.ones((1, 2), "f")
    assert len(compare(_Answering(w=words, y=numbers), _Answering(w=words, y=numbers), [{}])) == 1
    with pytest.raises(InvalidInput, match="no output of numbers"):
        compare(_Answering(w=words), _Answering(w=words), [{}])
    with pytest.raises(InvalidInput, match="1 and 2 outputs"):
        compare(_Answering(y=numbers), _Answering(y=numbers, z=numbers), [{}])
