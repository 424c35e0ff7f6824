"""The bench with real models: what a trial says is what an evaluation of the same file says; the picture."""

from __future__ import annotations

import hashlib
import struct
import xml.etree.ElementTree as ET
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest

from registry.errors import InvalidInput, InvalidModel
from registry.onnx.evaluate.measuring import Measurement
from registry.onnx.evaluate.recalling import Recalling
from registry.onnx.quantize import Calibration, Recipe, calibration_of, quantize
from registry.onnx.session import build_session
from registry.onnx.tune import picture
from registry.onnx.tune.choice import Goal
from registry.onnx.tune.latency import ROUNDS, WARMING, ratio_ppm
from registry.onnx.tune.search import Search
from registry.onnx.tune.space import dynamic, weight_only
from registry.onnx.tune.trial import Memory, Trial
from registry.onnx.tune.workbench import Workbench, agreement
from support import graphs

NAME = "model.onnx"
INT8, INT4 = weight_only()[0], weight_only()[1]


def _source(model: onnx.ModelProto) -> tuple[dict[str, bytes], str]:
    return {NAME: model.SerializeToString()}, NAME


def _rows(count: int, seed: int) -> Calibration:
    return calibration_of([{"x": np.random.default_rng(seed).standard_normal((count, 16)).astype("f")}])


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    with Workbench(_source(graphs.mlp()), _rows(60, 1), _rows(20, 2)) as bench:
        return [bench.try_out(recipe) for recipe in (INT8, INT4, dynamic()[0], Recipe(mode="static"))]


def test_a_trial_says_what_an_evaluation_says(trials: list[Trial]) -> None:
    source, validation, calibration = _source(graphs.mlp()), _rows(60, 1), _rows(20, 2)
    for trial in trials:
        data = calibration if trial.recipe.needs_calibration else None
        made = quantize(*source, trial.recipe, data)
        (output,) = Measurement(({NAME: made}, NAME), source, validation).outputs()
        assert (trial.size, trial.sha256) == (len(made), hashlib.sha256(made).hexdigest())
        assert (trial.agreement_ppm, trial.sqnr_mdb) == (output.agreement_ppm, output.sqnr_mdb)
        assert trial.latency_ppm > 0
        assert trial.failed is None
    assert len({trial.sha256 for trial in trials}) == len(trials)


def test_a_recipe_that_does_not_fit_is_a_failed_trial() -> None:
    """Dynamic quantization reaches no weight inside If branches with INT4, and the search goes on."""
    model = graphs.mlp()
    with Workbench(_source(model), _rows(8, 1), None) as bench:
        failed = bench.try_out(Recipe(mode="static"))
        assert failed.failed is not None
        assert (failed.size, failed.agreement_ppm, failed.sha256) == (0, 0, "")
        everything = replace(INT4, exclude=("m1", "m2"))
        assert bench.try_out(everything).failed is not None
        assert bench.try_out(INT4).failed is None


def test_the_noisy_layers_are_those_with_weights() -> None:
    with Workbench(_source(graphs.transformer()), _tokens(6), None) as bench:
        found = bench.noisy(INT4)
        assert set(found) <= {"q", "k", "v", "o", "h", "d"}  # not qk and a, which multiply no constant
        assert len(found) >= 4
        left = bench.try_out(replace(INT4, exclude=found[:2]))
        whole = bench.try_out(INT4)
    assert left.size > whole.size
    assert left.sqnr_mdb > whole.sqnr_mdb + 1000


def _tokens(rows: int) -> Calibration:
    return calibration_of([{"tokens": np.random.default_rng(0).integers(0, 64, (rows, 9))}])


def test_what_is_quantized_already_is_not_tuned() -> None:
    made = quantize(*_source(graphs.mlp()), INT8)
    with pytest.raises(InvalidModel, match="quantized already"):
        Workbench(({NAME: made}, NAME), _rows(4, 1), None)


def test_data_that_does_not_fit_is_refused_before_anything_is_tried() -> None:
    other = calibration_of([{"z": np.zeros((4, 16), "f")}])
    for validation, calibration in ((other, None), (_rows(4, 1), other)):
        with pytest.raises(InvalidInput):
            Workbench(_source(graphs.mlp()), validation, calibration)


