"""What the rules look at: a model taken apart into places, each a graph or the body of a function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from registry.onnx.content import Contents
from registry.onnx.ir import Function, Graph, Model, Node, SparseTensor, Tensor, Value
from registry.onnx.loaded import Loaded
from registry.onnx.scan.collect import Collector, shortened
from registry.onnx.scan.wirewalk import Held, Walk
from registry.onnx.scope import constant_of


@dataclass(frozen=True, eq=False)
class Place:
    """One graph, or the body of one function: what it defines, and the place around a subgraph.

    ``label`` is "" for the main graph, else the nodes that lead to it.
    """

    label: str
    nodes: tuple[Node, ...]
    initializers: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    outer: Place | None
    function: Function | None
    values: tuple[Value, ...] = ()
    graph: Graph | None = None

    @property
    def sparse(self) -> Iterator[SparseTensor]:
        """Sparse constants: initializers, and what attributes hold."""
        if self.graph is not None:
            yield from self.graph.sparse_initializers
        for node in self.nodes:
            for attribute in node.attributes.values():
                yield from attribute.sparse

    @cached_property
    def constants(self) -> Mapping[str, Tensor]:
        """Constants by name: initializers, and what Constant nodes hold."""
        found = {tensor.name: tensor for tensor in self.initializers}
        for node in self.nodes:
            if node.op_type == "Constant" and (held := constant_of(node, {})) is not None:
                found[held.name] = held
        return found

    @cached_property
    def producers(self) -> Mapping[str, Node]:
        """The node behind each name that a node defines."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    @cached_property
    def defined(self) -> frozenset[str]:
        """Every name that is defined here."""
        return frozenset((*self.inputs, *(one.name for one in self.initializers), *self.producers))

    def at(self, node: Node) -> str:
        """How a report names a node of this place."""
        own = node.name or (f"{node.op_type} ({node.outputs[0]})" if node.outputs else node.op_type)
        return f"{self.label}/{own}" if self.label else own

    def on(self, name: str) -> str:
        """How a report names a value of this place."""
        return f"{self.label}/{name}" if self.label else name

    def constant(self, name: str) -> Tensor | None:
        """The constant that a name stands for, in this place or around it, behind Identity too."""
        place: Place | None = self
        for _ in range(64):
            while place is not None and name not in place.defined:
                place = place.outer
            if place is None or not name:
                return None
            if name in place.constants:
                return place.constants[name]
            made = place.producers.get(name)
            if made is None or made.domain or made.op_type != "Identity" or not made.inputs:
                return None
            name = made.inputs[0]
        return None


class Range(NamedTuple):
    """Bytes of an external file that a tensor uses."""

    start: int
    end: int
    name: str


@dataclass(frozen=True, eq=False)
class Subject:
    """The file under scan. ``parent`` is the model it says it was made from, where there is one."""

    path: str
    views: Mapping[str, memoryview]
    model: Model
    contents: Contents
    places: tuple[Place, ...]
    ranges: dict[str, list[Range]]  # of external files that tensors use; filled by the rules for them
    fields: Mapping[int, int]  # of each tensor, as bits, by where its message starts
    attributes: Sequence[Held]
    described: Sequence[tuple[str, str]]  # message and name: values, symbols and domains that it tells of
    parameters: Mapping[int, frozenset[str]]  # the attributes of a function, by its identity
    found: Collector
    parent: Loaded | None

    @classmethod
    def of(
        cls,
        path: str,
        views: Mapping[str, memoryview],
        model: Model,
        walk: Walk,
        found: Collector,
        parent: Loaded | None,
    ) -> Subject:
        """``walk`` went over the very file that ``model`` was read from."""
        listed = zip(model.functions, walk.parameters, strict=True)
        parameters = {id(one): frozenset((*names, *one.defaults)) for one, names in listed}
        contents, places = Contents(path, views), places_of(model)
        return cls(
            path=path,
            views=views,
            model=model,
            contents=contents,
            places=places,
            ranges={},
            fields=walk.tensors,
            attributes=walk.attributes,
            described=walk.described,
            parameters=parameters,
            found=found,
            parent=parent,
        )

    @cached_property
    def functions(self) -> Mapping[tuple[str, str, str], Function]:
        """The functions that the model defines, by domain, name and overload."""
        return {(one.domain, one.name, one.overload): one for one in self.model.functions}

    @cached_property
    def captured(self) -> Mapping[int, frozenset[str]]:
        """The names that each subgraph takes from the places around it, by the place's identity."""
        found: dict[int, frozenset[str]] = {}
        for place in reversed(self.places):  # inner ones first: each is looked at once
            below = (inner for node in place.nodes for inner in self.inner.get(id(node), ()))
            found[id(place)] = _captured(place, (name for one in below for name in found[id(one)]))
        return found

    @cached_property
    def inner(self) -> Mapping[int, tuple[Place, ...]]:
        """The places directly below a node, by its identity."""
        found: dict[int, tuple[Place, ...]] = {}
        by_graph = {id(place.graph): place for place in self.places}
        for place in self.places:
            for node in place.nodes:
                below = tuple(by_graph[id(graph)] for _, graph in node.subgraphs)
                if below:
                    found[id(node)] = below
        return found


def _captured(place: Place, inner: Iterable[str]) -> frozenset[str]:
    """The names that a place takes from those around it; ``inner``: what its subgraphs take."""
    taken = (name for node in place.nodes for name in node.inputs)
    return frozenset(filter(None, (*taken, *inner, *place.outputs))) - place.defined


def places_of(model: Model) -> tuple[Place, ...]:
    """Every graph and function body of the model, each once, outer ones first."""
    found = list(_graph(model.graph, "", None))
    for function in model.functions:
        label = f"{function.domain}.{function.name}"
        place = Place(label, function.nodes, (), function.inputs, function.outputs, None, function)
        found.append(place)
        found.extend(_below(place))
    return tuple(found)


def _graph(graph: Graph, label: str, outer: Place | None) -> Iterator[Place]:
    sparse = (one.values for one in graph.sparse_initializers)
    place = Place(
        label,
        graph.nodes,
        (*graph.initializers, *sparse),
        tuple(value.name for value in graph.inputs),
        tuple(value.name for value in graph.outputs),
        outer,
        outer.function if outer else None,
        graph.inputs,
        graph,
    )
    yield place
    yield from _below(place)


def _below(place: Place) -> Iterator[Place]:
    for node in place.nodes:
        for name, graph in node.subgraphs:
            yield from _graph(graph, shortened(f"{place.at(node)}.{name}"), place)
