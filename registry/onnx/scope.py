"""Names and what they stand for, in a graph, its subgraphs and the functions it calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.ir import Attribute, Function, Graph, Node, Tensor, Value
from registry.onnx.wire import Span

# Operators that move elements without changing them: what comes out of a constant is still that constant.
_MOVING = frozenset(
    (
        "Identity",
        "Reshape",
        "Transpose",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Slice",
        "Gather",
        "Expand",
        "Tile",
    )
)
_HOPS = 32  # operators followed back
_NOTHING = Span(0, 0)


class Home(NamedTuple):
    """A value where it is defined, behind the names that subgraphs and functions know it by."""

    scope: Scope
    name: str


class Scope:
    """The values of one graph or of one call of a function.

    ``outer`` is the graph around a subgraph, whose names are visible in it; ``bound`` gives a function's
    inputs the values of its call, and ``given`` its attributes.
    """

    def __init__(
        self,
        label: str,
        nodes: Sequence[Node],
        constants: Iterable[Tensor] = (),
        inputs: Iterable[Value] = (),
        outer: Scope | None = None,
        bound: Mapping[str, Home | None] | None = None,
        given: Mapping[str, Attribute] | None = None,
    ) -> None:
        self.label = label
        self.nodes = nodes
        self.outer = outer
        self.given: Mapping[str, Attribute] = given or (outer.given if outer else {})
        self._bound = bound or {}
        self._types = {value.name: value.elem_type for value in inputs}
        self._constants: dict[str, Tensor] = {}
        self._producers: dict[str, Node] = {}
        self._users: dict[str, list[Node]] | None = None
        for tensor in constants:
            self._define(tensor.name, tensor)
        for node in nodes:
            held = constant_of(node, self.given)
            for name in filter(None, node.outputs):
                self._define(name, held or node)

    @classmethod
    def of_graph(cls, graph: Graph, label: str = "", outer: Scope | None = None) -> Scope:
        """Raises InvalidModel where two values share a name: readers would differ on which one counts."""
        sparse = (tensor.values for tensor in graph.sparse_initializers)
        return cls(label, graph.nodes, (*graph.initializers, *sparse), graph.inputs, outer)

    @classmethod
    def of_call(cls, function: Function, node: Node, caller: Scope) -> Scope:
        """The function's body with the inputs and attributes of the call. Raises InvalidModel."""
        actual = [caller.home(name) for name in node.inputs]
        bound = {name: actual[at] if at < len(actual) else None for at, name in enumerate(function.inputs)}
        passed = {name: caller.attribute(node, name) for name in node.attributes}
        given = {**function.defaults, **{name: value for name, value in passed.items() if value}}
        return cls(caller.under(node), function.nodes, bound=bound, given=given)

    def under(self, node: Node) -> str:
        """The label of a scope that hangs on ``node``."""
        return f"{self.label}/{node.name or node.op_type}" if self.label else node.name or node.op_type

    def _define(self, name: str, value: Tensor | Node) -> None:
        if name in self._constants or name in self._producers:
            raise InvalidModel(f"two values are called {name!r}", hint="export the model again")
        if isinstance(value, Tensor):
            self._constants[name] = value
        else:
            self._producers[name] = value

    def home(self, name: str) -> Home | None:
        """Where the value is defined; None for an absent optional input."""
        scope: Scope | None = self
        while scope is not None and name:
            if name in scope._bound:
                return scope._bound[name]
            if (
                name in scope._constants
                or name in scope._producers
                or name in scope._types
                or not scope.outer
            ):
                return Home(scope, name)
            scope = scope.outer
        return None

    def _defines(self, name: str) -> bool:
        return name in self._constants or name in self._producers or name in self._types

    def constant(self, home: Home | None) -> Tensor | None:
        return home.scope._constants.get(home.name) if home else None

    def producer(self, home: Home | None) -> Node | None:
        return home.scope._producers.get(home.name) if home else None

    def input_type(self, home: Home) -> int:
        """The declared element type of a graph input, 0 where it is none."""
        return home.scope._types.get(home.name, 0)

    def source(self, home: Home | None) -> Home | None:
        """The value that ``home`` moves around: followed back through Reshape, Gather and their like."""
        for _ in range(_HOPS):
            node = self.producer(home)
            if home is None or node is None or node.domain or node.op_type not in _MOVING or not node.inputs:
                break
            home = home.scope.home(node.inputs[0])
        return home

    def users(self, name: str) -> list[Node]:
        """The nodes of this very scope that take the value."""
        if self._users is None:
            self._users = {}
            for node in self.nodes:
                for taken in node.inputs:
                    self._users.setdefault(taken, []).append(node)
        return self._users.get(name, [])

    def attribute(self, node: Node, name: str) -> Attribute | None:
        """The node's attribute; one that a function passes on is the caller's."""
        found = node.attributes.get(name)
        return self.given.get(found.ref) if found is not None and found.ref else found

    def integer(self, node: Node, name: str, default: int) -> int:
        """An integer attribute. Raises InvalidModel for one beyond the range of int32."""
        found = self.attribute(node, name)
        value = default if found is None or found.i is None else found.i
        if abs(value) > 0x7FFFFFFF:
            raise InvalidModel(f"attribute {name} is {value}", on=node.name, hint="export the model again")
        return value


def constant_of(node: Node, given: Mapping[str, Attribute]) -> Tensor | None:
    """What a Constant node holds, as a tensor: integers and strings without their values."""
    if node.op_type != "Constant" or node.domain or not node.outputs:
        return None
    for kind, written in node.attributes.items():
        attribute = given.get(written.ref) if written.ref else written
        if attribute is not None and (found := _held(kind, attribute)) is not None:
            return found._replace(name=node.outputs[0])
    return None


def _held(kind: str, attribute: Attribute) -> Tensor | None:
    if attribute.t is not None:
        return attribute.t
    if attribute.sparse:
        return attribute.sparse[0].values
    if kind == "value_float" and attribute.f is not None:
        return Tensor("", elements.FLOAT, (), attribute.f, attribute.f, (), None)
    if kind == "value_floats":
        count = sum(span.length for span in attribute.floats) // 4
        return Tensor(
            "", elements.FLOAT, (count,), (*attribute.floats, _NOTHING)[0], None, attribute.floats, None
        )
    if kind in ("value_int", "value_ints", "value_string", "value_strings"):
        number = elements.INT64 if kind.startswith("value_int") else elements.STRING
        return Tensor("", number, (), _NOTHING, None, (), None)
    return None
