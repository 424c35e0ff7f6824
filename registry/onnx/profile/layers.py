"""Which operators take quantized tensors, and whether the runtime then computes on integers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final, NamedTuple

from registry.onnx.content import Contents
from registry.onnx.facts import Surveyed
from registry.onnx.ir import Node
from registry.onnx.operands import name_of
from registry.onnx.operators import (
    DEQUANTIZE,
    DYNAMIC,
    MICROSOFT,
    NBITS,
    OPERATORS,
    PACKED,
    QUANTIZE,
    QUANTIZED,
)
from registry.onnx.profile.fusing import Fuser, Taken
from registry.onnx.profile.origins import Origins
from registry.onnx.profile.values import Layer
from registry.onnx.scope import Home, Scope
from registry.onnx.survey import Survey

_QUIET = frozenset((*QUANTIZE, *DEQUANTIZE, DYNAMIC, ("", "Shape"), ("", "Size")))  # they compute nothing
_MOVING = frozenset(
    ("", name) for name in ("Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Cast")
)
_HOPS = 16  # operators followed back
HEAVY: Final = frozenset(  # where a network spends its time
    (
        *(("", name) for name in ("MatMul", "Gemm", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN", "Einsum")),
        *((MICROSOFT, name) for name in ("Attention", "FusedConv", "FusedGemm", "FusedMatMul")),
        *((MICROSOFT, name) for name in ("MultiHeadAttention", "GroupQueryAttention", "MoE")),
        ("", "Attention"),
    )
)
_FLOAT = "neither its weight nor its input is quantized"
_PRODUCT = "it multiplies activations, which dynamic and weight-only quantization leave in float"


class Layers(NamedTuple):
    """``users`` has the layers that take a quantized tensor, by the survey's key of the tensor."""

    layers: tuple[Layer, ...]
    users: dict[Hashable, list[Layer]]


class _Inputs(NamedTuple):
    """A node's inputs: the quantized ones, and how many computed ones stay float."""

    taken: list[Taken]
    floats: int

    @property
    def keys(self) -> list[Hashable]:
        return [one.key for one in self.taken]


def layers(found: Surveyed, contents: Contents) -> Layers:
    """Every operator that takes quantized tensors and every heavy one, in the order of the graph."""
    made: list[Layer] = []
    users: dict[Hashable, list[Layer]] = {}
    judge = _Judge(found.survey, contents)
    for scope, node in found.nodes:
        key = (node.domain, node.op_type)
        if key in _QUIET or key in _MOVING:
            continue
        inputs = _inputs(found.survey, scope, node)
        if inputs.taken or key in QUANTIZED or key in HEAVY:
            layer = judge.layer(scope, node, inputs)
            made.append(layer)
            for one in inputs.keys:
                users.setdefault(one, []).append(layer)
    return Layers(tuple(made), users)


def _inputs(survey: Survey, scope: Scope, node: Node) -> _Inputs:
    taken: list[Taken] = []
    floats = 0
    direct = (node.domain, node.op_type) in QUANTIZED
    for name in node.inputs:
        home = scope.home(name)
        if home is None:
            continue
        integers = home if direct else _dequantized(home)
        key = _key(survey, integers) if integers is not None else None
        if key is not None and integers is not None:
            taken.append(Taken(key, integers))
        elif scope.constant(scope.source(home)) is None:
            floats += 1
    return _Inputs(taken, floats)


def _dequantized(home: Home) -> Home | None:
    """The integers that a DequantizeLinear turns into the float value at ``home``."""
    for _ in range(_HOPS):
        maker = home.scope.producer(home)
        source = home.scope.home(maker.inputs[0]) if maker is not None and maker.inputs else None
        if maker is None or source is None:
            return None
        if (maker.domain, maker.op_type) in DEQUANTIZE:
            return source
        if (maker.domain, maker.op_type) not in _MOVING:
            return None
        home = source
    return None


def _key(survey: Survey, home: Home) -> Hashable | None:
    """The survey's key of a quantized value; of a constant that is rounded at run time, the constant's."""
    return next((one for one in _candidates(home) if one in survey.tensors), None)


def _candidates(home: Home) -> Iterator[Hashable]:
    yield home
    source = home.scope.source(home)
    for one in (home, source):
        constant = home.scope.constant(one)
        if constant is not None:
            yield constant.span
    if source is not None:
        yield source
    maker = home.scope.producer(home)
    if maker is not None and (maker.domain, maker.op_type) in QUANTIZE and maker.inputs:
        rounded = home.scope.constant(home.scope.source(home.scope.home(maker.inputs[0])))
        if rounded is not None:
            yield rounded.span


class _Judge:
    """Describes layers."""

    def __init__(self, survey: Survey, contents: Contents) -> None:
        self._survey = survey
        self._fuser = Fuser(survey, contents)
        self._origins = Origins()

    def layer(self, scope: Scope, node: Node, inputs: _Inputs) -> Layer:
        mode = self._mode(node, inputs)
        direct = (node.domain, node.op_type) in QUANTIZED
        why = _why_packed(scope, node) if direct else self._why(scope, node, inputs, mode)
        return Layer(
            name=node.name or next(filter(None, node.outputs), node.op_type),
            scope=scope.label,
            operator=name_of(node),
            mode=mode,
            format="QOperator" if direct else "QDQ" if inputs.taken else "none",
            integer=not why,
            why=why,
            tensors=tuple(self._survey.tensors[key].name for key in inputs.keys),
        )

    def _mode(self, node: Node, inputs: _Inputs) -> str:
        operator = OPERATORS.get((node.domain, node.op_type))
        kinds = {
            "dynamic" if self._survey.evidence[key].computed else "static"
            for key in inputs.keys
            if self._survey.tensors[key].role == "activation"
        }
        if operator is not None and operator.dynamic:
            kinds.add("dynamic")
        if operator is not None and not kinds and node.op_type != "QEmbedLayerNormalization":
            kinds.add("static")  # its input is a table's rows, which have a stored scale
        if len(kinds) > 1:
            return "mixed"
        return next(iter(kinds), "weight-only" if inputs.taken else "float")

    def _why(self, scope: Scope, node: Node, inputs: _Inputs, mode: str) -> str:
        """What keeps a float operator from an integer kernel; "" where nothing does."""
        if mode == "float":
            weighted = any(self._origins.of(scope.home(name)) for name in node.inputs)
            return _FLOAT if weighted else _PRODUCT
        if mode == "weight-only" and node.op_type not in ("Gather", "GatherElements"):
            return "its input is float: the weight is brought back to float first"
        if mode in ("dynamic", "mixed"):
            return "its input's scale is computed at run time, which only integer operators take"
        return self._fuser.why_not(scope, node, inputs.taken, inputs.floats)


def _why_packed(scope: Scope, node: Node) -> str:
    key = (node.domain, node.op_type)
    if key not in PACKED and node.op_type != "QEmbedLayerNormalization":
        return ""
    if key == NBITS and scope.integer(node, "accuracy_level", 0) == 4:
        return ""
    return "its weights are brought back to float, block by block, as they are used"
