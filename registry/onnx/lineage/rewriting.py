"""What optimizers make of the parent before it is quantized: tried only where the child differs from it.

Only the parent is ever rewritten: nothing in a child is explained away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from registry.onnx.lineage import extents, folding
from registry.onnx.lineage.constants import shape_of
from registry.onnx.lineage.kinds import Kinds
from registry.onnx.lineage.opsets import scalar
from registry.onnx.lineage.shapes import Shapes
from registry.onnx.lineage.terms import Term, Terms

_LINEAR = {"Conv": 0, "ConvTranspose": 1, "MatMul": -1}  # axis of the output channels in the weight
_SIXTH = 0.16666667163372040  # 1 / 6 as float32
_END = (1 << 63) - 1  # as the end of a Slice: whatever comes
_IDLE = {"Add": 0.0, "Sub": 0.0, "Mul": 1.0, "Div": 1.0}


@dataclass(frozen=True)
class Rewriter:
    """Rewrites terms of one model, the parent."""

    terms: Terms
    shapes: Shapes
    kinds: Kinds

    def alternatives(self, term: Term, child: Term) -> Iterator[tuple[str, Term]]:
        """What may stand in place of ``term`` where the child has ``child``, and what that is called."""
        wanted = child.op
        if wanted in ("Bias", "Add", *_LINEAR) and (folded := self._folded(term)) is not None:
            yield "folded", folded
        if wanted == "Add" and (added := self._added(term)) is not None:
            yield "raw", added
        if wanted == "Mul" and term.op == "HardSwish":
            yield "optimized", self._hard_swish(term)
        if wanted == "Resize" and (nearest := self._nearest(term)) is not None:
            yield "upgraded", nearest
        if wanted == "Reshape" and (rows := self._rows(term)) is not None:
            yield "upgraded", rows
        if (clip := self._clipped(term)) is not None:
            yield "optimized", clip
        if (last := self._last_axis(term)) is not None:
            yield "upgraded", last
        if (padded := self._padded(term)) is not None:
            yield "optimized", padded
        if (idle := self._idle(term)) is not None:
            yield "optimized", idle
        if wanted == "Reshape" and (spelled := self._spelled(term, child)) is not None:
            yield "optimized", spelled

    def _folded(self, term: Term) -> Term | None:
        """BatchNormalization, Mul and Add by constants taken into the weights of the operator before."""
        chain: list[Term] = []
        at = term
        while at.op not in _LINEAR:
            if not _affine(at) or at.arg(0) is None:
                return None
            chain.append(at)
            at = at.first
        weight = at.arg(1)
        joined = "Add" if at.op == "MatMul" else "Bias"
        if weight is None or not weight.constant or not chain or [step.op for step in chain] == [joined]:
            return None
        bias: Term | None = None
        for step in reversed(chain):
            found = self._step(at, step, weight, bias)
            if found is None:
                return None
            weight, bias = found
        made = self.terms.make(at.op, (at.arg(0), weight), at.attrs)
        return made if bias is None else self.terms.make(joined, (made, bias))

    def _step(
        self, linear: Term, step: Term, weight: Term, bias: Term | None
    ) -> tuple[Term, Term | None] | None:
        """Weight and bias after one more affine operator."""
        if step.op == "BatchNormalization":
            return self._normalized(linear, step, weight, bias)
        by = step.arg(1) if step.op == "Bias" else self._vector(linear, step.arg(1))
        if by is None:
            return None
        if step.op in ("Bias", "Add"):
            return weight, by if bias is None else self.terms.make("Add", (bias, by))
        if step.op == "Sub":
            return weight, self.terms.make("Sub", (bias, by)) if bias else self.terms.make("Neg", (by,))
        if step.op == "Div":
            by = self.terms.make("Reciprocal", (by,))
        return self._along(linear, weight, by), self.terms.make("Mul", (bias, by)) if bias else None

    def _normalized(self, linear: Term, step: Term, weight: Term, bias: Term | None) -> tuple[Term, Term]:
        """In the order of operations of ONNX Runtime's fusion, in the weights' own precision."""
        import numpy as np

        make = self.terms.make
        gamma, beta, mean, variance = step.args[1:5]
        epsilon = self.terms.number(np.array(step.attr("epsilon", 1e-5), np.float32))
        factor = make("Div", (gamma, make("Sqrt", (make("Add", (variance, epsilon)),))))
        weight = self._along(linear, weight, factor)
        if bias is None:
            return weight, make("Sub", (beta, make("Mul", (mean, factor))))
        return weight, make("Add", (make("Mul", (make("Sub", (bias, mean)), factor)), beta))

    def _along(self, linear: Term, weight: Term, factor: Term) -> Term:
        attrs = {"axis": _LINEAR[linear.op]}
        if linear.op == "ConvTranspose":
            attrs["group"] = linear.attr("group", 1)
        return self.terms.make("along", (weight, factor), attrs)

    def _vector(self, linear: Term, term: Term | None) -> Term | None:
        """One number per output channel of ``linear``, or one for all."""
        shape = shape_of(term) if term is not None else None
        if term is None or shape is None:
            return None
        if linear.op == "MatMul":
            fits = all(dim == 1 for dim in shape[:-1])
        else:
            fits = all(dim == 1 for dim in shape) or channelled(shape, linear)
        return self.terms.make("flat", (term,)) if fits else None

    def _added(self, term: Term) -> Term | None:
        """A convolution's bias as an addition behind it: how its integer product gets one."""
        linear, bias = term.arg(0), term.arg(1)
        weight = linear.arg(1) if linear is not None else None
        shape = shape_of(weight) if weight is not None else None
        if term.op != "Bias" or shape is None or bias is None:
            return None
        spread = self.terms.make("Reshape", (bias,), {"shape": (1, -1, *(1,) * (len(shape) - 2))})
        return self.terms.make("Add", (linear, spread))

    def _clipped(self, term: Term) -> Term | None:
        """A Relu in front of a Clip raises its lower bound to 0."""
        inner = term.arg(0)
        if term.op != "Clip" or inner is None or inner.op != "Relu" or len(term.args) > 1:
            return None
        attrs = dict(term.attrs)
        attrs["min"] = max(0.0, attrs.get("min", 0.0))
        return self.terms.make("Clip", inner.args, attrs)

    def _last_axis(self, term: Term) -> Term | None:
        """Softmax over the last axis means the same before operator set 13 and after."""
        axis, source = term.attr("axis"), term.arg(0)
        if not term.attr("together") or not isinstance(axis, int) or source is None:
            return None
        rank = self.shapes.rank(source)
        if axis != -1 and (rank is None or axis != rank - 1):
            return None
        return self.terms.make(term.op, term.args, {"axis": -1})

    def _rows(self, term: Term) -> Term | None:
        """Softmax over several axes at once, as operator set 13 has to write it."""
        axis, source = term.attr("axis"), term.arg(0)
        if not term.attr("together") or source is None:
            return None
        make = self.terms.make
        flat = make("Flatten", (source,), {} if axis == 1 else {"axis": axis})
        return make("Reshape", (make(term.op, (flat,), {"axis": -1}), make("Shape", (source,))))

    def _hard_swish(self, term: Term) -> Term:
        """As its definition in ONNX says: where there is no kernel, the runtime writes that out."""
        gate = self.terms.make("HardSigmoid", term.args, {"alpha": _SIXTH})
        return self.terms.make("Mul", (*term.args, gate))

    def _nearest(self, term: Term) -> Term | None:
        """The nearest neighbour, enlarging by whole numbers, is the same however coordinates are counted."""
        scales = folding.small(term.arg(2))
        if term.op != "Resize" or scales is None or term.attr("mode", b"nearest") != b"nearest":
            return None
        if (scales < 1).any() or (scales != scales.round()).any():
            return None
        counted = ("coordinate_transformation_mode", "nearest_mode")
        return self.terms.make(
            "Resize", term.args, {key: held for key, held in term.attrs if key not in counted}
        )

    def _padded(self, term: Term) -> Term | None:
        """Zeros that a Pad puts around a convolution's input, as its own padding."""
        inner = term.arg(0)
        if term.op != "Conv" or inner is None or inner.op != "Pad" or len(inner.args) != 1:
            return None
        pads, own = inner.attr("pads"), term.attr("pads")
        plain = not inner.attr("axes") and inner.attr("mode", b"constant") == b"constant"
        if not isinstance(pads, tuple) or not plain:
            return None
        half = len(pads) // 2
        if any((*pads[:2], *pads[half : half + 2])) or min(pads) < 0 or term.attr("auto_pad"):
            return None
        spatial = (*pads[2:half], *pads[half + 2 :])
        own = own or (0,) * len(spatial)
        attrs = dict(term.attrs) | {"pads": tuple(a + b for a, b in zip(own, spatial, strict=True))}
        return self.terms.make("Conv", (inner.arg(0), *term.args[1:]), attrs)

    def _spelled(self, term: Term, child: Term) -> Term | None:
        """A Reshape to the same shape, told another way: constant where it was computed."""
        shape, source = child.attr("shape"), self.shapes.of(term.arg(0))
        if term.op != "Reshape" or shape is None or source is None:
            return None
        keep = bool(child.attr("allowzero", 0))
        found, wanted = self.shapes.of(term), extents.reshaped(source, shape, keep, term.id)
        if found is None or wanted is None or len(found) != len(wanted):
            return None
        unlike = [at for at, (one, other) in enumerate(zip(found, wanted, strict=True)) if one != other]
        if len(unlike) > 1 or (
            unlike and shape[unlike[0]] != -1
        ):  # the one that is left follows from the rest
            return None
        return self.terms.make("Reshape", (term.arg(0),), child.attrs)

    def _idle(self, term: Term) -> Term | None:
        """An operator that changes nothing: adding 0, multiplying by 1, expanding to the same shape."""
        if term.op == "Expand" and (shape := self.shapes.of(term)) is not None:
            return term.arg(0) if shape == self.shapes.of(term.arg(0)) else None
        if term.op == "Cast" and len(term.attrs) == 1 and (source := term.arg(0)) is not None:
            return source if self.kinds.of(source) == term.attr("to") else None
        if term.op == "Slice" and len(term.args) == 1 and not any(term.attr("starts") or (1,)):
            whole = all(end == _END for end in term.attr("ends") or (0,)) and term.attr("steps") is None
            return term.arg(0) if whole else None
        if term.op not in _IDLE or len(term.args) != 2 or term.constant:
            return None
        number = scalar(term.arg(1))
        return term.arg(0) if number is not None and number == _IDLE[term.op] else None


def _affine(term: Term) -> bool:
    if term.op == "BatchNormalization":
        return term.output == 0 and len(term.args) == 5 and all(arg and arg.constant for arg in term.args[1:])
    if term.op not in ("Bias", "Add", "Sub", "Mul", "Div") or len(term.args) != 2:
        return False
    second = term.arg(1)
    return second is not None and second.constant and not term.constant


def channelled(shape: tuple[int, ...], linear: Term) -> bool:
    """Whether a shape is that of one number per channel of a convolution's output."""
    weight = linear.arg(1)
    held = shape_of(weight) if weight is not None else None
    if held is None or not len(held) - 1 <= len(shape) <= len(held):
        return False
    at = len(shape) - len(held) + 1  # where the channels are
    return all(dim == 1 for place, dim in enumerate(shape) if place != at)
