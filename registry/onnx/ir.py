"""What the reader finds in an ONNX file, as plain values (names as in onnx.proto).

Bulk data is never copied: a ``Span`` says where it lies in the buffer the model was read from.
No value keeps that buffer alive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from registry.onnx import elements
from registry.onnx.wire import Span


class ExternalEntry(NamedTuple):
    """Where a tensor's data lies outside the model file (onnx.proto, ``external_data``).

    ``location`` is as written, not validated; ``offset`` and ``length`` are in bytes, None if absent.
    """

    location: str
    offset: int | None
    length: int | None


class Tensor(NamedTuple):
    """A TensorProto. ``span`` is the whole message; ``typed`` the pieces of a ``*_data`` field
    in order (packed bytes: concatenated they are the field's content, whatever the packing)."""

    name: str
    data_type: int
    dims: tuple[int, ...]
    span: Span
    raw: Span | None
    typed: tuple[Span, ...]
    external: ExternalEntry | None

    @property
    def elements(self) -> int:
        """Number of elements. Raises InvalidModel on an impossible shape."""
        return elements.count(self.dims, self.name)


class SparseTensor(NamedTuple):
    """A SparseTensorProto: the values that are not zero, and where they are in ``dims``."""

    values: Tensor
    indices: Tensor | None
    dims: tuple[int, ...]


class Attribute(NamedTuple):
    """An AttributeProto. Lists of numbers and strings stay where they are, as spans."""

    name: str
    type: int
    ref: str  # name of the enclosing function's attribute that this one stands for, or ""
    i: int | None
    f: Span | None
    s: Span | None
    t: Tensor | None
    g: Graph | None
    floats: tuple[Span, ...]
    ints: tuple[Span, ...]
    strings: tuple[Span, ...]
    tensors: tuple[Tensor, ...]
    graphs: tuple[Graph, ...]
    sparse: tuple[SparseTensor, ...]


class Node(NamedTuple):
    """A NodeProto; an empty input or output name stands for an absent optional one."""

    op_type: str
    domain: str  # "" for ai.onnx, whichever way the file writes it
    overload: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    @property
    def subgraphs(self) -> Iterator[tuple[str, Graph]]:
        """Each subgraph with the name of the attribute that holds it."""
        for name, attribute in self.attributes.items():
            if attribute.g is not None:
                yield name, attribute.g
            for graph in attribute.graphs:
                yield name, graph


class Value(NamedTuple):
    """A graph input or output. ``shape`` holds an int, a symbol's name, or None for each
    dimension; it is None where the rank is unknown. ``elem_type`` is 0 for what is no tensor."""

    name: str
    elem_type: int
    shape: tuple[int | str | None, ...] | None


class Graph(NamedTuple):
    """A GraphProto: a main graph, or one below a node's attribute."""

    name: str
    nodes: tuple[Node, ...]
    initializers: tuple[Tensor, ...]
    sparse_initializers: tuple[SparseTensor, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


class Function(NamedTuple):
    """A FunctionProto; ``defaults`` are the attributes that carry a default value."""

    domain: str
    name: str
    overload: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    defaults: Mapping[str, Attribute]


class Model(NamedTuple):
    """A ModelProto. ``opsets`` pairs domain ("" for ai.onnx) and version, in file order."""

    ir_version: int
    producer: str
    opsets: tuple[tuple[str, int], ...]
    graph: Graph
    functions: tuple[Function, ...]

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor of the file: initializers and attributes, in subgraphs and functions too."""
        yield from _graph_tensors(self.graph)
        for function in self.functions:
            for attribute in function.defaults.values():
                yield from _attribute_tensors(attribute)
            for node in function.nodes:
                yield from _node_tensors(node)


def _graph_tensors(graph: Graph) -> Iterator[Tensor]:
    yield from graph.initializers
    for sparse in graph.sparse_initializers:
        yield from _sparse_tensors(sparse)
    for node in graph.nodes:
        yield from _node_tensors(node)


def _node_tensors(node: Node) -> Iterator[Tensor]:
    for attribute in node.attributes.values():
        yield from _attribute_tensors(attribute)


def _attribute_tensors(attribute: Attribute) -> Iterator[Tensor]:
    if attribute.t is not None:
        yield attribute.t
    yield from attribute.tensors
    for sparse in attribute.sparse:
        yield from _sparse_tensors(sparse)
    for graph in (attribute.g, *attribute.graphs):
        if graph is not None:
            yield from _graph_tensors(graph)


def _sparse_tensors(sparse: SparseTensor) -> Iterator[Tensor]:
    yield sparse.values
    if sparse.indices is not None:
        yield sparse.indices
