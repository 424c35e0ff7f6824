"""External data: the files that hold a model's weights beside it (ONNX "External Data").

A location is a path relative to the model file's directory. It is judged here by its text alone,
against the version's own list of files; links in a file system are the business of whoever reads one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import dirname, join

from registry.errors import InvalidModel, UnsafePath
from registry.onnx import elements
from registry.onnx.ir import ExternalEntry, Model, Tensor

_DRIVE = re.compile(r"[A-Za-z]:")
_MEMORY = "*/_ORT_MEM_ADDR_/*"  # ONNX Runtime's own mark: the offset is then an address in memory


def resolve(location: str, path: str, *, on: str | None = None) -> str:
    """The version-relative POSIX path that ``location`` names for the model at ``path``.

    Raises UnsafePath for what is empty, absolute or climbs out of the model's directory.
    """
    parts = [part for part in location.split("/") if part not in ("", ".")]
    if not parts:
        raise _unsafe("external data without a file name", on)
    if location.startswith("/") or "\\" in location or _DRIVE.match(location):
        raise _unsafe(f"external data at an absolute or non-POSIX path: {location!r}", on)
    if ".." in parts:
        raise _unsafe(f"external data outside the model's directory: {location!r}", on)
    if "\0" in location or location == _MEMORY or location.endswith("/"):
        raise _unsafe(f"external data at an impossible path: {location!r}", on)
    return join(dirname(path), *parts)


def external_files(model: Model, path: str) -> tuple[str, ...]:
    """The external files of the model at ``path``: version-relative POSIX paths, each once, sorted.

    Raises UnsafePath.
    """
    found = {resolve(held.location, path, on=path) for held in map(_entry, model.tensors()) if held}
    return tuple(sorted(found))


def check_external(model: Model, path: str, sizes: Mapping[str, int]) -> None:
    """Every external range lies inside its file and is as long as the tensor's shape and type say.

    ``sizes`` gives the bytes of each file of the version by its path. Raises InvalidModel, UnsafePath.
    """
    for tensor in model.tensors():
        if tensor.external is not None:
            locate(tensor, tensor.external, path, sizes)


def locate(tensor: Tensor, entry: ExternalEntry, path: str, sizes: Mapping[str, int]) -> tuple[str, int, int]:
    """File, offset and length (bytes) of an external tensor of the model at ``path``.

    Raises InvalidModel where the range is not in the file or not the tensor's, UnsafePath.
    """
    file = resolve(entry.location, path, on=tensor.name)
    if file not in sizes:
        raise InvalidModel(
            f"external data {file!r} is missing",
            on=path,
            hint="push the directory that holds the model and all of its data files",
        )
    offset, length = entry.offset or 0, _length(tensor, entry)
    if offset + length > sizes[file]:
        raise InvalidModel(
            f"external data ends behind its file: {offset} + {length} bytes of {sizes[file]} in {file!r}",
            on=tensor.name,
            hint="the data file is truncated or belongs to another model: export both again",
        )
    return file, offset, length


def _length(tensor: Tensor, entry: ExternalEntry) -> int:
    expected = elements.size(tensor.data_type, tensor.elements)
    if expected is None:
        what = elements.name(tensor.data_type)
        raise InvalidModel(f"external data of type {what}", on=tensor.name, hint="export the model again")
    if entry.length is not None and entry.length != expected:
        raise InvalidModel(
            f"external data of {entry.length} bytes where shape and type need {expected}",
            on=tensor.name,
            hint="export the model again",
        )
    return expected


def _entry(tensor: Tensor) -> ExternalEntry | None:
    return tensor.external


def _unsafe(message: str, on: str | None) -> UnsafePath:
    return UnsafePath(message, on=on, hint="save the model with its data files beside it and plain names")
