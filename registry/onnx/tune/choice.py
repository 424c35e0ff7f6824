"""Which trial is best, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from registry.onnx.tune.space import described
from registry.onnx.tune.trial import Trial


@dataclass(frozen=True)
class Goal:
    """The least agreement that is accepted, in parts per million, and what shall be small: "size" or
    "latency"."""

    agreement_ppm: int
    objective: str

    def met(self, trial: Trial) -> bool:
        """Whether the trial made a model that agrees enough."""
        return trial.failed is None and trial.agreement_ppm >= self.agreement_ppm

    def rank(self, trial: Trial) -> tuple[int, ...]:
        """Sorts the better trial first: the objective, then agreement, then SQNR, then fewer in float."""
        return trial.cost(self.objective), -trial.agreement_ppm, -trial.sqnr_mdb, len(trial.recipe.exclude)


def best(trials: Sequence[Trial], goal: Goal) -> Trial | None:
    """The best of those that meet the goal; of equals the first one tried. None where none does."""
    return min(filter(goal.met, trials), key=goal.rank, default=None)


def front(trials: Sequence[Trial], objective: str) -> tuple[Trial, ...]:
    """The trials that no other beats in agreement and ``objective`` both, the cheapest first."""
    found: list[Trial] = []
    made = [trial for trial in trials if trial.failed is None]
    for trial in sorted(made, key=lambda one: (one.cost(objective), -one.agreement_ppm)):
        if not found or trial.agreement_ppm > found[-1].agreement_ppm:
            found.append(trial)
    return tuple(found)


def reasons(trials: Sequence[Trial], goal: Goal, samples: int, parent_size: int) -> Iterator[str]:
    """Why the best is the best, or why there is none, in sentences."""
    made = [trial for trial in trials if trial.failed is None]
    met = sorted(filter(goal.met, made), key=goal.rank)
    bound = percent(goal.agreement_ppm)
    superlative = "smallest" if goal.objective == "size" else "fastest"
    if met:
        yield f"the {superlative} of {_count(met)} that agree on {bound} of the answers at least"
        yield from _beside(met[0], met[1:], goal)
    else:
        yield f"none of {_count(made)} agrees on {bound} of the answers"
    cheaper = [one for one in made if not goal.met(one) and (not met or goal.rank(one) < goal.rank(met[0]))]
    if cheaper:
        closest = max(cheaper, key=lambda one: one.agreement_ppm)
        told = f"{percent(closest.agreement_ppm)}: {described(closest.recipe)}"
        yield f"the closest that would cost less agrees on {told}"
    if met and met[0].size >= parent_size:
        yield "it is no smaller than its parent"
    if len(made) < len(trials):
        yield f"{len(trials) - len(made)} could not be made"
    yield f"measured on {samples} sample{'s' * (samples != 1)}"


def _beside(chosen: Trial, others: Sequence[Trial], goal: Goal) -> Iterator[str]:
    if others:
        more = others[0].cost(goal.objective) / max(chosen.cost(goal.objective), 1) - 1
        yield f"the next one costs {100 * more:.2f} % more {goal.objective}: {described(others[0].recipe)}"
        yield from _otherwise(chosen, others, "latency" if goal.objective == "size" else "size")
    if chosen.recipe.exclude:
        yield f"in float stay the layers of {', '.join(chosen.recipe.exclude)}"


def _otherwise(chosen: Trial, others: Sequence[Trial], objective: str) -> Iterator[str]:
    """What one could have by wishing for something else, where that is a tenth better at least."""
    other = min(others, key=lambda one: one.cost(objective))
    if other.cost(objective) * 10 <= chosen.cost(objective) * 9:
        less = 1 - other.cost(objective) / max(chosen.cost(objective), 1)
        yield f"with --objective {objective}, {100 * less:.0f} % less {objective}: {described(other.recipe)}"


def percent(ppm: int) -> str:
    """Parts per million for people, rounded down as they are."""
    return f"{ppm // 100 / 100:.2f} %"


def _count(trials: Sequence[Trial]) -> str:
    return f"{len(trials)} recipe{'s' * (len(trials) != 1)}"
