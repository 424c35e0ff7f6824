"""Tuning: the search is kept, resumed and bounded; the best is published with its recipe and its numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from registry import acts, attesting, tuning
from registry.checkout import checkout
from registry.context import Context
from registry.errors import InvalidInput, InvalidModel, InvalidReference, SourceChanged
from registry.onnx.evaluate.evaluation import Evaluation
from registry.onnx.quantize import quantize
from registry.onnx.tune import space
from registry.onnx.tune.workbench import Workbench
from registry.push import push
from support import graphs, worlds


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five recipes instead of thirty."""
    grid = (*space.static()[:2], *space.dynamic()[:1], *space.weight_only()[:2])
    monkeypatch.setattr(
        space,
        "coarse",
        lambda *, calibrated: grid if calibrated else grid[2:],
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return graphs.save(graphs.mlp(), tmp_path / "source" / "mlp.onnx")


def _rows(path: Path, count: int, seed: int) -> Path:
    np.savez(path, x=np.random.default_rng(seed).standard_normal((count, 16)).astype("f"))
    return path


@pytest.fixture
def validation(tmp_path: Path) -> Path:
    return _rows(tmp_path / "validation.npz", 100, 1)


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    return _rows(tmp_path / "calibration.npz", 30, 2)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Every recipe that a bench makes a model of."""
    recipes: list[Any] = []

    class Counting(Workbench):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, quantizing=self._counted, **options)

        def _counted(self, files: Any, path: str, recipe: Any, data: Any) -> bytes:
            recipes.append(recipe)
            return quantize(files, path, recipe, data)

    monkeypatch.setattr("registry.onnx.tune.workbench.Workbench", Counting)
    return recipes


def _wish(agreement: float = 0.95, **options: Any) -> tuning.Wish:
    return tuning.Wish(round(agreement * 1_000_000), **options)


def test_the_smallest_that_meets_is_published_with_its_recipe_and_its_evaluation(
    context: Context, source: Path, validation: Path, calibration: Path
) -> None:
    done = tuning.tune(
        context,
        str(source),
        "vision/mlp",
        validation,
        min_agreement=0.95,
        calibration=calibration,
        label="tuned",
        aliases=["best"],
        proof=False,
    )
    ref, records = attesting.attestations(context, "vision/mlp:best")
    kinds = [record["type"] for record in records]
    assert kinds == [acts.QUANTIZATION, acts.RECIPE, acts.EVALUATION]
    assert records[1]["predicate"]["recipe"] == done.quantized.recipe.to_dict()
    assert (records[2]["seq"], ref) == (done.seq, done.quantized.pushed.ref)
    assert Evaluation.from_dict(records[2]["predicate"]) == done.evaluation
    assert done.evaluation.agreement_ppm is not None
    assert done.evaluation.agreement_ppm >= 950_000
    verified = checkout(context, "vision/mlp:tuned")
    assert done.evaluation.model in verified.files
    assert done.evaluation.layers_measured > 0


def test_what_was_tried_is_what_is_published(
    context: Context, source: Path, validation: Path, made: list[Any]
) -> None:
    found = tuning.search(context, str(source), validation, _wish())
    assert found.best is not None
    assert found.complete
    assert [trial.recipe for trial in found.trials][:3] == made[:3]
    done = tuning.publish(context, found, "vision/mlp", proof=False)
    (data,) = checkout(context, "vision/mlp").files.values()
    assert hashlib.sha256(data).hexdigest() == found.best.sha256
    assert done.quantized.pushed.size == found.best.size


def test_the_same_search_tries_nothing_again_and_another_bound_little(
    context: Context, source: Path, validation: Path, made: list[Any]
) -> None:
    first = tuning.search(context, str(source), validation, _wish())
    tried = len(first.trials)
    made.clear()
    again = tuning.search(context, str(source), validation, _wish())
    assert again.best is not None
    assert made == [again.best.recipe]  # for its evaluation
    assert (again.trials, again.remembered) == (first.trials, tried)
    tuning.search(context, str(source), validation, _wish(objective="latency", agreement=0.9))
    assert not {trial.recipe for trial in first.trials} & set(made[1:-1])


def test_an_interrupted_search_goes_on(
    context: Context, source: Path, validation: Path, made: list[Any]
) -> None:
    def stop(standing: Any) -> None:
        if len(standing.trials) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuning.search(context, str(source), validation, _wish(), watch=stop)
    assert len(made) == 2
    found = tuning.search(context, str(source), validation, _wish())
    assert found.remembered == 2
    first = {trial.recipe for trial in found.trials[:2]}
    best = found.best.recipe if found.best else None
    assert [recipe for recipe in made[2:] if recipe in first] == ([best] if best in first else [])


def test_other_data_is_another_search(
    context: Context, source: Path, validation: Path, calibration: Path, tmp_path: Path
) -> None:
    tuning.search(context, str(source), validation, _wish(0.5))
    for changed in (
        {"validation": _rows(tmp_path / "other.npz", 100, 5)},
        {"calibration": calibration},
        {"source": str(graphs.save(graphs.mlp(hidden=16), tmp_path / "other.onnx"))},
    ):
        arguments = {"source": str(source), "validation": validation, "calibration": None, **changed}
        found = tuning.search(context, wish=_wish(0.5), **arguments)
        assert found.remembered == 0


def test_fresh_forgets(context: Context, source: Path, validation: Path) -> None:
    tuning.search(context, str(source), validation, _wish(0.5))
    assert tuning.search(context, str(source), validation, _wish(0.5, fresh=True)).remembered == 0


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-20], lambda data: b"", lambda data: b"\xff" * 99, lambda data: b'{"format": 1}'],
    ids=["cut short", "empty", "bytes", "another object"],
)
def test_a_damaged_state_is_begun_anew_and_that_is_said(
    context: Context, source: Path, validation: Path, damage: Callable[[bytes], bytes]
) -> None:
    told: list[str] = []
    first = tuning.search(context, str(source), validation, _wish(0.5), say=told.append)
    (state,) = (context.paths.home / "tunings").iterdir()
    assert state.stat().st_mode & 0o777 == 0o600
    state.write_bytes(damage(state.read_bytes()))
    assert told == []
    again = tuning.search(context, str(source), validation, _wish(0.5), say=told.append)
    assert (again.remembered, len(again.trials)) == (0, len(first.trials))
    assert ["damaged" in line for line in told] == [True]


def test_the_budget_ends_the_search_after_the_trial_under_way(
    context: Context, source: Path, validation: Path, made: list[Any]
) -> None:
    """Every trial takes a minute of this clock; there are ninety seconds."""
    found = tuning.search(
        context, str(source), validation, _wish(0.5, budget=90.0), clock=lambda: 60.0 * len(made)
    )
    assert len(found.trials) == 2
    assert not found.complete
    assert found.best is not None
    rest = tuning.search(context, str(source), validation, _wish(0.5))
    assert (rest.remembered, rest.complete) == (2, True)


def test_nothing_meets_the_bound(context: Context, source: Path, validation: Path) -> None:
    before = worlds.dump(context)
    found = tuning.search(context, str(source), validation, tuning.Wish(1_000_001))
    assert (found.best, found.evaluation) == (None, None)
    assert found.reasons[0].startswith("none of ")
    with pytest.raises(InvalidInput, match="no recipe meets the bound"):
        tuning.publish(context, found, "vision/mlp")
    assert worlds.dump(context) == before


def test_a_source_that_changes_between_search_and_publication(
    context: Context, source: Path, validation: Path
) -> None:
    found = tuning.search(context, str(source), validation, _wish(0.5))
    graphs.save(graphs.mlp(hidden=48), source)
    with pytest.raises(SourceChanged):
        tuning.publish(context, found, "vision/mlp", proof=False)
    types = [one["type"] for one in attesting.attestations(context, "vision/mlp")[1]]
    assert acts.EVALUATION not in types


def test_a_version_is_tuned_as_a_file_is(context: Context, source: Path, validation: Path) -> None:
    push(context, source, "vision/mlp-fp32")
    done = tuning.tune(context, "vision/mlp-fp32:1", "vision/mlp", validation, min_agreement=0.9, proof=False)
    assert done.evaluation.parent.reference == "vision/mlp-fp32:1"
    assert str(done.quantized.origin) == "vision/mlp-fp32:1"


def test_the_proof_of_a_tuned_model(
    context: Context, source: Path, validation: Path, calibration: Path
) -> None:
    done = tuning.tune(
        context, str(source), "vision/mlp", validation, min_agreement=0.9, calibration=calibration
    )
    assert done.quantized.pushed.lineage in ("replayed", "derived")


def test_data_that_is_used_twice_is_remarked_upon(context: Context, source: Path, validation: Path) -> None:
    told: list[str] = []
    tuning.search(context, str(source), validation, _wish(0.5), calibration=validation, say=told.append)
    assert ["calibration data" in line for line in told] == [True]


def test_what_makes_no_sense_is_refused_before_any_work(
    context: Context, source: Path, validation: Path, made: list[Any]
) -> None:
    for agreement, objective in ((0.0, "size"), (1.1, "size"), (-1.0, "size"), (0.9, "beauty")):
        with pytest.raises(InvalidInput):
            tuning.tune(context, str(source), "a/b", validation, min_agreement=agreement, objective=objective)
    with pytest.raises(InvalidReference):
        tuning.tune(context, str(source), "a/b:prod", validation)
    child = graphs.dynamic(graphs.mlp(), source.parent / "child.onnx")
    with pytest.raises(InvalidModel, match="quantized already"):
        tuning.tune(context, str(child), "a/b", validation)
    assert made == []
