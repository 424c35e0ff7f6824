"""Two models on the same inputs: every output of the one beside the same output of the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from registry.errors import InvalidInput
from registry.onnx.evaluate.evaluation import MILLION, Output
from registry.onnx.evaluate.meter import Meter
from registry.onnx.session import Signature

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

Feeds: TypeAlias = "Mapping[str, Array]"
Advance: TypeAlias = Callable[[int], None]
FLOATS = frozenset(("tensor(float)", "tensor(double)", "tensor(float16)"))
_NUMBERS = FLOATS | {f"tensor({sign}int{bits})" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_COMPARED = _NUMBERS | {"tensor(bool)"}


class Runs(Protocol):
    """A model that runs: a ModelSession, or what stands for one."""

    @property
    def outputs(self) -> tuple[Signature, ...]:
        """What it answers."""

    def run(self, output_names: Sequence[str] | None, feeds: Feeds) -> list[Any]:
        """The outputs named."""


def silent(_: int) -> None:
    """The observer that does nothing."""


def compare(
    child: Runs, parent: Runs, batches: Iterable[Feeds], advance: Advance = silent
) -> tuple[Output, ...]:
    """Each output of the child beside the parent's, over all batches; ``advance`` is told the bytes fed.

    Outputs belong together by name, where both have the same names, else by position. What is no tensor of
    numbers is left out. Raises InvalidInput where nothing is left, or the models do not take the same inputs.
    """
    pairs = outputs_of(child, parent)
    meters = [Meter() for _ in pairs]
    ours, theirs = [[one.name for one in side] for side in zip(*pairs, strict=True)]
    for feeds in batches:
        answers = zip(child.run(ours, feeds), parent.run(theirs, feeds), strict=True)
        for meter, (mine, yours) in zip(meters, answers, strict=True):
            meter.add(mine, yours)
        advance(sum(array.nbytes for array in feeds.values()))
    return tuple(_output(mine, yours, meter) for (mine, yours), meter in zip(pairs, meters, strict=True))


def outputs_of(child: Runs, parent: Runs) -> list[tuple[Signature, Signature]]:
    """The outputs that can be compared, in the child's order. Raises InvalidInput."""
    named = {one.name: one for one in parent.outputs}
    if named.keys() == {one.name for one in child.outputs}:
        pairs = [(one, named[one.name]) for one in child.outputs]
    elif len(child.outputs) == len(parent.outputs):
        pairs = list(zip(child.outputs, parent.outputs, strict=True))
    else:
        raise InvalidInput(
            f"the two models have {len(child.outputs)} and {len(parent.outputs)} outputs",
            hint="compare a model with the one that it was made from",
        )
    found = [pair for pair in pairs if {one.type for one in pair} <= _COMPARED]
    if not found:
        raise InvalidInput("the models have no output of numbers", on=_listed(child.outputs))
    return found


def parts_per_million(part: int, whole: int) -> int:
    """Rounded down: never a better number than was measured."""
    return part * MILLION // whole


def millidecibel(value: float) -> int:
    """Rounded down."""
    return math.floor(value * 1000)


def decimal(value: float) -> str:
    """A finite number of zero or more, to six digits."""
    return f"{min(value, 1e300):.6g}"


def _output(mine: Signature, yours: Signature, meter: Meter) -> Output:
    return Output(
        name=mine.name,
        parent=yours.name,
        type=mine.type.removeprefix("tensor(").removesuffix(")"),
        elements=meter.elements,
        agreement_ppm=None if meter.agreement is None else parts_per_million(*meter.agreement),
        cosine_ppm=math.floor(meter.cosine * MILLION) if meter.floats else None,
        sqnr_mdb=millidecibel(meter.sqnr) if meter.floats else None,
        largest_error=decimal(meter.largest) if meter.floats else None,
        unlike=meter.unlike,
    )


def _listed(signatures: Sequence[Signature]) -> str:
    return ", ".join(f"{one.name}: {one.type}" for one in signatures)
