"""Tuning as a deed: recipes tried against validation data, the best one's model published, numbers signed.

What has been tried is kept (``registry.tunings``): an interrupted search goes on where it stopped, another
bound or objective costs little.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

from registry import acts, attesting, evaluating, opening, quantizing
from registry.context import Context
from registry.errors import InvalidInput, SourceChanged
from registry.opening import Opened
from registry.quantizing import Quantized

if TYPE_CHECKING:
    from registry.onnx.evaluate.evaluation import Evaluation
    from registry.onnx.quantize import Calibration, Recipe
    from registry.onnx.tune.choice import Goal
    from registry.onnx.tune.search import Standing
    from registry.onnx.tune.trial import Trial
    from registry.onnx.tune.workbench import Workbench

_TOOLS = ("numpy", "onnx", "onnx-ir", "onnxruntime")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Wish:
    """What is looked for: ``min_agreement_ppm`` in parts per million, ``objective`` "size" or "latency".

    ``budget``: seconds after which no new trial begins. ``fresh``: what was tried before does not count.
    """

    min_agreement_ppm: int
    objective: str = "size"
    budget: float | None = None
    fresh: bool = False


@dataclass(frozen=True)
class Found:
    """A search that has ended. ``best`` is None where nothing meets the bound; ``evaluation`` is the best's.

    ``remembered`` counts trials that an earlier search had made; ``complete`` is false where time ran out.
    """

    source: str
    model: str
    goal: Goal
    trials: tuple[Trial, ...]
    best: Trial | None
    evaluation: Evaluation | None
    reasons: tuple[str, ...]
    samples: int
    parent_size: int
    remembered: int
    complete: bool


@dataclass(frozen=True)
class Tuned:
    """The published child; ``seq`` is the ledger entry of its evaluation."""

    quantized: Quantized
    evaluation: Evaluation
    seq: int


def search(
    context: Context,
    source: str,
    validation: Path,
    wish: Wish,
    *,
    calibration: Path | None = None,
    model: str | None = None,
    watch: Callable[[Standing], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Try recipes of ``source``, a path or a reference, against its own answers on the validation samples.

    Without calibration data there are no static recipes. ``watch`` is told where the search stands, ``say``
    what a person should know. Raises InvalidInput, InvalidModel, NotFound, Denied or Untrusted.
    """
    from registry.onnx.quantize import load_calibration
    from registry.onnx.tune.choice import Goal, reasons
    from registry.onnx.tune.search import Search
    from registry.onnx.tune.space import coarse
    from registry.onnx.tune.trial import Memory
    from registry.onnx.tune.workbench import Workbench
    from registry.tunings import Notebook

    answers = load_calibration(validation)
    ranges = None if calibration is None else load_calibration(calibration)
    if ranges is not None and ranges.digest == answers.digest:
        say("the validation data is the calibration data: the agreement will look better than it is")
    space, goal = coarse(calibrated=ranges is not None), Goal(wish.min_agreement_ppm, wish.objective)
    with (
        opening.open_model(context, source, "tune", model) as parent,
        Workbench((parent.files, parent.path), answers, ranges) as table,
    ):
        notes = Notebook(context.paths.home, _told(parent, answers, ranges, space), say)
        memory = Memory() if wish.fresh else notes.load()
        remembered = len(memory.trials)
        within = _within(wish.budget, clock)
        looking = Search(table, space, goal, memory=memory, within=within, keep=notes.save, watch=watch)
        standing = looking.run()
        return Found(
            source=str(parent),
            model=parent.path,
            goal=goal,
            trials=standing.trials,
            best=standing.best,
            evaluation=_evaluated(table, standing.best, parent, answers),
            reasons=tuple(reasons(standing.trials, goal, table.samples, table.parent_size)),
            samples=table.samples,
            parent_size=table.parent_size,
            remembered=remembered,
            complete=looking.complete,
        )


