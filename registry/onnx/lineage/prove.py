"""Is this model the quantization of that one? One verdict, and the reasons for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from registry.onnx.lineage.agreement import recipe_words
from registry.onnx.lineage.candidates import Hints, candidates
from registry.onnx.lineage.explain import explain
from registry.onnx.lineage.judgement import Judgement
from registry.onnx.lineage.leaves import Matching, Mismatch
from registry.onnx.lineage.match import match
from registry.onnx.lineage.naming import ambiguous
from registry.onnx.lineage.replay import Replayed, replay_declared, replay_guessed
from registry.onnx.lineage.scalings import levels
from registry.onnx.lineage.verdict import Lineage, NodeVerdict, TensorVerdict, counted
from registry.onnx.loaded import Loaded

if TYPE_CHECKING:
    from registry.onnx.lineage.replay import Requantize
    from registry.onnx.quantize import Calibration, Recipe

_REASONS = 12
_LISTED = 3  # tensors named in a reason
_TWICE = "two values have this name"


def prove(
    child: Loaded,
    parent: Loaded,
    *,
    recipe: Recipe | None = None,
    calibration: Calibration | None = None,
    requantize: Requantize | None = None,
    optimize: Callable[[], Loaded] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Lineage:
    """The verdict on ``child``, which is read and never run.

    ``recipe`` is the one that the child is said to be made by; without it likely ones are tried.
    ``requantize`` runs a recipe on the parent; without it nothing is replayed. ``optimize`` makes the form
    that ONNX Runtime's basic optimizations give the parent; it is asked where the parent's own does not
    explain the child. Raises InvalidModel where one of the two cannot be read.
    """
    matching = _matched(child, parent, optimize)
    judgements = explain(matching.pairs, matching.activations)
    verdict, reasons = judged(matching, judgements)
    replayed = Replayed(None, "")
    if requantize is not None and recipe is not None:
        replayed = replay_declared(child, parent, recipe, calibration, requantize)
    elif requantize is not None and verdict == "derived":
        hints = Hints(_reduced(judgements), matching.variant != "raw")
        recipes = candidates(child, parent, hints, calibrated=calibration is not None)
        replayed = replay_guessed(child, parent, recipes, calibration, requantize, clock=clock)
    return _lineage(matching, judgements, verdict, reasons, replayed)


def _matched(child: Loaded, parent: Loaded, optimize: Callable[[], Loaded] | None) -> Matching:
    """The two compared; a name with two values is a fault of its own, whichever value was compared."""
    matching = match(parent, child, variants={"optimized": optimize} if optimize else None)
    listed = {one.name for one in matching.nodes}
    faults = [
        *(Mismatch(name, "value", _TWICE) for name in ambiguous(child.model) if name not in listed),
        *(Mismatch(name, "value", f"in the parent, {_TWICE}") for name in ambiguous(parent.model)),
    ]
    return replace(matching, nodes=(*matching.nodes, *faults))


def judged(matching: Matching, judgements: Sequence[Judgement]) -> tuple[str, tuple[str, ...]]:
    """The verdict without a replay: the worst that any tensor or node allows."""
    reasons = []
    nodes = _nodes(matching)
    if nodes:
        are = "part of the graph is" if len(nodes) == 1 else "parts of the graph are"
        reasons.append(f"{len(nodes)} {are} not the parent's: {_names(nodes)}")
    for word in ("unexplained", "non-nearest"):
        found = [one for one in judgements if one.verdict == word]
        if found:
            are = "tensor is" if len(found) == 1 else "tensors are"
            reasons.append(f"{len(found)} {are} {word}: {_names(found)}")
    if nodes or any(one.verdict == "unexplained" for one in judgements):
        return "unexplained", tuple(reasons)
    if reasons:
        return "non-nearest", tuple(reasons)
    return "derived", (*_how(judgements), *_open(matching))


def _open(matching: Matching) -> tuple[str, ...]:
    """What no weight can prove."""
    stored = sum(not one.dynamic and one.weight is None for one in matching.activations)
    what = "activation" if stored == 1 else "activations"
    return (f"the scales and zero points of {stored} {what} are not proven",) if stored else ()


def _how(judgements: Sequence[Judgement]) -> tuple[str, ...]:
    quantized = [one for one in judgements if one.kind is not None]
    bounded = [one for one in quantized if one.verdict == "bounded"]
    if not quantized:
        return ("no constant is quantized; every float constant is the parent's",)
    if not bounded:
        return ("one known recipe gives every quantized constant",)
    return (
        f"of {len(quantized)} quantized constants {len(bounded)} with another scale or zero point than a "
        "known recipe gives, but the nearest integers",
    )


def _nodes(matching: Matching) -> tuple[Mismatch, ...]:
    idle = (Mismatch(name, "", "an initializer that nothing uses") for name in matching.unused)
    return (*matching.nodes, *idle)


def _names(found: Sequence[Judgement | Mismatch]) -> str:
    listed = ", ".join(one.name[:60] or "(unnamed)" for one in found[:_LISTED])
    return f"{listed}, ..." if len(found) > _LISTED else listed


def _reduced(judgements: Sequence[Judgement]) -> bool:
    """Whether weights use half of their type's range, as recipes with a reduced range have it."""
    telling = [one for one in judgements if one.scalings and one.kind and one.kind.role == "weight"]
    return any(
        all(
            scaling.way in ("symmetric", "asymmetric") and _halved(one, scaling.high)
            for scaling in one.scalings
        )
        for one in telling
    )


def _halved(one: Judgement, high: int) -> bool:
    return one.kind is not None and high <= levels(one.kind.type)[1] // 2 + 1


def _lineage(
    matching: Matching,
    judgements: Sequence[Judgement],
    verdict: str,
    reasons: tuple[str, ...],
    replayed: Replayed,
) -> Lineage:
    """A replay lifts "derived" and nothing else: whatever it gave, what is not explained stays so."""
    nodes = _nodes(matching)
    found = (replayed.reason, *reasons) if replayed.reason else reasons
    recipe = replayed.recipe if verdict == "derived" else None
    if replayed.recipe is not None and recipe is None:
        found = (f"{replayed.reason}; what it does not explain stays so", *reasons)
    if recipe is not None:
        extra = ("scales and zero points of activations included",) if _open(matching) else ()
        verdict, found = "replayed", (replayed.reason, *extra)
    return Lineage(
        verdict=verdict,
        reasons=found[:_REASONS],
        recipe=recipe_words(judgements),
        options=recipe.to_dict() if recipe is not None else None,
        variant=matching.variant,
        counts=counted(judgements),
        tensors=tuple(map(TensorVerdict.of, judgements)),
        node_count=len(nodes),
        nodes=tuple(map(NodeVerdict.of, nodes)),
    )
