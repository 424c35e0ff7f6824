"""Constants that whoever runs a model can replace: initializers that are inputs of the graph as well.

From IR version 4 on such an initializer is a default only (onnx.proto, GraphProto ``initializer``); before,
every one had to be listed so and counts as a constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from registry.errors import InvalidModel
from registry.onnx.ir import Tensor
from registry.onnx.lineage.attributes import sha256
from registry.onnx.lineage.leaves import FloatLeaf, Mismatch, Pair
from registry.onnx.loaded import Loaded

_DEFAULTS: Final = 4  # the IR version from which on


def overridable(loaded: Loaded) -> dict[str, Tensor]:
    """The main graph's initializers that are inputs too, by name."""
    if loaded.model.ir_version < _DEFAULTS:
        return {}
    graph = loaded.model.graph
    inputs = {value.name for value in graph.inputs}
    sparse = (one.values for one in graph.sparse_initializers)
    return {one.name: one for one in (*graph.initializers, *sparse) if one.name in inputs}


def opened(child: Loaded, parent: Loaded, pairs: Iterable[Pair]) -> Iterator[Mismatch]:
    """Those of the child that are none in the parent."""
    ours, theirs = overridable(child), overridable(parent)
    if not ours:
        return
    known = {
        pair.child.name
        for pair in pairs
        if isinstance(pair.child, FloatLeaf) and not pair.child.scope and pair.parent.name in theirs
    }
    contents = {_content(parent, one) for one in theirs.values()}
    for name, tensor in ours.items():
        if name not in known and _content(child, tensor) not in contents:
            yield Mismatch(name, "input", "a constant that whoever runs the model can replace")


def _content(loaded: Loaded, tensor: Tensor) -> tuple[object, ...]:
    try:
        return tensor.data_type, tensor.dims, sha256(loaded.contents.raw(tensor))
    except InvalidModel:  # strings: like no other
        return (tensor.span, loaded.path)
