"""The search: a grid of recipes first, then the promising ones with their noisiest layers left in float."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from registry.onnx.quantize.recipe import Recipe
from registry.onnx.tune.choice import Goal, best
from registry.onnx.tune.trial import Memory, Trial

BASES = 3  # recipes whose layers are looked at
ALONE = 4  # layers that are left in float one at a time
STEPS = (2, 3, 5, 8, 13)  # layers left in float together


class Bench(Protocol):
    """What can be done with a recipe."""

    def try_out(self, recipe: Recipe) -> Trial:
        """Make the model and measure it; a recipe that does not fit the model is a failed trial."""

    def noisy(self, recipe: Recipe) -> tuple[str, ...]:
        """The parent's values whose layers add noise in the recipe's model, the most first."""


@dataclass(frozen=True)
class Standing:
    """Where the search stands: what has been tried, in order; what is being tried; how many are planned at
    least; the best that meets the goal so far."""

    trials: tuple[Trial, ...]
    trying: Recipe | None
    planned: int
    best: Trial | None


def unwatched(_: Standing) -> None:
    """The observer that does nothing."""


class Search:
    """Tries recipes on a bench; what ``memory`` has is not tried again.

    ``within`` says before each new trial whether there is time left for it; the first is always made.
    ``keep`` is called when the memory has grown, ``watch`` whenever the standing changes.
    """

    def __init__(
        self,
        bench: Bench,
        space: Sequence[Recipe],
        goal: Goal,
        *,
        memory: Memory,
        within: Callable[[], bool] = lambda: True,
        keep: Callable[[Memory], None] = lambda _: None,
        watch: Callable[[Standing], None] = unwatched,
    ) -> None:
        self._bench, self._space, self._goal = bench, space, goal
        self._memory, self._within, self._keep, self._watch = memory, within, keep, watch
        self._trials: list[Trial] = []
        self._planned = len(space)
        self.complete = False

    def run(self) -> Standing:
        """Everything, or what there was time for; ``complete`` tells which."""
        coarse = [self._try(recipe) for recipe in self._space]
        finer = [self._leave_out(base) for base in self._bases()]
        self.complete = None not in coarse and all(finer)
        return self._standing(None)

    def _bases(self) -> list[Trial]:
        """What misses the goal, but would be the best if it did not: the closest, at most ``BASES``."""
        rank, chosen = self._goal.rank, best(self._trials, self._goal)
        made = [trial for trial in self._trials if trial.failed is None and not self._goal.met(trial)]
        cheaper = [trial for trial in made if chosen is None or rank(trial) < rank(chosen)]
        return sorted(cheaper, key=lambda trial: (-trial.agreement_ppm, rank(trial)))[:BASES]

    def _leave_out(self, base: Trial) -> bool:
        """Leave noisy layers of ``base`` in float: some alone, then more and more of those that helped,
        until it meets the goal or is no longer worth it. False where time ran out."""
        chosen = best(self._trials, self._goal)
        noisy = self._noisy(base.recipe)
        if noisy is None:
            return False
        alone = [self._try(replace(base.recipe, exclude=(value,))) for value in noisy[:ALONE]]
        made = [trial for trial in alone if trial is not None]
        if len(made) < len(alone):
            return False
        if any(map(self._goal.met, made)):
            return True
        for recipe in self._steps(base.recipe, _by_help(made, noisy)):
            trial = self._try(recipe)
            if trial is None:
                return False
            beaten = chosen is not None and self._goal.rank(trial) >= self._goal.rank(chosen)
            if self._goal.met(trial) or (beaten and trial.failed is None):
                break
        return True

    def _steps(self, recipe: Recipe, values: Sequence[str]) -> Iterator[Recipe]:
        for count in STEPS:
            if count <= len(values):
                yield replace(recipe, exclude=tuple(values[:count]))

    def _try(self, recipe: Recipe) -> Trial | None:
        """The trial of the recipe, made or remembered; None where there is no time to make it."""
        trial = self._memory.trials.get(recipe)
        if trial is None:
            if self._trials and not self._within():
                return None
            self._watch(self._standing(recipe))
            trial = self._memory.trials[recipe] = self._bench.try_out(recipe)
            self._keep(self._memory)
        if trial not in self._trials:
            self._trials.append(trial)
        self._watch(self._standing(None))
        return trial

    def _noisy(self, recipe: Recipe) -> tuple[str, ...] | None:
        found = self._memory.noisy.get(recipe)
        if found is None and self._within():
            self._watch(self._standing(recipe))
            found = self._memory.noisy[recipe] = self._bench.noisy(recipe)
            self._keep(self._memory)
        return found

    def _standing(self, trying: Recipe | None) -> Standing:
        planned = max(self._planned, len(self._trials) + (trying is not None))
        return Standing(tuple(self._trials), trying, planned, best(self._trials, self._goal))


def _by_help(alone: Sequence[Trial], noisy: tuple[str, ...]) -> tuple[str, ...]:
    """The layers tried alone, those first without which least noise reached the outputs; then the others."""
    made = sorted((trial for trial in alone if trial.failed is None), key=lambda one: -one.sqnr_mdb)
    return (*(trial.recipe.exclude[0] for trial in made), *noisy[len(alone) :])
