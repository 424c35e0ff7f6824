"""What the child is given of a large model: the same to load, without the weights that loading does not need.

In a file beside the model they become holes. Inside it, they are taken out and point to a file of zeros:
ONNX Runtime copies what lies unaligned in a protobuf, so holes there would cost twice the model's size.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from posixpath import basename, dirname, join
from typing import Final

from registry.errors import InvalidModel, UnsafePath
from registry.onnx.child.hollow import elsewhere
from registry.onnx.child.spared import Spans, spared
from registry.onnx.ir import Tensor
from registry.onnx.loaded import Loaded, load
from registry.onnx.splice import splice
from registry.onnx.wire import Buffer, Span, Wire

WHOLE: Final = 4 << 20  # bytes: a model of less is handed over as it is
_REWRITTEN: Final = 64 << 20  # bytes: what may be left of a file that is written anew, in memory

Files = Mapping[str, Buffer]


def lean(files: Files, path: str) -> tuple[Files, Spans]:
    """The files to hand over for the model at ``path``, and the holes in them.

    A model that cannot be read without trouble is handed over as it is.
    """
    if sum(memoryview(data).nbytes for data in files.values()) < WHOLE:
        return files, {}
    try:
        loaded = load(files, path)
        holes = spared(loaded.model, path, {name: len(view) for name, view in loaded.views.items()})
    except (InvalidModel, UnsafePath):
        return files, {}
    inside = [one for one in loaded.model.graph.initializers if one.raw in set(holes.get(path, ()))]
    if not inside or len(loaded.views[path]) - _size(inside) > _REWRITTEN:
        return files, holes
    return _without(loaded, inside, holes)


def _without(loaded: Loaded, inside: list[Tensor], holes: Spans) -> tuple[Files, Spans]:
    zeros = _unused(loaded)
    most = max(one.raw.length for one in inside if one.raw)
    edits = {one.span.offset: elsewhere(one, basename(zeros), one.raw.length) for one in inside if one.raw}
    model = splice(Wire(loaded.views[loaded.path]), edits)
    left = {name: spans for name, spans in holes.items() if name != loaded.path}
    nothing = mmap.mmap(-1, most)  # no page of it is ever touched
    files: dict[str, Buffer] = {**loaded.views, loaded.path: model, zeros: nothing}
    return files, {**left, zeros: [Span(0, most)]}


def _unused(loaded: Loaded) -> str:
    """A file name beside the model that nothing has yet."""
    name = join(dirname(loaded.path), "zeros")
    while name in loaded.views:
        name += "-"
    return name


def _size(tensors: list[Tensor]) -> int:
    return sum(one.raw.length for one in tensors if one.raw)
