"""Normal forms: what different operators, versions and spellings write for the same computation.

Both parent and child are brought into them, so nothing here may depend on which of the two it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from registry.onnx.lineage import opsets
from registry.onnx.lineage.calls import Call
from registry.onnx.lineage.constants import shape_of
from registry.onnx.lineage.folding import integers
from registry.onnx.lineage.terms import Term, dims

Form = Callable[[Call], list[Term]]


def normal(call: Call) -> list[Term]:
    """The terms of a node's outputs. Raises InvalidModel."""
    form = FORMS.get(call.op) if not call.domain and not call.odd else None
    return form(call) if form else call.same(call.full(), *call.args)


def _first(call: Call) -> list[Term]:
    found = call.arg(0)
    return [found] if found is not None else call.same(call.full(), *call.args)


def _dropout(call: Call) -> list[Term]:
    training, source = call.arg(2), call.arg(0)
    switched = call.attrs.get("is_test", 1) if call.version < 7 else 1
    asked = training is not None and (found := opsets.scalar(training)) != 0 and found is not False
    if source is None or not switched or asked:
        return call.same(call.full(), *call.args)
    mask = [call.one("Dropout", source, mask=1)] * (call.outputs - 1)
    return [source, *mask]


def _gemm(call: Call) -> list[Term]:
    """alpha * A' * B' + beta * C as MatMul, Mul and Add."""
    left, right, added = call.arg(0), call.arg(1), call.arg(2)
    turns = (call.attrs.get("transA", 0), call.attrs.get("transB", 0))
    if left is None or right is None or not {*turns} <= {0, 1}:
        return call.same(call.full(), *call.args)
    if turns[0]:
        left = turned(call, left, (1, 0))
    if turns[1]:
        right = turned(call, right, (1, 0))
    product = _times(call, call.one("MatMul", left, right), call.attrs.get("alpha", 1.0))
    if added is None:
        return [product]
    return normal(call.plain("Add", (product, _times(call, added, call.attrs.get("beta", 1.0))), {}))


def _times(call: Call, term: Term, factor: object) -> Term:
    if factor == 1.0 or not isinstance(factor, int | float):
        return term
    import numpy as np

    return call.one("Mul", term, call.terms.number(np.array(factor, np.float32)))


def turned(call: Call, term: Term, perm: tuple[int, ...]) -> Term:
    """Transposed; of constants two transpositions in a row are one or none. Of other values they stay two:
    a quantizer may have put its mark between them."""
    if (
        term.constant
        and term.op == "Transpose"
        and isinstance(inner := term.attr("perm"), tuple)
        and len(inner) == len(perm)
    ):
        term, perm = term.first, tuple(inner[at] for at in perm)
    if perm == tuple(range(len(perm))):
        return term
    return call.one("Transpose", term, perm=perm)


def _transpose(call: Call) -> list[Term]:
    source, perm = call.arg(0), call.attrs.get("perm")
    if source is not None and isinstance(perm, tuple) and sorted(perm) == list(range(len(perm))):
        return [turned(call, source, perm)]
    if source is not None and perm is None and (shape := dims(source)) is not None:
        return [turned(call, source, tuple(reversed(range(len(shape)))))]
    return call.same(call.full(), *call.args)


def _conv(call: Call) -> list[Term]:
    """The bias apart; attributes that only repeat what the weight's shape says dropped."""
    attrs, weight, bias = call.full(), call.arg(1), call.arg(2)
    shape = shape_of(weight) if weight is not None else None
    if shape is not None and attrs.get("kernel_shape") == shape[2:]:
        del attrs["kernel_shape"]
    found = call.same(opsets.window(attrs), call.arg(0), weight)
    return found if bias is None else [call.one("Bias", found[0], bias)]


def _ordered(call: Call) -> list[Term]:
    """Of a constant and a value that can change places, the constant comes second."""
    left, right = call.arg(0), call.arg(1)
    if left is not None and right is not None and left.constant and not right.constant and not call.attrs:
        left, right = right, left
    return call.same(call.full() if call.attrs else {}, left, right)


def _reshape(call: Call) -> list[Term]:
    """A constant shape as an attribute."""
    attrs, source = call.full(), call.arg(0)
    shape = attrs.pop("shape", None) if call.version < 5 else integers(call.arg(1))
    if shape is None or source is None:
        return call.same(attrs, *call.args)
    return call.same({**attrs, "shape": shape}, source)


FORMS: Final[Mapping[str, Form]] = {
    "Identity": _first,
    "Dropout": _dropout,
    "Gemm": _gemm,
    "Transpose": _transpose,
    "Conv": _conv,
    "ConvTranspose": _conv,
    "Add": _ordered,
    "Mul": _ordered,
    "Reshape": _reshape,
    **opsets.FORMS,
}
