"""Element types of values, as far as operators fix them."""

from __future__ import annotations

from registry.onnx import elements
from registry.onnx.lineage.shaping import RULES
from registry.onnx.lineage.terms import CONST, FAKE, INPUT, QUANT, Term, Terms

_FIXED = {
    **dict.fromkeys(("Shape", "Size", "ArgMax", "ArgMin", "NonZero"), elements.INT64),
    **dict.fromkeys(("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"), elements.NUMBERS["BOOL"]),
    **dict.fromkeys(("Not", "And", "Or", "Xor", "IsNaN", "IsInf"), elements.NUMBERS["BOOL"]),
}
_SECOND = frozenset(("Where", "If", "ConstantOfShape"))
_ALL_ALIKE = frozenset(("LSTM", "GRU", "RNN", "Split"))  # whose outputs are all of one type
_OTHERS = frozenset(("LSTM", "GRU", "RNN", "Mod", "Range", "ScatterND", "ScatterElements", "Trilu", "Einsum"))


class Kinds:
    """Element types of one model's terms; each is found once."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._known: list[int | None] = []

    def of(self, term: Term) -> int | None:
        """The number of the element type (onnx.proto), None where it is not known."""
        for new in self._terms.all[len(self._known) : term.id + 1]:
            self._known.append(self._infer(new))
        return self._known[term.id]

    def _infer(self, term: Term) -> int | None:
        if term.op == INPUT:
            found: int | None = term.payload[0] or None
            return found
        if term.op == CONST:
            return elements.NUMBERS.get(term.payload.kind)
        if term.op == QUANT:
            return elements.FLOAT
        if term.op == "Cast":
            to: int | None = term.attr("to")
            return to
        if term.op in _FIXED:
            return _FIXED[term.op]
        source = term.arg(1 if term.op in _SECOND else 0)
        keeps = term.op in RULES or term.op in _SECOND or term.op in _OTHERS or term.op == FAKE
        first = not term.output or term.op in _ALL_ALIKE
        return self._known[source.id] if source is not None and keeps and first else None
