"""Names while a model is read into terms, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from registry.errors import InvalidModel
from registry.onnx.ir import Attribute
from registry.onnx.lineage.terms import Constant, Term, Terms
from registry.onnx.loaded import Loaded

_DEPTH = 64  # graphs and functions inside one another


@dataclass(frozen=True)
class Spare:
    """What no output depends on: ``term`` of a dead node."""

    name: str
    operator: str
    term: Term | None


@dataclass
class Frame:
    """The names of one graph, inside those of the graph around it; ``given`` a function call's attributes."""

    label: str
    outer: Frame | None = None
    given: Mapping[str, Attribute] = field(default_factory=dict)
    depth: int = 0
    names: dict[str, Term] = field(default_factory=dict)

    def find(self, name: str) -> Term | None:
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.outer
        return None

    def inner(self, label: str) -> Frame:
        """The frame of a subgraph."""
        if self.depth >= _DEPTH:
            raise InvalidModel("graphs or functions lie too deep in one another", on=label)
        return Frame(f"{self.label}/{label}" if self.label else label, self, self.given, self.depth + 1)


@dataclass
class Built:
    """A model as terms. ``outputs`` and ``inputs`` (name and type) by position; ``dead`` nodes and ``unused``
    constants do not take part; ``stuck`` are nodes on a cycle; ``idle`` functions are never called."""

    loaded: Loaded
    terms: Terms = field(default_factory=Terms)
    outputs: list[tuple[str, Term]] = field(default_factory=list)
    inputs: list[tuple[str, int]] = field(default_factory=list)
    dead: list[Spare] = field(default_factory=list)
    live: set[int] = field(default_factory=set)  # terms that nodes make which do take part
    unused: list[Constant] = field(default_factory=list)
    stuck: list[Spare] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    shadows: list[str] = field(default_factory=list)  # functions with the name of a runtime's own operator
    twice: list[str] = field(default_factory=list)  # names that stand for two values of one graph
