"""Graphs as terms: what a value is computed from, without the names it has on the way.

Equal terms are one object (hash-consing), so a graph's repeated parts are matched once. A term of several
outputs stands once for each, with the same arguments. ``id`` rises from arguments to results.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.errors import InvalidModel
from registry.onnx import arrays, elements
from registry.onnx.content import Contents
from registry.onnx.ir import Tensor

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

Attributes: TypeAlias = tuple[tuple[str, Any], ...]
MAX_TERMS = 2_000_000  # of one graph, with its subgraphs and functions expanded
INLINE = 64  # elements: constants up to this are equal when their numbers are
INPUT, BOUND, CONST, QUANT, FAKE, INTEGERS = "input", "bound", "const", "quant", "fake", "integers"

# What a signature looks through: quantizers and optimizers add, drop or fold them.
_THIN = frozenset((FAKE, "Relu", "Clip", "BatchNormalization", "Bias"))
_AFFINE = frozenset(("Add", "Mul", "Sub", "Div"))
_EITHER = frozenset(("Add", "Mul", "Max", "Min", "Sum", "And", "Or", "Xor", "Equal", "Mean"))


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant of the file (``tensor``), or one that was computed from others (``data``)."""

    name: str
    scope: str
    tensor: Tensor | None
    contents: Contents | None
    data: Array | None = None

    @property
    def dims(self) -> tuple[int, ...]:
        return self.tensor.dims if self.tensor is not None else tuple(map(int, self._data.shape))

    @property
    def size(self) -> int:
        """Number of elements. Raises InvalidModel on an impossible shape."""
        return elements.count(self.dims, self.name)

    @property
    def kind(self) -> str:
        """The element type's name in ONNX."""
        if self.tensor is not None:
            return elements.name(self.tensor.data_type)
        return _KINDS.get(str(self._data.dtype), "UNDEFINED")

    def value(self) -> Array:
        """The numbers. Raises InvalidModel; for strings, too."""
        if self.tensor is not None and self.contents is not None:
            return arrays.array(self.contents, self.tensor)
        return self._data

    @property
    def _data(self) -> Array:
        assert self.data is not None
        return self.data


_KINDS = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "FLOAT16", "bool": "BOOL"} | {
    f"{sign}int{bits}": f"{sign}int{bits}".upper() for sign in ("", "u") for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True, eq=False)
class Params:
    """How a value is quantized: the terms of its scale and zero point, and where that was found."""

    scale: Term | None
    zero: Term | None
    kind: str
    axis: int | None
    block: int | None
    operator: str
    dynamic: bool = False


@dataclass(eq=False, slots=True)
class Term:
    """``sign`` is equal for terms of the same skeleton; ``name`` a value that is this term, "" where the
    file has none, ``node`` and ``operator`` what made it. ``constant``: no input takes part in it."""

    id: int
    op: str
    args: tuple[Term | None, ...]
    attrs: Attributes
    output: int
    payload: Any
    sign: int
    constant: bool
    name: str = ""
    scope: str = ""
    node: str = ""
    operator: str = ""
    integers: str = ""
    folded: Any = None  # what folding.small found, in a tuple

    def attr(self, name: str, default: Any = None) -> Any:
        """The attribute, or ``default``."""
        return next((value for key, value in self.attrs if key == name), default)

    @property
    def first(self) -> Term:
        """The first argument of what is known to have one."""
        found = self.args[0]
        assert found is not None
        return found

    def arg(self, position: int) -> Term | None:
        """The argument there; None where it is absent."""
        return self.args[position] if position < len(self.args) else None


@dataclass
class Terms:
    """All terms of one model."""

    found: dict[Hashable, Term] = field(default_factory=dict)
    all: list[Term] = field(default_factory=list)

    def make(
        self,
        op: str,
        args: tuple[Term | None, ...] = (),
        attrs: Mapping[str, Any] | Attributes = (),
        output: int = 0,
        payload: Any = None,
        key: Hashable = None,
    ) -> Term:
        """The term; ``key`` tells leaves apart. Raises InvalidModel where there are too many."""
        while args and args[-1] is None:
            args = args[:-1]
        pairs = tuple(sorted(attrs.items())) if isinstance(attrs, Mapping) else attrs
        where = (op, tuple(arg.id if arg else -1 for arg in args), pairs, output, key)
        known = self.found.get(where)
        if known is not None:
            return known
        if len(self.all) >= MAX_TERMS:
            raise InvalidModel("the graph expands to too many operators", hint="export the model again")
        held = bool(args) or op in (CONST, QUANT)
        constant = held and op != BOUND and all(arg is None or arg.constant for arg in args)
        term = Term(len(self.all), op, args, pairs, output, payload, _sign(op, args, output), constant)
        self.found[where] = term
        self.all.append(term)
        return term

    def constant(self, constant: Constant) -> Term:
        """The leaf of a constant; small ones with equal numbers are one."""
        term = self.make(CONST, payload=constant, key=_identity(constant))
        if not term.name:
            term.name, term.scope = constant.name, constant.scope
        return term

    def number(self, data: Array) -> Term:
        """The leaf of a computed constant."""
        return self.constant(Constant("", "", None, None, data))


def _identity(constant: Constant) -> Hashable:
    kind, dims = constant.kind, constant.dims
    if kind not in ("STRING", "UNDEFINED") and prod(dims) <= INLINE:
        return kind, dims, constant.value().tobytes()
    if constant.tensor is None:
        return kind, dims, id(constant)
    return kind, dims, constant.tensor._replace(name="")


def _sign(op: str, args: tuple[Term | None, ...], output: int) -> int:
    if op in (CONST, QUANT):
        return 7
    moving = [arg for arg in args if arg is not None]
    if op in _THIN and moving:
        return moving[0].sign
    if op in _AFFINE and len(moving) == 2:
        varying = [arg for arg in moving if not arg.constant]
        if len(varying) == 1:
            return varying[0].sign
    if moving and all(arg.constant for arg in moving):
        return 7
    signs = [arg.sign if arg else 0 for arg in args]
    return hash((op, output, tuple(sorted(signs)) if op in _EITHER else tuple(signs)))


def dims(term: Term) -> tuple[int, ...] | None:
    """The shape of a constant leaf, quantized as the model runs or not."""
    while term.op == FAKE:
        term = term.first
    if term.op == CONST:
        found: tuple[int, ...] = term.payload.dims
        return found
    if term.op == QUANT:
        shape: tuple[int, ...] = term.payload.shape
        return shape
    return None


def commutes(op: str) -> bool:
    """Whether the operator takes its arguments in any order."""
    return op in _EITHER


def leaves(term: Term) -> Iterator[Term]:
    """The constants that an expression is made from, each once."""
    seen: set[int] = set()
    work = [term]
    while work:
        at = work.pop()
        if at.id in seen:
            continue
        seen.add(at.id)
        if at.op == CONST:
            yield at
        work.extend(arg for arg in at.args if arg is not None)
