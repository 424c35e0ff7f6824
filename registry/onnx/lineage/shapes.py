"""Shapes of values as far as the graph tells them, and small integer vectors computed from shapes.

An extent that is not known is a token; equal tokens are equal extents. Both models' shapes are inferred
from the same kind of terms, so a quantizer's marks make no difference.
"""

from __future__ import annotations

from typing import Final

from registry.onnx.lineage import folding
from registry.onnx.lineage.extents import Extents
from registry.onnx.lineage.shaping import RULES
from registry.onnx.lineage.terms import CONST, INPUT, QUANT, Term, Terms
from registry.onnx.lineage.vectors import VECTORS

_MANY: Final = 64  # elements of a vector that is followed


class Shapes:
    """Shapes of one model's terms; each is found once."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._shapes: list[Extents | None] = []
        self._vectors: list[Extents | None] = []

    def of(self, term: Term | None) -> Extents | None:
        """The term's shape, None where not even its rank is known."""
        if term is None:
            return None
        self._follow(term.id)
        return self._shapes[term.id]

    def _follow(self, last: int) -> None:
        """Terms are taken in the order of their making: what a term takes is known when its turn comes."""
        for term in self._terms.all[len(self._shapes) : last + 1]:
            self._shapes.append(self._infer(term))
            self._vectors.append(self._vector(term))

    def rank(self, term: Term) -> int | None:
        found = self.of(term)
        return None if found is None else len(found)

    def _infer(self, term: Term) -> Extents | None:
        if term.op == INPUT:
            shape = term.payload[1]
            return shape and tuple(
                dim if isinstance(dim, int) else ("dim", dim or (term.attr("at"), at))
                for at, dim in enumerate(shape)
            )
        if term.op in (CONST, QUANT):
            held: Extents = term.payload.dims if term.op == CONST else term.payload.shape
            return held
        rule = RULES.get(term.op)
        return rule(self, term) if rule is not None else None

    def vector(self, term: Term | None) -> Extents | None:
        """The elements of a small integer tensor of one dimension or none."""
        if term is None:
            return None
        self._follow(term.id)
        return self._vectors[term.id]

    def _vector(self, term: Term) -> Extents | None:
        if term.constant:
            numbers = folding.integers(term) if term.op in VECTORS or term.op == CONST else None
            return numbers if numbers is not None and len(numbers) <= _MANY else None
        shape = self.of(term)
        if shape is None or len(shape) > 1:
            return None
        rule = VECTORS.get(term.op)
        return rule(self, term) if rule is not None else None
