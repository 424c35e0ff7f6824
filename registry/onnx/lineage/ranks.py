"""How many dimensions values have, as far as that can be told without inferring shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from registry.onnx.lineage.terms import CONST, INPUT, QUANT, Term, Terms

Known = list[int | None]
Rank = Callable[[Term, Known], int | None]


class Ranks:
    """Ranks of one model's terms; each is found once."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._known: Known = []

    def of(self, term: Term) -> int | None:
        """The term's rank, None where it is not known."""
        for new in self._terms.all[len(self._known) :]:
            self._known.append(_rank(new, self._known))
        return self._known[term.id]


def _rank(term: Term, known: Known) -> int | None:
    if term.op == INPUT:
        found: int | None = term.payload
        return found
    if term.op in (CONST, QUANT):
        return len(term.payload.dims if term.op == CONST else term.payload.shape)
    rule = _RULES.get(term.op)
    if rule is not None:
        return rule(term, known)
    if term.op in _WHOLE or (term.output == 0 and "." not in term.op and term.op in _SAME):
        return _first(term, known)
    return None


def _first(term: Term, known: Known) -> int | None:
    return known[term.args[0].id] if term.args and term.args[0] is not None else None


def _widest(term: Term, known: Known) -> int | None:
    found = [known[arg.id] for arg in term.args if arg is not None]
    ranks = [rank for rank in found if rank is not None]
    return max(ranks) if ranks and len(ranks) == len(found) else None


def _product(term: Term, known: Known) -> int | None:
    widest = _widest(term, known)
    return widest if (widest is not None and widest > 2) or _all_two(term, known) else None


def _all_two(term: Term, known: Known) -> bool:
    return all(arg is not None and known[arg.id] == 2 for arg in term.args)


def _listed(name: str) -> Rank:
    def rank(term: Term, known: Known) -> int | None:
        found = term.attr(name)
        return len(found) if isinstance(found, tuple) else _first(term, known) if name == "perm" else None

    return rank


def _gathered(term: Term, known: Known) -> int | None:
    ranks = [known[arg.id] if arg is not None else None for arg in term.args[:2]]
    if len(ranks) < 2 or ranks[0] is None or ranks[1] is None:
        return None
    return ranks[0] + ranks[1] - 1


def _fewer(sign: int) -> Rank:
    def rank(term: Term, known: Known) -> int | None:
        first, axes = _first(term, known), term.attr("axes")
        return first + sign * len(axes) if first is not None and isinstance(axes, tuple) else None

    return rank


def _reduced(term: Term, known: Known) -> int | None:
    return _first(term, known) if term.attr("keepdims", 1) else _fewer(-1)(term, known)


def _fixed(number: int) -> Rank:
    return lambda _term, _known: number


_WHOLE = frozenset(("fake", "Bias"))
_SAME = frozenset(
    (
        *("Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu", "PRelu", "Elu", "Selu", "HardSigmoid", "HardSwish"),
        *("Softmax", "LogSoftmax", "Erf", "Sqrt", "Abs", "Neg", "Exp", "Log", "Cast", "Softplus", "Gelu"),
        *("BatchNormalization", "LayerNormalization", "InstanceNormalization", "LpNormalization", "LRN"),
        *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Resize"),
        *(
            "Concat",
            "Slice",
            "Split",
            "Pad",
            "TopK",
            "CumSum",
            "Tile",
            "Mish",
            "Floor",
            "Ceil",
            "Round",
            "Sin",
        ),
        *("Cos", "Reciprocal", "Not", "Sign", "DepthToSpace", "SpaceToDepth", "along", "GatherElements"),
    )
)
_RULES: Final[Mapping[str, Rank]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Where", "Equal", "Sum"), _widest),
    **{"MatMul": _product, "Transpose": _listed("perm"), "Reshape": _listed("shape"), "Gather": _gathered},
    **{"Squeeze": _fewer(-1), "Unsqueeze": _fewer(1), "Flatten": _fixed(2), "Shape": _fixed(1)},
    **{f"Reduce{what}": _reduced for what in ("Mean", "Sum", "Max", "Min", "Prod", "L2")},
}
