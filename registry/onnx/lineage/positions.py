"""Where a value stands in its graph, whatever it is called."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

from registry.errors import InvalidModel
from registry.onnx.ir import Graph, Node, SparseTensor, Tensor

Name: TypeAlias = str


def plain(value: object) -> bytes:
    """Plain values (numbers, strings, bytes, None, tuples and lists of them) as bytes, one way only."""
    return repr(value).encode("utf-8", "surrogatepass")


class Writer(Protocol):
    """Writes down what stands in a place."""

    def node(self, node: Node, inputs: Sequence[bytes], names: Names) -> bytes: ...

    def constant(self, tensor: Tensor) -> bytes: ...

    def sparse(self, one: SparseTensor) -> bytes: ...

    def held(self, node: Node) -> bytes | None: ...


class Names:
    """The places of values in one graph; a subgraph asks the graph around it."""

    def __init__(self, outer: Names | None) -> None:
        self.outer = outer
        self.places: dict[Name, bytes] = {}

    def find(self, name: Name) -> bytes | None:
        names: Names | None = self
        depth = 0
        while names is not None:
            if name in names.places:
                return struct.pack("<I", depth) + names.places[name]
            names, depth = names.outer, depth + 1
        return None


class Body:
    """The nodes and constants of one graph on their way into places."""

    def __init__(
        self,
        writer: Writer,
        nodes: Sequence[Node],
        constants: Iterable[Tensor],
        sparse: Iterable[SparseTensor],
        names: Names,
    ) -> None:
        self._writer = writer
        self._names = names
        self._constants = {tensor.name: writer.constant(tensor) for tensor in constants}
        self._constants |= {one.values.name: writer.sparse(one) for one in sparse}
        self._nodes: list[Node] = []
        for node in nodes:
            held = writer.held(node)
            if held is None:
                self._nodes.append(node)
            else:
                self._constants[node.outputs[0]] = held
        self._makers = {name: at for at, node in enumerate(self._nodes) for name in node.outputs if name}
        self._done: set[int] = set()
        self._dead = False

    def reached(self, outputs: Sequence[Name]) -> list[bytes]:
        """Give every value that the outputs need its place; the nodes as written, in that order."""
        written: list[bytes] = []
        for name in outputs:
            self._reach(name, written)
        return written

    def _reach(self, name: Name, written: list[bytes]) -> None:
        """Depth first, without recursion: graphs may be deeper than Python's stack."""
        stack: list[tuple[Name, bool]] = [(name, False)]
        open_nodes: set[int] = set()
        while stack:
            name, ready = stack.pop()
            if not name or name in self._names.places:
                continue
            maker = self._makers.get(name)
            if maker is None:
                self._place_constant(name, written)
            elif ready:
                self._place_node(maker, written)
                open_nodes.discard(maker)
            else:
                if maker in open_nodes:
                    raise InvalidModel("the graph has a cycle", on=name, hint="export the model again")
                open_nodes.add(maker)
                stack.append((name, True))
                stack.extend((one, False) for one in reversed(needed(self._nodes[maker])))

    def _place_constant(self, name: Name, written: list[bytes]) -> None:
        held = self._constants.pop(name, None)
        if held is not None:
            self._names.places[name] = self._place(held, written, 0)
            written.append(held)

    def _place_node(self, maker: int, written: list[bytes]) -> None:
        if maker in self._done:
            return
        self._done.add(maker)
        made = self._written(self._nodes[maker])
        for at, output in enumerate(self._nodes[maker].outputs):
            if output:
                self._names.places[output] = self._place(made, written, at)
        written.append(made)

    def _place(self, made: bytes, written: list[bytes], at: int) -> bytes:
        """Live values stand by position; dead ones, which have none, by what they are."""
        return plain(("dead", made, at) if self._dead else ("live", len(written), at))

    def _written(self, node: Node) -> bytes:
        inputs = [self._names.find(name) or plain(("unknown", name)) if name else b"" for name in node.inputs]
        return self._writer.node(node, inputs, self._names)

    def left_over(self) -> list[bytes]:
        """What no output needs: constants, and nodes by what they are computed from."""
        self._dead = True
        found: list[bytes] = []
        for node in self._nodes:
            for name in filter(None, node.outputs):
                self._reach(name, found)
        idle = (node for at, node in enumerate(self._nodes) if at not in self._done)
        found.extend(self._written(node) for node in idle)
        return [*found, *self._constants.values()]


def needed(node: Node) -> list[Name]:
    """The values a node takes, those that its subgraphs take from around them included, in a fixed order."""
    found = [name for name in node.inputs if name]
    for key in sorted(node.attributes):
        attribute = node.attributes[key]
        for graph in (attribute.g, *attribute.graphs):
            if graph is not None:
                found.extend(_free(graph))
    return found


def _free(graph: Graph) -> list[Name]:
    """Names that a subgraph uses and does not define: in the order of its outputs, then the rest."""
    makers = {name: node for node in graph.nodes for name in node.outputs if name}
    own = {value.name for value in graph.inputs} | {tensor.name for tensor in graph.initializers}
    own |= {one.values.name for one in graph.sparse_initializers}
    found: dict[Name, None] = {}
    seen: set[Name] = set()
    starts = [value.name for value in graph.outputs] + [name for node in graph.nodes for name in node.outputs]
    for start in starts:
        stack = [start]
        while stack:
            name = stack.pop()
            if not name or name in seen:
                continue
            seen.add(name)
            if name in makers:
                stack.extend(reversed(needed(makers[name])))
            elif name not in own:
                found[name] = None
    return list(found)
