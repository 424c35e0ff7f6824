"""Calibration data: arrays by input name, and a digest that does not depend on how they were packed.

The digest is SHA-256 over this text and these bytes, in order:

- the line ``hallmark calibration v1``;
- for each file (of a directory: the ``.npz`` files sorted by name): the line ``{"arrays":N}``;
- for each of its arrays, sorted by name (as UTF-8): a line of RFC 8785 JSON, ``{"dtype":"<f4","name":"x",
  "shape":[8,3]}``, then the elements in C order, little-endian.

Each line ends with one line feed. ``dtype`` is numpy's array-protocol string ("|u1", "<i8"). So names, types,
shapes and values count; compression, timestamps, file names and the order inside an archive do not.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from registry import strictjson
from registry.errors import InvalidInput, Malformed, NotFound
from registry.onnx.quantize.npz import MAX_ARRAYS, read_npz

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = "np.ndarray[Any, Any]"

LIMIT = 4 << 30  # bytes of all arrays
MAX_FILES = 10_000
_HEADER = b"hallmark calibration v1\n"
_LINE = 1 << 16  # bytes of a line


@dataclass(frozen=True, eq=False)
class Calibration:
    """Arrays by input name, file by file; make one with ``calibration_of`` or ``load_calibration``.

    An array has the rank of the model's input, or one more: then its first axis counts samples.
    ``digest`` is the SHA-256 of the canonical form, hexadecimal.
    """

    files: tuple[Mapping[str, Array], ...] = field(repr=False)
    digest: str

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for file in self.files for array in file.values())

    def canonical(self) -> Iterator[bytes | memoryview]:
        """The canonical form, in pieces."""
        return _canonical(self.files)


def load_calibration(path: Path) -> Calibration:
    """The arrays of ``path``, an ``.npz`` file or a directory of such files, taken sorted by name.

    At most 4 GiB in 10,000 files; nothing is unpickled. Raises NotFound or InvalidInput.
    """
    left, found = LIMIT, []
    for file in _files(path):
        found.append(read_npz(file, left))
        left -= sum(array.nbytes for array in found[-1].values())
    return calibration_of(found)


def calibration_of(files: Sequence[Mapping[str, Array]]) -> Calibration:
    """Calibration data from arrays in memory, each mapping as one file. Raises InvalidInput."""
    if not files or not all(files):
        raise InvalidInput("there is no calibration data", hint="an array for each input of the model")
    plain = tuple({name: _plain(name, array) for name, array in file.items()} for file in files)
    digest = hashlib.sha256()
    try:
        for piece in _canonical(plain):
            digest.update(piece)
    except Malformed as error:
        raise InvalidInput(f"an array has an impossible name: {error.message}", on="calibration") from error
    return Calibration(plain, digest.hexdigest())


def parse_calibration(data: memoryview) -> Calibration:
    """The data that ``canonical`` wrote, as views of it. Raises Malformed."""
    if bytes(data[: len(_HEADER)]) != _HEADER:
        raise Malformed("the calibration data has no header")
    at, files = len(_HEADER), []
    while at < len(data):
        told, at = _line(data, at)
        arrays: dict[str, Array] = {}
        for _ in range(strictjson.integer(told, "arrays", low=1, high=MAX_ARRAYS)):
            told, at = _line(data, at)
            arrays[strictjson.text(told, "name")], at = _view(told, data, at)
        files.append(arrays)
    return calibration_of(files)


def _files(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            found = sorted((one for one in path.iterdir() if one.suffix == ".npz"), key=lambda one: one.name)
        else:
            found = [path]
        odd = next((one for one in found if not stat.S_ISREG(one.stat().st_mode)), None)
    except FileNotFoundError as error:
        raise NotFound("there is no such calibration data", on=str(path)) from error
    except OSError as error:
        raise InvalidInput(f"the calibration data cannot be read: {error.strerror}", on=str(path)) from error
    if odd is not None:
        raise InvalidInput("calibration data comes in regular files", on=str(odd))
    if not 0 < len(found) <= MAX_FILES:
        raise InvalidInput(f"the directory holds {len(found)} .npz files, of 1 to {MAX_FILES}", on=str(path))
    return found


def _plain(name: str, array: Array) -> Array:
    import numpy as np

    if not name or array.dtype.kind not in "biuf":
        raise InvalidInput(f"an array of {array.dtype} calibrates nothing", on=name[:100])
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)


def _canonical(files: Sequence[Mapping[str, Array]]) -> Iterator[bytes | memoryview]:
    yield _HEADER
    for file in files:
        yield strictjson.canonical({"arrays": len(file)}) + b"\n"
        for name in sorted(file, key=lambda name: name.encode("utf-8", "surrogatepass")):
            array = file[name]
            told = {"name": name, "dtype": array.dtype.str, "shape": list(array.shape)}
            yield strictjson.canonical(told) + b"\n"
            if array.size:
                yield array.reshape(-1).view("u1").data


def _line(data: memoryview, at: int) -> tuple[strictjson.Object, int]:
    line, feed, _ = bytes(data[at : at + _LINE]).partition(b"\n")
    if not feed:
        raise Malformed("the calibration data has no such line", on=str(at))
    return strictjson.parse_object(line, limit=_LINE), at + len(line) + 1


def _view(told: strictjson.Object, data: memoryview, at: int) -> tuple[Any, int]:
    import numpy as np

    shape = [int(str(dim)) for dim in strictjson.array(told, "shape")]
    dtype = np.dtype(strictjson.text(told, "dtype"))
    end = at + int(np.prod(shape, dtype=object)) * dtype.itemsize
    return np.frombuffer(data[at:end], dtype).reshape(shape), end
