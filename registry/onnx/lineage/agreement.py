"""One recipe for the whole file: what each tensor allows by itself is not enough.

Every choice that a tensor leaves open is a place to hide something, and tools make these choices once for a
file. Tensors of one type and granularity may have two ranges, because elementwise constants and weights may
differ; they have one arithmetic and one rounding. Where a recipe is known for some, the others have a known
one, too: who clips outliers does it everywhere. A scale that is almost a recipe's, where the file's other
scales are the recipe's, was changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from registry.onnx.lineage.judgement import Judgement, Kind
from registry.onnx.lineage.scalings import ARITHMETICS

_RANGES = 2  # ranges that tensors of one kind may have
_FLOAT32 = 500  # parts per billion: four units in the last place
_FEW = 8  # one channel in so many with a scale of its own was changed
_FOLDED = 4000  # parts per billion: what 16 units in the last place of weights do to their range


def agreed(judgements: Sequence[Judgement]) -> tuple[Judgement, ...]:
    """The same judgements, those that no recipe shared with the rest explains put down."""
    groups: defaultdict[Kind, list[int]] = defaultdict(list)
    for place, one in enumerate(judgements):
        if one.kind is not None and one.kind.role == "weight":
            groups[one.kind].append(place)
    found = list(judgements)
    anywhere = any(one.scalings and one.verdict == "recomputed" for one in _weights(judgements))
    clipped = sum(one.others for one in _weights(judgements))
    close = sum(one.near for one in _weights(judgements))
    for places in groups.values():
        group = [found[place] for place in places]
        group = _one_arithmetic(group)
        group = _few_ranges(group)
        for place, one in zip(places, group, strict=True):
            found[place] = _unchanged(one, anywhere, clipped >= close)
        for place, one in zip(places, _alike([found[place] for place in places], anywhere), strict=True):
            found[place] = one
    return tuple(found)


def _weights(judgements: Iterable[Judgement]) -> Iterable[Judgement]:
    return (one for one in judgements if one.kind is not None and one.kind.role == "weight")


def _one_arithmetic(group: list[Judgement]) -> list[Judgement]:
    """Asymmetric scales tell which arithmetic made them: the one that most tensors allow must do for all."""
    telling = [one for one in group if one.scalings]
    votes = Counter(arithmetic for one in telling for arithmetic in _arithmetics(one))
    if not votes or max(votes.values()) == len(telling):
        return group
    chosen = max(votes, key=lambda one: (votes[one], -_rank(one)))
    reason = f"its scale is not computed as the others' ({chosen} arithmetic)"
    return [
        replace(one, verdict="unexplained", reason=reason, scalings=())
        if one.scalings and chosen not in _arithmetics(one)
        else one
        for one in group
    ]


def _rank(arithmetic: str) -> int:
    return ARITHMETICS.index(arithmetic) if arithmetic in ARITHMETICS else len(ARITHMETICS)


def _arithmetics(one: Judgement) -> frozenset[str]:
    """The arithmetics that give its scales; a symmetric range is the same in most."""
    found: set[str] = set()
    for scaling in one.scalings:
        plain = scaling.way == "symmetric" and scaling.arithmetic == "double"
        found |= set(ARITHMETICS[:4]) if plain else {scaling.arithmetic}
    return frozenset(found)


def _few_ranges(group: list[Judgement]) -> list[Judgement]:
    """Tensors that fit none of the two commonest ranges are bounded at best."""
    left = [one for one in group if one.scalings and one.verdict == "recomputed"]
    kept: set[str] = set()
    while left and len(kept) < _RANGES:
        votes = Counter(name for one in left for name in {scaling.name for scaling in one.scalings})
        kept.add(max(sorted(votes), key=lambda name: votes[name]))
        left = [one for one in left if not kept & {scaling.name for scaling in one.scalings}]
    reason = "nearest integers, but the file's other tensors have another recipe"
    return [replace(one, verdict="bounded", reason=reason) if one in left else one for one in group]


def _unchanged(one: Judgement, recipe_elsewhere: bool, clipping: bool) -> Judgement:
    """Put down a tensor whose scale is almost a recipe's and has no honest reason to be."""
    if one.verdict != "bounded" or not one.near:
        return one
    if one.loose and one.nudge <= _FOLDED:
        return one
    known = recipe_elsewhere or one.equal > 0
    natural = clipping and not (known and one.above)  # percentiles and searches give any scale below
    if natural or (not known and (one.nudge <= _FLOAT32 or not one.above)):
        return one
    reason = f"a scale is {one.nudge} parts per billion off the recipe that gives others"
    return replace(one, verdict="unexplained", reason=reason)