def test_a_recipe_is_made_once_while_it_is_looked_at() -> None:
    made = []

    def counted(*arguments: Any) -> bytes:
        made.append(arguments[2])
        return quantize(*arguments)

    with Workbench(_source(graphs.mlp()), _rows(8, 1), None, quantizing=counted) as bench:
        bench.try_out(INT8)
        bench.noisy(INT8)
        bench.make(INT8)
    assert made == [INT8]


def test_the_whole_search_on_a_small_transformer_meets_its_bound() -> None:
    goal = Goal(940_000, "size")
    with Workbench(_source(graphs.transformer()), _tokens(10), None) as bench:
        standing = Search(bench, weight_only()[1:], goal, memory=Memory()).run()
        assert standing.best is not None
        assert standing.best.agreement_ppm >= 940_000
        assert standing.best.recipe.exclude != ()
        made = bench.make(standing.best.recipe)
    (output,) = Measurement(({NAME: made}, NAME), _source(graphs.transformer()), _tokens(10)).outputs()
    assert output.agreement_ppm == standing.best.agreement_ppm


def test_answers_are_remembered_and_the_model_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    feeds = [graphs.feeds(graphs.mlp(), seed=seed) for seed in range(3)]
    with build_session(*_source(graphs.mlp())) as session:
        expected = [session.run(None, one)[0].tolist() for one in feeds]
        recalling, asked = Recalling(session), []
        honest = session.run
        monkeypatch.setattr(session, "run", lambda *question: asked.append(1) or honest(*question))
        for _ in range(3):
            again = recalling.again()
            assert [again.run(["y"], one)[0].tolist() for one in feeds] == expected
        assert len(asked) == 3
        monkeypatch.setattr("registry.onnx.evaluate.recalling.LIMIT", 100)
        small = Recalling(session)  # room for one answer of 64 bytes
        for _ in range(2):
            assert [small.again().run(["y"], one)[0].tolist() for one in feeds[:1]] == expected[:1]
            assert [small.run(["y"], one)[0].tolist() for one in feeds[1:]] == expected[1:]
        assert len(asked) == 3 + 3 + 2


def test_without_classes_the_cosine_counts() -> None:
    model = graphs.mlp(outputs=1)
    outputs = Measurement(_source(model), _source(model), _rows(4, 1)).outputs()
    assert outputs[0].agreement_ppm is None
    assert agreement(outputs) == 1_000_000


def test_the_latency_is_a_ratio_of_medians() -> None:
    """Of runs that take three ticks and one; a slow one in between does not count."""

    class Running:
        def __init__(self, ticks: float) -> None:
            self.ticks, self.runs = ticks, 0

        def run(self, *_: object) -> None:
            self.runs += 1
            now[0] += 0.2 if self.runs == 5 else self.ticks

    now = [0.0]
    child, parent = Running(0.003), Running(0.001)
    assert ratio_ppm(child, parent, {}, lambda: now[0]) == pytest.approx(3_000_000, rel=1e-6)  # type: ignore[arg-type]
    assert child.runs == parent.runs == WARMING + ROUNDS
    now, slow = [0.0], Running(2.0)
    ratio_ppm(slow, slow, {}, lambda: now[0])  # type: ignore[arg-type]
    assert slow.runs < 2 * (WARMING + ROUNDS)


# --- the picture ------------------------------------------------------------------------------


def test_the_picture_is_a_png_of_many_colours_the_same_each_time(trials: list[Trial]) -> None:
    goal = Goal(990_000, "latency")
    data = picture.draw(trials, goal, 3000, "png")
    assert data == picture.draw(trials, goal, 3000, "png")
    assert data != picture.draw(trials[:-1], goal, 3000, "png")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (1080, 672)
    start = data.index(b"IDAT")
    length = struct.unpack(">I", data[start - 4 : start])[0]
    pixels = zlib.decompressobj().decompress(data[start + 4 : start + 4 + length])
    assert len(set(pixels)) > 20
    assert b"Software" not in data


def test_the_picture_as_svg_says_what_was_chosen(trials: list[Trial]) -> None:
    failed = Trial(dynamic()[1], failed="no")
    text = picture.draw([*trials, failed], Goal(900_000, "size"), 3000, "svg")
    assert text == picture.draw([*trials, failed], Goal(900_000, "size"), 3000, "svg")
    ET.fromstring(text)
    words = text.decode()
    assert "chosen: " in words
    assert "bound 90.00 %" in words
    assert "size, % of the parent&#39;s" in words or "size, % of the parent's" in words
    assert "no recipe meets the bound" in picture.draw(trials, Goal(1_000_001, "size"), 3000, "svg").decode()
