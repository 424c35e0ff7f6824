"""Graphs as onnx protobuf values: walking them, ordering them, lifting constants out of their nodes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

from registry.errors import InvalidModel

if TYPE_CHECKING:
    import onnx

_HELD = {"value_float", "value_int", "value_floats", "value_ints"}


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that hang on a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and all graphs below it, the outer ones first."""
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from graphs(inner)


def order(graph: onnx.GraphProto) -> None:
    """Put the nodes in topological order, as little changed as may be; what subgraphs read counts.

    Raises InvalidModel for a graph with a cycle.
    """
    for node in graph.node:
        for inner in subgraphs(node):
            order(inner)
    maker = {name: at for at, node in enumerate(graph.node) for name in node.output if name}
    needs = [{maker[name] for name in _read(node) if name in maker} for node in graph.node]
    if all(at > max(before, default=-1) for at, before in enumerate(needs)):
        return
    sorted_nodes = [graph.node[at] for at in _sequence(needs)]
    if len(sorted_nodes) != len(graph.node):
        raise InvalidModel("the graph has a cycle", on=graph.name, hint="export the model again")
    copies = [type(node).FromString(node.SerializeToString()) for node in sorted_nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _sequence(needs: list[set[int]]) -> Iterator[int]:
    left = [len(before) for before in needs]
    users: list[list[int]] = [[] for _ in needs]
    for at, before in enumerate(needs):
        for one in before:
            users[one].append(at)
    ready = [at for at, count in enumerate(left) if not count]
    while ready:
        at = heapq.heappop(ready)
        yield at
        for user in users[at]:
            left[user] -= 1
            if not left[user]:
                heapq.heappush(ready, user)


def _read(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for inner in subgraphs(node):
        yield from read(inner)


def read(graph: onnx.GraphProto) -> Iterator[str]:
    """What a subgraph reads of the graphs around it."""
    own = {name for node in graph.node for name in node.output}
    own |= {one.name for one in (*graph.input, *graph.initializer)}
    for node in graph.node:
        yield from (name for name in _read(node) if name not in own)
    yield from (one.name for one in graph.output if one.name not in own)


def lift_constants(graph: onnx.GraphProto) -> None:
    """Turn Constant nodes into initializers, in subgraphs too: the quantizers look for weights only there."""
    import numpy as np
    from onnx import helper, numpy_helper

    for inner in list(graphs(graph)):
        lifted = [at for at, node in enumerate(inner.node) if _lifts(node)]
        for at in lifted:
            tensor, held = inner.initializer.add(), inner.node[at].attribute[0]
            if held.name == "value":
                tensor.CopyFrom(held.t)
            else:
                kind = np.float32 if "float" in held.name else np.int64
                tensor.CopyFrom(numpy_helper.from_array(np.array(helper.get_attribute_value(held), kind)))
            tensor.name = inner.node[at].output[0]
        for at in reversed(lifted):
            del inner.node[at]


def _lifts(node: onnx.NodeProto) -> bool:
    if node.op_type != "Constant" or node.domain or len(node.attribute) != 1 or len(node.output) != 1:
        return False
    held = node.attribute[0]
    return held.name in _HELD or (held.name == "value" and held.HasField("t"))


def name_nodes(graph: onnx.GraphProto) -> None:
    """Give each node without a name, or with another's, one of its own: exclusion goes by name."""
    seen = {node.name for inner in graphs(graph) for node in inner.node}
    used: set[str] = set()
    for inner in graphs(graph):
        for at, node in enumerate(inner.node):
            if not node.name or node.name in used:
                base = node.name or f"{node.op_type}_{at}"
                numbered = (f"{base}_{number}" for number in range(1, len(seen) + 2))
                node.name = next(name for name in (base, *numbered) if name not in seen)
                seen.add(node.name)
            used.add(node.name)


def tidy(graph: onnx.GraphProto) -> None:
    """Drop what a quantizer left: initializers that nobody reads, and shapes of values now gone."""
    for inner in graphs(graph):
        read = {name for below in graphs(inner) for node in below.node for name in node.input}
        read |= {value.name for below in graphs(inner) for value in below.output}
        doomed = [at for at, tensor in enumerate(inner.initializer) if tensor.name not in read]
        for at in reversed(doomed):
            del inner.initializer[at]
        made = {name for node in inner.node for name in node.output}
        known = [value for value in inner.value_info if value.name in made]
        copies = [type(value).FromString(value.SerializeToString()) for value in known]
        del inner.value_info[:]
        inner.value_info.extend(copies)
