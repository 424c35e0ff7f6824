"""Whether ONNX Runtime's CPU provider computes a float operator between Q and DQ with an integer kernel.

The patterns are the runtime's own ("QDQ selectors", 1.31). They compare types, and on x86 the type of an
int8 activation depends on its use: where one operator takes it, the runtime first turns it into uint8;
where several do, it stays int8. Operators around both kinds then stay float, as do Conv and MatMul on int8.
What is said here holds for x86; on ARM int8 is fused wherever uint8 is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final, NamedTuple

from registry.onnx.content import Contents
from registry.onnx.entries import Evidence, middle_of
from registry.onnx.ir import Node
from registry.onnx.operators import DEQUANTIZE, QUANTIZE
from registry.onnx.scope import Home, Scope
from registry.onnx.survey import Survey

_PRODUCTS: Final = frozenset(("MatMul", "Gemm", "Conv"))  # weights beside the input; biases do not count
_ALIKE: Final = frozenset(  # every value around them has one type
    ("Add", "Mul", "Sigmoid", "LeakyRelu", "Softmax", "Concat", "Where", "AveragePool", "GlobalAveragePool")
)
_SAME: Final = frozenset(  # they move numbers: scale and zero point stay as well
    (
        "MaxPool",
        "Resize",
        "Split",
        "Slice",
        "Gather",
        "GatherElements",
        "Expand",
        "Tile",
        "ReduceMax",
        "ReduceMin",
    )
)
_ANY_WIDTH: Final = _SAME - {"MaxPool", "Resize", "ReduceMax", "ReduceMin"}  # 16 bits, too
_FLOAT_OUT: Final = frozenset(("MatMul", "Gemm"))  # there are kernels with integers in and floats out
_BOUNDS: Final = frozenset(("Relu", "Clip"))

_NO_KERNEL = "ONNX Runtime's CPU provider has no integer kernel for it"
_FLOAT_IN = "one of its inputs is float"
_OPEN = "its output is not quantized again"
_SIGNED = "on x86 it needs a uint8 input, and an int8 one that several operators take stays int8"
_UNLIKE = "on x86 some int8 values around it become uint8 and some do not; with uint8 all would match"
_BOUNDING = "it bounds values that its output's range does not bound already"
_REQUANTIZED = "its output has another scale than its input"


class Taken(NamedTuple):
    """A quantized value that an operator takes: the survey's key, and where the integers are."""

    key: Hashable
    home: Home


class Fuser:
    """Judges the operators of one model."""

    def __init__(self, survey: Survey, contents: Contents) -> None:
        self._survey = survey
        self._contents = contents

    def why_not(self, scope: Scope, node: Node, taken: list[Taken], floats: int) -> str:
        """What keeps the operator from an integer kernel; "" where nothing does.

        ``floats`` counts the computed inputs that are not quantized.
        """
        known = _PRODUCTS | _ALIKE | _SAME | _BOUNDS | {"ArgMax"}
        if node.domain or node.op_type not in known:
            return _NO_KERNEL
        if floats and node.op_type not in _ANY_WIDTH | {"Where"}:  # which take indices and shapes as well
            return _FLOAT_IN
        values = [one for one in taken if self._survey.tensors[one.key].role != "bias"]
        widths = (8, 16) if node.op_type in _ANY_WIDTH else (8,)
        if wide := sorted({self._type(one) for one in values if self._bits(one) not in widths}):
            return f"its integer kernel takes 8 bits only, here are {', '.join(wide)}"
        if not values:
            return _FLOAT_IN
        if node.op_type in _BOUNDS:
            return "" if self._is_bounded(scope, node) else _BOUNDING
        if node.op_type == "ArgMax":
            return ""
        after = list(self._quantized_after(scope, node))
        if not after:
            return self._without_output(node, values)
        return self._around(node, values, after)

    def _without_output(self, node: Node, values: list[Taken]) -> str:
        if node.op_type not in _FLOAT_OUT:
            return _OPEN
        return _SIGNED if node.op_type == "MatMul" and self._type(values[0]) == "INT8" else ""

    def _around(self, node: Node, values: list[Taken], after: list[Taken]) -> str:
        inputs = [self._type(one) for one in values]
        outputs = [self._type(one) for one in after]
        compared = inputs[:1] if node.op_type in _PRODUCTS else inputs
        if inputs[0] == "INT8" and node.op_type in ("Conv", "MatMul"):
            return _SIGNED
        if len({*compared, *outputs}) > 1:
            return _UNLIKE
        if node.op_type in _SAME and not all(self._alike(values[0], one) for one in after):
            return _REQUANTIZED
        return ""

    def _alike(self, one: Taken, other: Taken) -> bool:
        first, second = self._survey.evidence[one.key], self._survey.evidence[other.key]
        return self._parameters(first) == self._parameters(second)

    def _parameters(self, evidence: Evidence) -> tuple[bytes | None, ...]:
        held = (evidence.scale, evidence.zero)
        return tuple(None if one is None else bytes(self._contents.raw(one)) for one in held)

    def _bits(self, one: Taken) -> int:
        return self._survey.tensors[one.key].bits

    def _type(self, one: Taken) -> str:
        """The type once the runtime has turned int8 activations with one reader into uint8."""
        tensor, evidence = self._survey.tensors[one.key], self._survey.evidence[one.key]
        plain = tensor.type == "INT8" and tensor.role == "activation"
        if plain and evidence.zero is not None and evidence.zero.elements == 1 and _readers(one.home) == 1:
            return "UINT8"
        return tensor.type

    def _quantized_after(self, scope: Scope, node: Node) -> Iterator[Taken]:
        """What its outputs become, where every one of them goes into QuantizeLinear and nowhere else."""
        for name in filter(None, node.outputs):
            users = scope.users(name)
            if len(users) == 1 and users[0].op_type in _BOUNDS and self._is_bounded(scope, users[0]):
                users = scope.users(users[0].outputs[0])
            for user in users:
                home = Home(scope, user.outputs[0]) if user.outputs else None
                if (user.domain, user.op_type) not in QUANTIZE or home not in self._survey.tensors:
                    return
                assert home is not None
                yield Taken(home, home)

    def _is_bounded(self, scope: Scope, node: Node) -> bool:
        """Whether a Relu or Clip does nothing that rounding to its output's range does not do as well."""
        users = scope.users(node.outputs[0]) if node.outputs else []
        if node.op_type != "Relu" or len(users) != 1 or not users[0].outputs:
            return False
        if (users[0].domain, users[0].op_type) not in QUANTIZE:
            return False
        home = Home(scope, users[0].outputs[0])
        tensor = self._survey.tensors.get(home)
        zero = self._survey.evidence[home].zero if tensor is not None else None
        if tensor is None or zero is None:
            return tensor is not None and tensor.type.startswith("UINT")
        lowest = middle_of(tensor.type) - (1 << (tensor.bits - 1))
        return self._contents.is_all(zero, lowest)


def _readers(home: Home) -> int:
    """How many operators take the value once it is dequantized."""
    count = 0
    for user in home.scope.users(home.name):
        if (user.domain, user.op_type) not in DEQUANTIZE or not user.outputs:
            return 2
        readers = home.scope.users(user.outputs[0])
        count += len([one for one in readers if one.op_type not in ("Shape", "Size")]) or 1
    return count
