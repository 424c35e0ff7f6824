"""A model that also answers with values inside its graph: the same protobuf with outputs added, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from registry.onnx.graph import read_model
from registry.onnx.skeleton import build_skeleton
from registry.onnx.splice import key, length_delimited
from registry.onnx.wire import BYTES, Buffer, Wire, to_varint

TAPPED = "tapped.onnx"
_GRAPH = 7  # field of ModelProto
_OUTPUT = 12  # field of GraphProto
_NAME = 1  # field of ValueInfoProto; the runtime infers the type


def tap(files: Mapping[str, Buffer], path: str, names: Iterable[str]) -> dict[str, Buffer]:
    """The files of a model at ``TAPPED`` that is the one at ``path``, with these values of its main graph as
    further outputs; the weights stay where they are. Raises InvalidModel, UnsafePath.
    """
    views = {name: memoryview(data).cast("B") for name, data in files.items()}
    model = read_model(views[path], name=path)
    skeleton = build_skeleton(model, path, views)
    had = {output.name for output in model.graph.outputs}
    added = (length_delimited(_NAME, name.encode()) for name in dict.fromkeys(names) if name not in had)
    told = b"".join(length_delimited(_OUTPUT, value) for value in added)
    # The skeleton calls its buffers by names of its own, which are paths beside TAPPED.
    held = {name: files[file] for file, name in skeleton.names.items()}
    return {TAPPED: _with(skeleton.model, told), **held}


def _with(model: bytes, told: bytes) -> bytes:
    """The ModelProto with the fields ``told`` at the end of its graph."""
    before = 0
    with memoryview(model) as view:
        for field in Wire(view).fields(0, len(model)):
            if field.number == _GRAPH:
                head = key(_GRAPH, BYTES) + to_varint(field.end - field.start + len(told))
                graph = model[field.start : field.end]
                return b"".join((model[:before], head, graph, told, model[field.end :]))
            before = field.end
    raise AssertionError("a model that was read has a graph")
