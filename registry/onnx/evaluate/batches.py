"""The samples of a file of arrays, cut into batches that two models run one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.onnx.ir import Model
from registry.onnx.quantize.calibration import Calibration
from registry.onnx.quantize.feeds import Samples, samples

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

Feeds: TypeAlias = "Mapping[str, Array]"
ROWS = 32  # of one batch, at most
BYTES = 8 << 20  # of the inputs of one batch, at most, unless one row has more


@dataclass(frozen=True)
class Batches:
    """What a model is fed with, in order; iterated as often as one likes.

    Where an array has one axis more than the input, that axis counts samples, and each is run alone; so does
    the first axis where the model fixes its first dimension. Where the model leaves the first dimension open,
    it is the batch: the rows of all inputs that leave it open, as many in each, are samples, and are run in
    batches. ``count`` is the number of samples, ``size`` that of the bytes of all inputs of all batches.
    """

    source: Samples
    open: frozenset[str]  # inputs whose first dimension is the batch
    rows: int
    count: int
    size: int

    def __iter__(self) -> Iterator[Feeds]:
        for feeds in self.source:
            yield from self._cut(feeds)

    def smaller(self, rows: int) -> Batches:
        """The same samples in batches of so many rows."""
        return replace(self, rows=rows)

    def _cut(self, feeds: Feeds) -> Iterator[Feeds]:
        rows = _rows(feeds, self.open)
        if rows is None:
            yield feeds
            return
        per_row = sum(feeds[name].nbytes for name in self.open) // max(rows, 1)
        step = max(1, min(self.rows, BYTES // max(per_row, 1)))
        for at in range(0, rows, step):
            yield {
                name: array[at : at + step] if name in self.open else array for name, array in feeds.items()
            }


def batches(data: Calibration, model: Model, rows: int = ROWS) -> Batches:
    """The batches that ``data`` holds for ``model``. Raises InvalidInput where they do not fit it."""
    return batches_of(samples(data, model), open_inputs(model), rows)


def batches_of(source: Samples, opened: frozenset[str], rows: int = ROWS) -> Batches:
    """The same, for samples that are there already; ``opened`` is what ``open_inputs`` found."""
    found = frozenset(name for feeds in source for name in feeds) & opened
    counts = [_rows(feeds, found) for feeds in source]
    sizes = (array.nbytes for feeds in source for array in feeds.values())
    return Batches(source, found, rows, sum(1 if one is None else one for one in counts), sum(sizes))


def open_inputs(model: Model) -> frozenset[str]:
    """The inputs whose first dimension the model leaves open: a symbol, nothing, or (Paddle's way) -1."""
    firsts = {value.name: value.shape[0] for value in model.graph.inputs if value.shape}
    return frozenset(name for name, dim in firsts.items() if not isinstance(dim, int) or dim <= 0)


def _rows(feeds: Feeds, open_inputs: frozenset[str]) -> int | None:
    """Rows of the batch in these feeds; None where the inputs have no batch in common."""
    lengths = {len(feeds[name]) for name in open_inputs}
    return lengths.pop() if len(lengths) == 1 else None
