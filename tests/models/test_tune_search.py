"""The search on a bench made of arithmetic: what is tried, in which order, how often, and when it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import strictjson
from registry.errors import Malformed
from registry.onnx.quantize.recipe import Recipe
from registry.onnx.tune.choice import Goal, best, front, reasons
from registry.onnx.tune.search import ALONE, BASES, STEPS, Search, Standing
from registry.onnx.tune.space import coarse, described, dynamic
from registry.onnx.tune.trial import Memory, Trial

LAYERS = tuple(f"layer{at}" for at in range(6))
SPACE = coarse(calibrated=True)


class Bench:
    """Each layer left in float makes a model agree more and larger, and so does a later recipe."""

    def __init__(self, fails: Callable[[Recipe], bool] = lambda _: False) -> None:
        self.tried: list[Recipe] = []
        self.ranked: list[Recipe] = []
        self._fails = fails

    def try_out(self, recipe: Recipe) -> Trial:
        self.tried.append(recipe)
        if self._fails(recipe):
            return Trial(recipe, failed="it does not fit")
        left, where = len(recipe.exclude), SPACE.index(replace(recipe, exclude=()))
        return Trial(
            recipe,
            sha256=f"{len(self.tried):064x}",
            size=1000 + 10 * where + 50 * left,
            agreement_ppm=min(999_999, 900_000 + 1000 * where + 20_000 * left),
            sqnr_mdb=20_000 + where + sum(map(LAYERS.index, recipe.exclude)),
            latency_ppm=2_000_000 - 10_000 * where,
        )

    def noisy(self, recipe: Recipe) -> tuple[str, ...]:
        self.ranked.append(recipe)
        return LAYERS


def _search(bench: Bench, agreement: float, objective: str = "size", **options: object) -> Search:
    goal = Goal(round(agreement * 1_000_000), objective)
    return Search(bench, SPACE, goal, **{"memory": Memory(), **options})  # type: ignore[arg-type]


def test_the_space_is_a_grid_without_anything_twice() -> None:
    assert len(SPACE) == len(set(SPACE)) == 31
    assert sum(recipe.mode == "static" for recipe in SPACE) == 24
    assert {recipe.mode for recipe in coarse(calibrated=False)} == {"dynamic", "weight-only"}
    assert len({described(recipe) for recipe in SPACE}) == 31
    assert described(replace(dynamic()[0], exclude=("a", "b"))) == "dynamic, per channel, 2 in float"


def test_everything_is_tried_in_order_and_the_smallest_that_meets_is_best() -> None:
    bench = Bench()
    search = _search(bench, 0.91)
    standing = search.run()
    assert bench.tried[: len(SPACE)] == list(SPACE)
    assert search.complete
    # SPACE[10] is the first that agrees on 91 %; those before it would be larger with a layer in float.
    assert standing.best is not None
    assert standing.best.recipe == SPACE[10]


def test_layers_of_the_closest_are_left_in_float_until_it_meets_or_no_longer_pays() -> None:
    bench = Bench()
    standing = _search(bench, 0.92).run()
    finer = bench.tried[len(SPACE) :]
    assert bench.ranked == [SPACE[19], SPACE[18], SPACE[17]]
    assert len(bench.ranked) == BASES
    # One layer adds 2 %: each meets at once, but is larger than SPACE[20], which is there already.
    assert [len(recipe.exclude) for recipe in finer] == [1] * ALONE * BASES
    assert standing.best is not None
    assert standing.best.recipe == SPACE[20]


def test_more_and_more_layers_stay_in_float_where_nothing_meets() -> None:
    bench = Bench()
    standing = _search(bench, 0.99).run()
    finer = [len(recipe.exclude) for recipe in bench.tried[len(SPACE) :]]
    # The closest meets with three; the others miss by 0.1 % with three, and are dearer with five.
    assert finer == [1, 1, 1, 1, 2, 3, 1, 1, 1, 1, 2, 3, 5, 1, 1, 1, 1, 2, 3, 5]
    assert standing.best is not None
    # Alone, layer3 and layer2 helped most: they come first.
    assert standing.best.recipe.exclude == ("layer1", "layer2", "layer3")
    assert standing.best.agreement_ppm >= 990_000


def test_nothing_meets_and_that_is_said() -> None:
    search = _search(bench := Bench(), 1.0)
    standing = search.run()
    assert standing.best is None
    steps = [at for at in STEPS if at <= len(LAYERS)]
    assert [len(one.exclude) for one in bench.tried[31:]] == ([1] * ALONE + steps) * BASES
    told = list(reasons(standing.trials, Goal(1_000_000, "size"), 50, 9999))
    assert told[0] == f"none of {len(standing.trials)} recipes agrees on 100.00 % of the answers"


def test_what_is_remembered_is_not_tried_again() -> None:
    memory, kept = Memory(), []
    first = _search(Bench(), 0.95, memory=memory, keep=lambda held: kept.append(len(held.trials))).run()
    again = Bench()
    second = _search(again, 0.95, memory=memory).run()
    assert (again.tried, again.ranked) == ([], [])
    assert second == first
    assert kept[:31] == list(range(1, 32))
    # Another bound asks for other layers, and for nothing that was tried already.
    stricter = Bench()
    _search(stricter, 0.975, memory=memory).run()
    assert set(stricter.tried) & {trial.recipe for trial in first.trials} == set()


def test_an_interrupted_search_goes_on_where_it_stopped() -> None:
    memory = Memory()

    class Stopping(Bench):
        def try_out(self, recipe: Recipe) -> Trial:
            if len(self.tried) == 5:
                raise KeyboardInterrupt
            return super().try_out(recipe)

    with pytest.raises(KeyboardInterrupt):
        _search(Stopping(), 0.99, memory=memory).run()
    rest = Bench()
    whole = _search(rest, 0.99, memory=memory).run()
    assert rest.tried[:26] == list(SPACE[5:])
    assert [one.recipe for one in whole.trials] == [one.recipe for one in _search(Bench(), 0.99).run().trials]


@pytest.mark.parametrize("trials", [0, 1, 7, 33])
def test_when_time_is_up_no_trial_begins_and_the_best_so_far_counts(trials: int) -> None:
    bench = Bench()
    search = _search(bench, 0.9 if trials < 31 else 0.92, within=lambda: len(bench.tried) < trials)
    standing = search.run()
    assert len(bench.tried) == max(1, trials)
    assert standing.best is not None
    assert not search.complete


def test_recipes_that_fail_are_told_and_do_not_end_the_search() -> None:
    search = _search(bench := Bench(lambda recipe: recipe.mode == "static"), 0.91)
    standing = search.run()
    failed = [trial for trial in standing.trials if trial.failed]
    assert len(failed) == 24
    assert len(bench.tried) >= 31
    assert standing.best is not None
    assert "24 could not be made" in list(reasons(standing.trials, Goal(910_000, "size"), 1, 9999))


def test_whoever_watches_sees_each_trial_begin_and_end() -> None:
    seen: list[Standing] = []
    _search(Bench(), 0.9, watch=seen.append).run()
    assert seen[0].trying == SPACE[0]
    assert (len(seen[1].trials), seen[1].trying, seen[1].planned) == (1, None, 31)
    assert all(len(one.trials) <= one.planned for one in seen)


# --- the choice -------------------------------------------------------------------------------

_TRIALS = st.lists(
    st.builds(
        Trial,
        recipe=st.sampled_from(SPACE),
        sha256=st.just("0" * 64),
        size=st.integers(1, 50),
        agreement_ppm=st.integers(0, 20).map(lambda value: value * 50_000),
        sqnr_mdb=st.integers(0, 9),
        latency_ppm=st.integers(1, 50),
        failed=st.sampled_from([None, None, None, "no"]),
    ),
    max_size=12,
)


@given(_TRIALS, st.sampled_from(["size", "latency"]), st.integers(0, 1_000_000))
def test_the_best_meets_the_bound_and_nothing_cheaper_does(
    trials: list[Trial], objective: str, bound: int
) -> None:
    goal = Goal(bound, objective)
    chosen = best(trials, goal)
    met = [one for one in trials if one.failed is None and one.agreement_ppm >= bound]
    assert (chosen is None) == (not met)
    if chosen is not None:
        assert chosen in met
        assert chosen.cost(objective) == min(one.cost(objective) for one in met)
    assert list(reasons(trials, goal, 10, 40))


@given(_TRIALS, st.sampled_from(["size", "latency"]))
def test_the_front_is_what_nothing_else_beats(trials: list[Trial], objective: str) -> None:
    found = front(trials, objective)
    made = [one for one in trials if one.failed is None]
    for trial in made:
        beaten = any(
            other.cost(objective) <= trial.cost(objective)
            and other.agreement_ppm >= trial.agreement_ppm
            and (other.cost(objective), other.agreement_ppm) != (trial.cost(objective), trial.agreement_ppm)
            for other in made
        )
        where = (trial.cost(objective), trial.agreement_ppm)
        assert beaten == (where not in {(one.cost(objective), one.agreement_ppm) for one in found})
    assert [one.cost(objective) for one in found] == sorted(one.cost(objective) for one in found)


def test_the_reasons_say_by_how_much() -> None:
    small = Trial(SPACE[0], size=100, agreement_ppm=990_000, latency_ppm=4_000_000)
    larger = Trial(replace(SPACE[1], exclude=("fc",)), size=110, agreement_ppm=995_000, latency_ppm=10**6)
    missed = Trial(SPACE[2], size=50, agreement_ppm=980_000)
    told = list(reasons([small, larger, missed], Goal(990_000, "size"), 1, 100))
    assert told == [
        "the smallest of 2 recipes that agree on 99.00 % of the answers at least",
        f"the next one costs 10.00 % more size: {described(larger.recipe)}",
        f"with --objective latency, 75 % less latency: {described(larger.recipe)}",
        f"the closest that would cost less agrees on 98.00 %: {described(missed.recipe)}",
        "it is no smaller than its parent",
        "measured on 1 sample",
    ]
    assert "in float stay the layers of fc" in list(reasons([larger], Goal(1, "size"), 2, 200))


# --- what is remembered ----------------------------------------------------------------------


def test_a_memory_reads_back_through_json() -> None:
    memory = Memory()
    _search(Bench(lambda recipe: recipe.mode == "dynamic"), 0.99, memory=memory).run()
    text = strictjson.canonical(memory.to_dict())
    assert Memory.from_dict(strictjson.parse(text, limit=1 << 22)) == memory


@pytest.mark.parametrize(
    "flaw",
    [
        lambda told: told.update(format=2),
        lambda told: told.update(extra=1),
        lambda told: told["trials"].append(told["trials"][0]),
        lambda told: told["trials"][0].update(size=-1),
        lambda told: told["trials"][0].update(agreement_ppm=1_000_001),
        lambda told: told["trials"][0].update(latency_ppm=1.5),
        lambda told: told["trials"][0]["recipe"].update(mode="magic"),
        lambda told: told["noisy"].append({"recipe": told["trials"][0]["recipe"], "values": [1]}),
        lambda told: told.pop("noisy"),
    ],
)
def test_a_damaged_memory_is_refused(flaw: Callable[[dict[str, object]], object]) -> None:
    memory = Memory({SPACE[0]: Trial(SPACE[0], "0" * 64, 1, 2, 3, 4)})
    told = memory.to_dict()
    assert Memory.from_dict(told) == memory
    flaw(told)
    with pytest.raises(Malformed):
        Memory.from_dict(told)
