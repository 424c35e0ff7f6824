"""Elementwise operators over what is known of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

from registry.onnx import elements
from registry.onnx.ir import Node
from registry.onnx.scan.abstract import MOST, Frame, Value, broadcast, known

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_JUDGING: Final = frozenset(("Equal", "Less", "Greater", "And", "Or", "Xor"))  # they make truth values


def elementwise(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    """The least shape of the result, and its numbers where all operands are small constants."""
    given = [value for value in values if value is not None and value.shape is not None]
    if not given or len(given) < len(values):
        return None
    shape = broadcast([value.shape for value in given if value.shape is not None])
    constant = all(value.constant for value in given)
    kind = elements.NUMBERS["BOOL"] if node.op_type in _JUDGING else given[-1].kind
    few = shape is not None and prod(shape) <= MOST and len(given) == 2
    if constant and few and node.op_type in _COMPUTED:
        numbers = [frame.read(value) for value in given]
        if all(one is not None for one in numbers):
            found = _COMPUTED[node.op_type](*numbers)
            if found is not None:
                return known(found, kind)
    return Value(shape, kind, constant)


def _plain(name: str) -> Callable[..., Array | None]:
    def run(*given: Array) -> Array | None:
        import numpy as np

        if len({one.dtype for one in given}) > 1 or given[0].dtype.kind == "b":
            return None
        if name == "floor_divide" and (given[0].dtype.kind == "f" or not given[1].all()):
            return None
        with np.errstate(all="ignore"):
            try:
                return np.asarray(getattr(np, name)(*given))
            except ValueError:
                return None  # shapes that do not fit

    return run


# Two operands each. Div rounds towards zero in ONNX, down here: sizes are not negative.
_COMPUTED: Final[dict[str, Callable[..., Array | None]]] = {
    "Add": _plain("add"),
    "Sub": _plain("subtract"),
    "Mul": _plain("multiply"),
    "Min": _plain("minimum"),
    "Max": _plain("maximum"),
    "Div": _plain("floor_divide"),
}
