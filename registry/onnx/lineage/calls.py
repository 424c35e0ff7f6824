"""One node, its arguments known: what the normal forms and liftings are made from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.onnx.lineage.attributes import completed, vetted
from registry.onnx.lineage.terms import Term, Terms
from registry.onnx.operators import qualified


class Unliftable(Exception):
    """Integers that cannot be told back into numbers: the operator stays as it is and matches nothing."""


@dataclass(frozen=True)
class Call:
    """A node of operator ``op`` as of operator set ``version``; ``attrs`` as the file writes them."""

    terms: Terms
    op: str
    domain: str
    version: int
    args: tuple[Term | None, ...]
    attrs: Mapping[str, Any]
    outputs: int
    opset: int  # of ai.onnx

    def __post_init__(self) -> None:
        object.__setattr__(self, "attrs", vetted(self.op, self.domain, self.attrs))

    @property
    def operator(self) -> str:
        """Its name as people write it."""
        return qualified((self.domain, self.op))

    def arg(self, position: int) -> Term | None:
        """The argument there; None where it is absent."""
        return self.args[position] if position < len(self.args) else None

    @property
    def odd(self) -> bool:
        """Whether it has attributes that the operator does not know."""
        return any(name.startswith("?") for name in self.attrs)

    def only(self, *names: str) -> None:
        """Refuse attributes other than these. Raises Unliftable."""
        if not self.attrs.keys() <= set(names):
            raise Unliftable("unknown attributes")

    def full(self) -> dict[str, Any]:
        """The attributes, defaults settled."""
        return completed(self.op, self.domain, self.version, self.attrs)

    def plain(self, op: str, args: tuple[Term | None, ...], attrs: Mapping[str, Any]) -> Call:
        """The call of an ai.onnx operator that this node stands for."""
        return Call(self.terms, op, "", self.opset, args, attrs, self.outputs, self.opset)

    def same(self, attrs: Mapping[str, Any], *args: Term | None) -> list[Term]:
        """This operator with these arguments, once for each output."""
        op = f"{self.domain}.{self.op}" if self.domain else self.op
        return [self.terms.make(op, args, dict(attrs), output) for output in range(max(1, self.outputs))]

    def one(self, op: str, *args: Term | None, **attrs: Hashable) -> Term:
        """A term of one output."""
        return self.terms.make(op, args, attrs)
