"""Biases of integer products, whose scale is that of their operator's input times that of its weight."""

from __future__ import annotations

from dataclasses import replace

from registry.onnx import elements
from registry.onnx.lineage.calls import Unliftable
from registry.onnx.lineage.dequantizing import tensor_of
from registry.onnx.lineage.leaves import QuantLeaf
from registry.onnx.lineage.terms import FAKE, QUANT, Term, Terms


def bias(terms: Terms, term: Term, scales: tuple[Term | None, ...], operator: str) -> Term:
    """An int32 bias whose scale is the product of its operator's. Raises Unliftable, InvalidModel."""
    held = tensor_of(term)
    factors = [tensor_of(scale) for scale in scales]
    if held is None or elements.name(held.data_type) != "INT32" or any(found is None for found in factors):
        raise Unliftable("bias")
    found = tuple(factor for factor in factors if factor is not None)
    many = max(factor.elements for factor in found)
    if many not in (1, held.elements) or term.payload.contents is None:
        raise Unliftable("bias")
    made = QuantLeaf(
        *(term.name, term.scope, held, found, None, "INT32", held.dims),
        *(len(held.dims) - 1 if many > 1 else None, None, "plain", 32, operator, "bias"),
        contents=term.payload.contents,
    )
    key = ("bias", term.id, *(scale.id for scale in scales if scale))
    new = terms.make(QUANT, payload=made, key=key)
    new.name, new.scope = term.name, term.scope
    return new


def partnered(terms: Terms, args: tuple[Term | None, ...]) -> tuple[Term | None, ...]:
    """Arguments (input, weight, bias): a bias that brings its scale learns those of the other two."""
    if len(args) < 3 or args[2] is None or args[2].op != QUANT or args[2].payload.kind != "INT32":
        return args
    first, second, third = args[:3]
    scales = [tensor_of(first.payload.scale)] if first is not None and first.op == FAKE else [None]
    scales += [second.payload.scales[0]] if second is not None and second.op == QUANT else [None]
    if None in scales or not isinstance(third, Term):
        return args
    found = tuple(scale for scale in scales if scale is not None)
    new = terms.make(QUANT, payload=replace(third.payload, partners=found), key=("with", third.id, found))
    new.name, new.scope = third.name, third.scope
    return (first, second, new, *args[3:])