def _alike(group: list[Judgement], recipe_elsewhere: bool) -> list[Judgement]:
    """Put down what is within half a step, but not under the recipe that the others of its kind have.

    Whoever clips, by percentiles or least squares, does so in most tensors and has no known recipe in others.
    """
    own = [_own_scale(one) for one in group]
    known = any(one.scalings and one.verdict == "recomputed" for one in group)
    cut = [mine and one.saturated > 0 for mine, one in zip(own, group, strict=True)]
    lonely = (recipe_elsewhere and len(group) == 1) or sum(cut) * 2 < sum(own)
    return [
        replace(one, verdict="unexplained", reason=_unlike(one))
        if mine and (known or (clips and lonely) or 0 < one.others * _FEW <= one.equal)
        else one
        for one, mine, clips in zip(group, own, cut, strict=True)
    ]


def _own_scale(one: Judgement) -> bool:
    """Whether it is bounded under scales that no arithmetic on the way to its weights explains."""
    folded = one.loose and not one.others and one.nudge <= _FOLDED
    return one.verdict == "bounded" and not folded


def _unlike(one: Judgement) -> str:
    reason = "its scale or zero point is not of the recipe that gives others"
    return f"{reason}, and {one.saturated} weights are cut off" if one.saturated else reason


def _roundings(judgements: Sequence[Judgement]) -> Iterable[tuple[list[int], set[str]]]:
    groups: defaultdict[Kind, list[int]] = defaultdict(list)
    for place, one in enumerate(judgements):
        if one.kind is not None and one.kind.role == "weight" and one.rounding:
            groups[one.kind].append(place)
    for places in groups.values():
        yield places, {judgements[place].rounding for place in places}


def one_rounding(
    judgements: Sequence[Judgement], allowed: Callable[[int, str], bool]
) -> tuple[Judgement, ...]:
    """Put down tensors that the rounding which explains most of their kind does not explain.

    ``allowed(place, way)`` tells whether a way gives every integer of the tensor at ``place``.
    """
    found = list(judgements)
    for places, ways in _roundings(judgements):
        if len(ways) < 2:
            continue
        holding = {
            way: {place for place in places if found[place].rounding == way or allowed(place, way)}
            for way in sorted(ways)
        }
        best = max(holding, key=lambda way: len(holding[way]))
        for place in set(places) - holding[best]:
            reason = f"halves are rounded otherwise than in the file's other tensors ({best})"
            found[place] = replace(found[place], verdict="non-nearest", reason=reason, largest=500)
    return tuple(found)


def recipe_words(judgements: Sequence[Judgement]) -> str:
    """The recipe of the weights in words; "" where none is known."""
    groups: defaultdict[Kind, list[Judgement]] = defaultdict(list)
    for one in _weights(judgements):
        if one.verdict in ("recomputed", "bounded") and one.kind is not None:
            groups[one.kind].append(one)
    return "; ".join(
        f"{kind.type} {kind.granularity}: {_words(group)}" for kind, group in sorted(groups.items())
    )


def _words(group: list[Judgement]) -> str:
    left = [one for one in group if one.verdict == "recomputed"]
    names: list[str] = []
    while left and len(names) < _RANGES:
        votes = Counter(name for one in left for name in {scaling.name for scaling in one.scalings})
        names.append(max(sorted(votes), key=lambda name: votes[name]))
        left = [one for one in left if names[-1] not in {scaling.name for scaling in one.scalings}]
    if any(one.verdict == "bounded" for one in group):
        names.append("scales of its own, nearest integers")
    return " or ".join(names)
