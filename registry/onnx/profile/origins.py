"""Follows values back to the constants that they are computed from, and from nothing else."""

from __future__ import annotations

from registry.onnx.ir import Tensor
from registry.onnx.operators import DEQUANTIZE, QUANTIZE
from registry.onnx.scope import Home

_DEPTH = 24  # operators followed back
_NONE: tuple[Tensor, ...] = ()


class Origins:
    """A runtime folds what is computed from constants alone: such a value is a constant in all but name."""

    def __init__(self) -> None:
        self._known: dict[Home, tuple[Tensor, ...]] = {}

    def of(self, home: Home | None, depth: int = _DEPTH) -> tuple[Tensor, ...]:
        """The constants behind a value; none where anything else has a part in it, or Q/DQ stand between."""
        if home is None or depth < 0:
            return _NONE
        if home not in self._known:
            self._known[home] = _NONE  # a loop of names ends here
            self._known[home] = self._found(home, depth)
        return self._known[home]

    def _found(self, home: Home, depth: int) -> tuple[Tensor, ...]:
        constant = home.scope.constant(home)
        if constant is not None:
            return (constant,)
        maker = home.scope.producer(home)
        if maker is None or (maker.domain, maker.op_type) in QUANTIZE | DEQUANTIZE or any(maker.subgraphs):
            return _NONE
        inputs = [home.scope.home(name) for name in maker.inputs if name]
        found = [self.of(one, depth - 1) for one in inputs]
        if not all(found):
            return _NONE
        return tuple({tensor.span: tensor for some in found for tensor in some}.values())