def publish(
    context: Context,
    found: Found,
    to: str,
    *,
    calibration: Path | None = None,
    label: str | None = None,
    aliases: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    proof: bool = True,
) -> Tuned:
    """Publish the best model found, its recipe signed with it, and attest its evaluation.

    Raises InvalidInput where nothing meets the bound, SourceChanged where the same recipe now makes another
    model, and what a push raises.
    """
    best, evaluation = required(found), found.evaluation
    assert evaluation is not None
    done = quantizing.quantize(
        context,
        found.source,
        to,
        best.recipe,
        calibration=calibration if best.recipe.needs_calibration else None,
        model=found.model,
        label=label,
        aliases=aliases,
        metadata=metadata,
        proof=proof,
        how="tuned",
    )
    ref = str(done.pushed.ref)
    if done.pushed.digest != hashlib.sha256(bytes.fromhex(best.sha256)).hexdigest():
        raise SourceChanged(
            "what was published is not what was tried: source or data changed meanwhile", on=ref
        )
    evaluation = replace(evaluation, model=done.path)
    _, seq = attesting.attest_value(context, ref, acts.EVALUATION, evaluation.to_dict())
    return Tuned(done, evaluation, seq)


def tune(
    context: Context,
    source: str,
    to: str,
    validation: Path,
    *,
    min_agreement: float = 0.99,
    objective: str = "size",
    budget: float | None = None,
    fresh: bool = False,
    calibration: Path | None = None,
    model: str | None = None,
    label: str | None = None,
    aliases: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    proof: bool = True,
) -> Tuned:
    """``search``, then ``publish``. ``min_agreement`` is a share; ``budget`` is in seconds."""
    quantizing.check_target(context, to)
    wish = wish_of(min_agreement, objective, budget, fresh)
    found = search(context, source, validation, wish, calibration=calibration, model=model)
    return publish(
        context,
        found,
        to,
        calibration=calibration,
        label=label,
        aliases=aliases,
        metadata=metadata,
        proof=proof,
    )


def wish_of(min_agreement: float, objective: str, budget: float | None, fresh: bool) -> Wish:
    """A wish from what a person says. Raises InvalidInput."""
    from registry.onnx.tune.trial import OBJECTIVES

    if not 0 < min_agreement <= 1:
        raise InvalidInput("the least agreement is a share, above 0 and up to 1", on=str(min_agreement))
    if objective not in OBJECTIVES:
        raise InvalidInput(f"the objective is none of {', '.join(OBJECTIVES)}", on=objective[:50])
    return Wish(round(min_agreement * _MILLION), objective, budget, fresh)


def required(found: Found) -> Trial:
    """The best trial. Raises InvalidInput where nothing meets the bound."""
    if found.best is None:
        raise InvalidInput(
            f"no recipe meets the bound: {found.reasons[0]}",
            on=found.source,
            hint="lower --min-agreement, give other --calibration data, or more time",
        )
    return found.best


def _evaluated(
    table: Workbench, best: Trial | None, parent: Opened, answers: Calibration
) -> Evaluation | None:
    """The best model's evaluation. Raises SourceChanged where its recipe does not make it any more."""
    if best is None:
        return None
    made = table.make(best.recipe)
    if hashlib.sha256(made).hexdigest() != best.sha256:
        raise SourceChanged(
            "the best recipe makes another model than when it was tried",
            on=str(parent),
            hint="search again with --fresh",
        )
    child = Opened({parent.path: memoryview(made)}, parent.path, "the best model", None, "")
    return evaluating.measure(child, parent, answers)[0]


def _within(budget: float | None, clock: Callable[[], float]) -> Callable[[], bool]:
    end = None if budget is None else clock() + budget
    return lambda: end is None or clock() < end


def _told(
    parent: Opened, validation: Calibration, calibration: Calibration | None, space: Sequence[Recipe]
) -> Mapping[str, object]:
    """Everything that the numbers of a trial depend on."""
    return {
        "source": parent.digest,
        "model": parent.path,
        "validation": validation.digest,
        "calibration": calibration.digest if calibration else None,
        "space": [recipe.to_dict() for recipe in space],
        "tools": {name: version_of(name) for name in _TOOLS},
    }
