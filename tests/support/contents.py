"""Fingerprints of models in memory, and what one edits to change them."""

from __future__ import annotations

import onnx

from registry.onnx.lineage.content import fingerprint
from registry.onnx.loaded import load


def of(model: onnx.ModelProto) -> bytes:
    return fingerprint(load({"m.onnx": model.SerializeToString()}, "m.onnx"))


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    return made


def every_graph(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """The graph, and all below its nodes."""
    inner = [one.g for node in graph.node for one in node.attribute if one.type == onnx.AttributeProto.GRAPH]
    return [graph, *(below for one in inner for below in every_graph(one))]
