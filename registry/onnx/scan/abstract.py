"""What is known of a value without running anything: its least shape, and its numbers where they are few."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from registry.errors import InvalidModel, UnsafePath
from registry.onnx import elements
from registry.onnx.arrays import array
from registry.onnx.content import Contents
from registry.onnx.ir import Attribute, Node, Tensor
from registry.onnx.scan.subject import Place
from registry.onnx.tensors import unpack_varints

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST: Final = 4096  # elements of a constant that is computed with
BUDGET: Final = 1 << 22  # elements that are computed for one file
_INTS: Final = 256  # numbers of an attribute
_NUMERIC: Final = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13))  # element types that numpy has


class Value(NamedTuple):
    """``shape``: each dimension at least so much (a symbol counts 1), None where the rank is not known.

    ``numbers`` of a small constant; ``tensor`` where they are not read yet; ``constant`` says that all of
    it is known when the model is loaded.
    """

    shape: tuple[int, ...] | None
    kind: int
    constant: bool = False
    numbers: Array | None = None
    tensor: Tensor | None = None

    @property
    def elements(self) -> int:
        """How many at least; 0 where that is not known."""
        return prod(self.shape) if self.shape is not None else 0

    @property
    def size(self) -> int:
        """Bytes, at least."""
        return self.elements * max(1, elements.bits(self.kind) // 8)


class Frame:
    """The values of one place while its nodes are gone through; ``outer`` has those of the place around."""

    def __init__(self, place: Place, contents: Contents, view: memoryview, outer: Frame | None) -> None:
        self.place = place
        self.outer = outer
        self._read: dict[int, Array | None] = outer._read if outer is not None else {}
        self._budget: list[int] = outer._budget if outer is not None else [BUDGET]
        self._contents = contents
        self._view = view
        self._values: dict[str, Value] = {
            value.name: Value(
                tuple(dim if isinstance(dim, int) else 1 for dim in value.shape), value.elem_type
            )
            for value in place.values
            if value.shape is not None
        }
        for name, tensor in place.constants.items():
            self._values[name] = Value(tensor.dims, tensor.data_type, True, None, tensor)

    def get(self, name: str) -> Value | None:
        """What is known of a name, here or around."""
        frame: Frame | None = self
        while frame is not None and name:
            if name in frame._values:
                return frame._values[name]
            if name in frame.place.defined:
                return None
            frame = frame.outer
        return None

    def put(self, name: str, value: Value) -> None:
        """Remember what a node makes."""
        if name in self.place.constants:
            return
        if value.numbers is not None:
            self._budget[0] -= value.numbers.size
            if self._budget[0] < 0:
                value = value._replace(numbers=None)
        self._values[name] = value

    def numbers(self, name: str) -> Array | None:
        """The numbers of a small constant; None where they are not known."""
        value = self.get(name)
        return None if value is None else self.read(value)

    def read(self, value: Value) -> Array | None:
        """The same of a value."""
        if value.numbers is not None or value.tensor is None:
            return value.numbers
        if value.kind not in _NUMERIC or value.elements > MOST:
            return None
        offset = value.tensor.span.offset
        if offset not in self._read:
            try:
                self._read[offset] = array(self._contents, value.tensor)
            except (InvalidModel, UnsafePath):
                self._read[offset] = None  # reported where storage is looked at
        return self._read[offset]

    def ints(self, node: Node, name: str) -> list[int]:
        """An attribute's list of integers; empty where it has none."""
        found = node.attributes.get(name)
        return [] if found is None else self.listed(found)

    def listed(self, attribute: Attribute) -> list[int]:
        """The integers of an attribute, be it a list or one."""
        if attribute.i is not None:
            return [attribute.i]
        try:
            return unpack_varints(self._view, attribute.ints, _INTS)
        except InvalidModel:
            return []


def known(numbers: Array, kind: int) -> Value:
    """A constant whose numbers are known."""
    return Value(numbers.shape, kind, True, numbers)


def broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The least shape of an elementwise result; None where the shapes do not fit."""
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(0 if 0 in dims else max(dims) for dims in zip(*padded, strict=True))


Handler = Callable[[Frame, Node, Sequence[Value | None]], Value | None]
Handlers = Mapping[str, Handler]
