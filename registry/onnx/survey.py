"""Looks at quantized nodes one by one and sums up what kind of quantization they make."""

from __future__ import annotations

from collections.abc import Hashable

from registry.onnx import elements
from registry.onnx.entries import Describer, Evidence, Found
from registry.onnx.ir import Node
from registry.onnx.operands import channels, input_of, name_of, output_of, scale_after
from registry.onnx.operators import (
    CONCAT,
    DEQUANTIZE,
    DYNAMIC,
    OPERATORS,
    PACKED,
    QUANTIZE,
    Operand,
    Operator,
    concat,
)
from registry.onnx.packed import packed_weights
from registry.onnx.quantization import QuantizedTensor
from registry.onnx.scope import Home, Scope

_SUMS = frozenset((("", "MatMulInteger"), ("", "ConvInteger")))  # their int32 output is no quantized tensor


class Survey:
    """Fed with every quantized node; ``tensors`` holds each quantized tensor once, in order of discovery.

    Keys are the span of a constant or the home of an activation; ``evidence`` has the same ones.
    """

    def __init__(self, describer: Describer) -> None:
        self.tensors: dict[Hashable, QuantizedTensor] = {}
        self.evidence: dict[Hashable, Evidence] = {}
        self._describer = describer
        self._activations: set[str] = set()  # "static", "dynamic"
        self._packed = False
        self._formats: set[str] = set()

    @property
    def mode(self) -> str:
        kinds = set(self._activations)
        if self._packed or (self.tensors and not kinds):
            kinds.add("weight-only")
        return "mixed" if len(kinds) > 1 else next(iter(kinds), "float")

    @property
    def format(self) -> str:
        if len(self._formats) > 1:
            return "mixed"
        return next(iter(self._formats), "QDQ" if self.tensors else "none")

    def visit(self, scope: Scope, node: Node) -> None:
        """Take in one quantized node. Raises InvalidModel."""
        key = (node.domain, node.op_type)
        if key in QUANTIZE:
            self._quantize(scope, node)
        elif key in DEQUANTIZE:
            self._dequantize(scope, node)
        elif key == DYNAMIC:
            self._activation(scope, node, output_of(scope, node), None, None, "UINT8", computed=True)
        elif key in PACKED:
            self._formats.add("QOperator")
            self._packed = True
            for one in packed_weights(self._describer, scope, node):
                evidence = self._describer.evidence(one.found.constant, one.scale, one.zero)
                self._add(one.found.home, one.described, evidence)
        else:
            self._formats.add("QOperator")
            self._operator(scope, node, concat(len(node.inputs)) if key == CONCAT else OPERATORS[key])

    def _quantize(self, scope: Scope, node: Node) -> None:
        """A QuantizeLinear: of an activation, or of a constant that the file keeps as floats."""
        source = scope.source(input_of(scope, node, 0))
        scale, zero = input_of(scope, node, 1), input_of(scope, node, 2)
        declared = scope.integer(node, "output_dtype", 0) or elements.UINT8
        kind = self._kind(zero, declared)
        constant = scope.constant(source)
        if source is not None and constant is not None:
            found = Found(source, constant, "weight", name_of(node))
            self._weight(scope, node, found, kind, scale, zero, scope.integer(node, "axis", 1), stored=False)
        else:
            self._activation(scope, node, output_of(scope, node), scale, zero, kind)

    def _dequantize(self, scope: Scope, node: Node) -> None:
        value = input_of(scope, node, 0)
        maker = scope.producer(value)
        made_by = (maker.domain, maker.op_type) if maker else ("", "")
        if value is None or made_by in QUANTIZE or made_by == DYNAMIC:
            self._formats.add("QDQ")
            return
        scale, zero = input_of(scope, node, 1), input_of(scope, node, 2)
        source = scope.source(value)
        constant = scope.constant(source)
        if source is not None and constant is not None:
            if made_by != ("", "Gather"):  # dynamic quantization gathers from integers, then dequantizes
                self._formats.add("QDQ")
            role = "bias" if constant.data_type == elements.INT32 else "weight"
            found = Found(source, constant, role, name_of(node))
            kind = elements.name(constant.data_type)
            self._weight(scope, node, found, kind, scale, zero, scope.integer(node, "axis", 1))
        elif made_by not in _SUMS:
            self._activation(scope, node, value, scale, zero, self._kind(zero, value.scope.input_type(value)))

    def _operator(self, scope: Scope, node: Node, operator: Operator) -> None:
        if operator.dynamic:
            self._activations.add("dynamic")
        for operand in operator.operands:
            scale = input_of(scope, node, operand.scale)
            zero = input_of(scope, node, operand.zero)
            if operand.output:
                if scale is not None:
                    kind = self._kind(zero, elements.UINT8)
                    self._activation(scope, node, output_of(scope, node), scale, zero, kind)
            else:
                self._operand(scope, node, operator, operand, scale, zero)
        self._bias(scope, node, operator)

    def _operand(
        self,
        scope: Scope,
        node: Node,
        operator: Operator,
        operand: Operand,
        scale: Home | None,
        zero: Home | None,
    ) -> None:
        value = input_of(scope, node, operand.value)
        source = scope.source(value)
        constant = scope.constant(source)
        if source is None or value is None:
            return
        if constant is not None:
            found = Found(source, constant, "weight", name_of(node))
            after = scale_after(scope, node) if operator.follow and operand.value else scale
            axis = channels(scope, node, operand, constant, self._describer.parameter(after))
            self._weight(scope, node, found, elements.name(constant.data_type), after, zero, axis)
            return
        maker = scope.producer(source)
        made_by = (maker.domain, maker.op_type) if maker else ("", "")
        if source == value and (made_by in QUANTIZE or made_by == DYNAMIC):
            return  # described where it is made
        kind = self._kind(zero, value.scope.input_type(value))
        computed = made_by == DYNAMIC if operand.scale is None else None
        self._activation(scope, node, value, scale, zero, kind, computed=computed)

    def _bias(self, scope: Scope, node: Node, operator: Operator) -> None:
        """An int32 bias has no scale of its own: it is the product of the input's and the weight's."""
        home = scope.source(input_of(scope, node, operator.bias))
        constant = scope.constant(home)
        if home is None or constant is None:
            return
        weight_scale = self._describer.parameter(input_of(scope, node, 4))
        grain = self._describer.grain(weight_scale, None, 0)
        found = Found(home, constant, "bias", name_of(node))
        described = self._describer.describe(found, elements.name(constant.data_type), True, grain)
        self._add(home, described, self._describer.evidence(constant, None, None))

    def _weight(
        self,
        scope: Scope,
        node: Node,
        found: Found,
        kind: str,
        scale: Home | None,
        zero: Home | None,
        axis: int,
        *,
        stored: bool = True,
    ) -> None:
        describer = self._describer
        block = scope.integer(node, "block_size", 0)
        grain = describer.grain(describer.parameter(scale), describer.parameter(zero), axis, block)
        described = describer.describe(found, kind, describer.symmetric(zero, kind), grain, stored=stored)
        self._add(found.home, described, describer.evidence(found.constant, scale, zero))

    def _activation(
        self,
        scope: Scope,
        node: Node,
        home: Home | None,
        scale: Home | None,
        zero: Home | None,
        kind: str,
        *,
        computed: bool | None = None,
    ) -> None:
        """``computed`` says whether the scale is made at run time; None: see whether it is a constant."""
        if home is None:
            return
        describer = self._describer
        held = describer.parameter(scale)
        if computed is None:
            computed = held is None
        self._activations.add("dynamic" if computed else "static")
        axis, block = scope.integer(node, "axis", 1), scope.integer(node, "block_size", 0)
        grain = describer.grain(held, None, axis, block if held is not None else 0)
        symmetric = describer.symmetric(zero, kind)
        found = Found(home, None, "activation", name_of(node))
        evidence = describer.evidence(None, scale, zero, computed)
        self._add(home, describer.describe(found, kind, symmetric, grain), evidence)

    def _add(self, home: Home, described: QuantizedTensor, evidence: Evidence) -> None:
        """A constant counts once, however many calls or branches lead to it; one may know its scale."""
        key = evidence.constant.span if evidence.constant is not None else home
        self.tensors.setdefault(key, described)
        if key not in self.evidence or self.evidence[key].scale is None:
            self.evidence[key] = evidence

    def _kind(self, zero: Home | None, otherwise: int) -> str:
        held = self._describer.parameter(zero)
        return elements.name(held.data_type if held is not None else otherwise)
