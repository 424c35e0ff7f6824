"""An ONNX file read into values, together with the buffers that its numbers lie in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from registry.errors import InvalidModel
from registry.onnx.content import Contents
from registry.onnx.external import check_external
from registry.onnx.graph import read_model
from registry.onnx.ir import Model
from registry.onnx.wire import Buffer


class Loaded(NamedTuple):
    """``views`` holds the version's files by path; ``path`` is the ONNX file that ``model`` was read from."""

    path: str
    views: Mapping[str, memoryview]
    model: Model
    contents: Contents

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.views.values()))


def load(files: Mapping[str, Buffer], path: str) -> Loaded:
    """The ONNX file at ``path`` of ``files`` (version-relative POSIX paths); external data is checked.

    Raises InvalidModel, UnsafePath.
    """
    if path not in files:
        raise InvalidModel("the model file is missing", on=path, hint="name one of the version's .onnx files")
    views = {name: memoryview(data).cast("B") for name, data in files.items()}
    model = read_model(views[path], name=path)
    check_external(model, path, {name: len(view) for name, view in views.items()})
    return Loaded(path, views, model, Contents(path, views))
