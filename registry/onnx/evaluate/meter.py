"""The distance between two models' answers, summed up batch by batch.

Nothing but sums is kept, so that the length of the data does not matter. Sums are of float64.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from registry.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

CAP = 200.0  # dB: what equal answers get, and with a minus sign what noise upon silence gets


class Meter:
    """Compares one output of a child with the same output of its parent.

    Floats: ``agreement`` is top-1, the share of rows along the last axis whose largest element stands at the
    same index (the first one, where several are as large); None where no row has two elements or the rank is
    below 2. Integers and booleans: ``agreement`` is the share of equal elements, and there is nothing else.

    Elements that are infinite or not a number in either model are left out of every sum but the agreement;
    ``unlike`` counts those that are not the same in both.
    """

    def __init__(self) -> None:
        self.elements = 0
        self.unlike = 0
        self.largest = 0.0
        self.floats = True
        self._rows = self._alike = 0
        self._signal = self._noise = self._dot = self._ours = 0.0

    def add(self, ours: Array, theirs: Array) -> None:
        """One batch: the child's answer and the parent's. Raises InvalidInput for different shapes."""
        if ours.shape != theirs.shape:
            raise InvalidInput(
                f"the two models' answers have different shapes: {list(ours.shape)} and {list(theirs.shape)}",
                hint="compare a model with the one that it was made from",
            )
        self.elements += ours.size
        self.floats = ours.dtype.kind == theirs.dtype.kind == "f"
        if not self.floats:
            self._rows += ours.size
            self._alike += int((ours == theirs).sum())
            return
        self._count_rows(ours, theirs)
        self._sum(*self._finite(ours, theirs))

    def _count_rows(self, ours: Array, theirs: Array) -> None:
        if ours.ndim >= 2 and ours.shape[-1] >= 2 and ours.size:
            self._rows += ours.size // ours.shape[-1]
            self._alike += int((ours.argmax(-1) == theirs.argmax(-1)).sum())

    def _finite(self, ours: Array, theirs: Array) -> tuple[Array, Array]:
        """Both as float64, flat, without what no sum can hold."""
        import numpy as np

        ours, theirs = ours.ravel().astype(np.float64), theirs.ravel().astype(np.float64)
        finite = np.isfinite(ours) & np.isfinite(theirs)
        if finite.all():
            return ours, theirs
        alike = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        self.unlike += int((~finite & ~alike).sum())
        return ours[finite], theirs[finite]

    def _sum(self, ours: Array, theirs: Array) -> None:
        import numpy as np

        if not ours.size:
            return
        with np.errstate(over="ignore", invalid="ignore"):  # of doubles near the end of their range
            error = ours - theirs
            self.largest = max(self.largest, float(np.abs(error).max()))
            self._noise += _product(error, error)
            self._signal += _product(theirs, theirs)
            self._ours += _product(ours, ours)
            self._dot += _product(ours, theirs)

    @property
    def agreement(self) -> tuple[int, int] | None:
        """Rows (elements, of integers) that agree, of how many; None where there is nothing to count."""
        return (self._alike, self._rows) if self._rows else None

    @property
    def cosine(self) -> float:
        """From -1 to 1, of all answers as one vector: 1 for two silent models, 0 where only one is silent."""
        product = math.sqrt(self._signal) * math.sqrt(self._ours)
        if not product:
            return float(self._signal == self._ours)
        if self._noise == 0:
            return 1.0
        found = self._dot / product
        return max(-1.0, min(1.0, found)) if math.isfinite(found) else 0.0

    @property
    def sqnr(self) -> float:
        """Signal (the parent's answers) to quantization noise (the difference), in dB within ±``CAP``."""
        return decibels(self._signal, self._noise)


def _product(one: Array, other: Array) -> float:
    """The inner product on this thread: BLAS would wake its own for arrays that are not worth it."""
    import numpy as np

    return float(np.einsum("i,i->", one, other))


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise) within ±``CAP``; without noise it is ``CAP``."""
    if not noise:
        return CAP
    if not signal or not math.isfinite(signal) or not math.isfinite(noise):
        return -CAP
    return max(-CAP, min(CAP, 10 * (math.log10(signal) - math.log10(noise))))
