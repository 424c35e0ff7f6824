"""Canaries as bytes: an ``.npz`` file of fixed form, with ``canaries.json`` beside its arrays.

Numpy opens it. Here it is read by a reader of its own, with bounds: members stored, not compressed, under the
very names that the JSON leads to expect; version 1.0 headers without anything to evaluate; no pickles. The
same canaries give the same bytes.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from registry import strictjson
from registry.errors import Malformed

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

LIMIT = 64 << 20  # bytes of the whole file
MAX_RUNS, MAX_VALUES = 64, 256  # runs; inputs, or outputs, of one run
MILLION = 1_000_000
_ABOUT = "canaries.json"
_ABOUT_LIMIT = 1 << 20  # bytes
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(r"\{'descr': '(\S{3})', 'fortran_order': False, 'shape': \(([0-9, ]{0,300})\), \} *\n")
_TYPES = {"<f4", "<f8", "<f2", "|b1", "|i1", "|u1", "<i2", "<i4", "<i8", "<u2", "<u4", "<u8"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can tell


@dataclass(frozen=True)
class Answer:
    """An output that is compared. ``tolerance`` is in parts per million of the answers' root mean square; for
    integers and booleans, of their number."""

    name: str
    tolerance: int


@dataclass(frozen=True, eq=False)
class Canaries:
    """``runs`` holds, for each run, the arrays of ``inputs`` and of ``answers``, in that order."""

    model: str  # the ONNX file in the version
    inputs: tuple[str, ...]
    answers: tuple[Answer, ...]
    runs: tuple[tuple[tuple[Array, ...], tuple[Array, ...]], ...]

    def to_bytes(self) -> bytes:
        """The file. Every array must be one that ``holds`` allows."""
        about = {
            "format": 1,
            "model": self.model,
            "runs": len(self.runs),
            "inputs": list(self.inputs),
            "answers": [{"name": one.name, "tolerance_ppm": one.tolerance} for one in self.answers],
        }
        arrays = [array for run in self.runs for side in run for array in side]
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_member(_ABOUT), strictjson.canonical(about))
            for name, array in zip(self._members(len(self.runs)), arrays, strict=True):
                archive.writestr(_member(name), _npy(array))
        return written.getvalue()

    def _members(self, runs: int) -> Iterator[str]:
        for run in range(runs):
            yield from (f"{run}/input.{at}.npy" for at in range(len(self.inputs)))
            yield from (f"{run}/output.{at}.npy" for at in range(len(self.answers)))

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Canaries:
        """Raises Malformed."""
        if len(data) > LIMIT:
            raise Malformed("the canaries are too long", on=f"{len(data)} bytes, {LIMIT} allowed")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return cls._read(archive, len(data))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise Malformed("the canaries do not read as .npz", on=str(error)[:200]) from error
        except (OSError, OverflowError, struct.error) as error:
            raise Malformed("the canaries are a damaged .npz", on=str(error)[:200]) from error

    @classmethod
    def _read(cls, archive: zipfile.ZipFile, size: int) -> Canaries:
        infos = archive.infolist()
        stored = all(one.compress_type == zipfile.ZIP_STORED for one in infos)
        if not stored or sum(one.file_size for one in infos) > size:
            raise Malformed("the canaries hold more than they are long")
        if not infos or infos[0].filename != _ABOUT:
            raise Malformed(f"the canaries do not begin with {_ABOUT}")
        about = strictjson.parse_object(archive.read(infos[0]), limit=_ABOUT_LIMIT, what=_ABOUT)
        found, runs = cls._about(about)
        if [one.filename for one in infos[1:]] != list(found._members(runs)):
            raise Malformed("the canaries hold other arrays than they say")
        arrays = iter([_array(archive.read(one), one.filename) for one in infos[1:]])
        return cls(found.model, found.inputs, found.answers, tuple(found._run(arrays) for _ in range(runs)))

    @classmethod
    def _about(cls, about: strictjson.Object) -> tuple[Canaries, int]:
        """Everything but the runs, and how many these are."""
        strictjson.only(about, ("format", "model", "runs", "inputs", "answers"))
        strictjson.integer(about, "format", low=1, high=1)
        inputs, told = strictjson.texts(about, "inputs"), strictjson.objects(about, "answers")
        if not (1 <= len(told) <= MAX_VALUES and len(inputs) <= MAX_VALUES):
            raise Malformed("the canaries have no answers, or too many", on=str(len(told)))
        for one in told:
            strictjson.only(one, ("name", "tolerance_ppm"))
        answers = [
            Answer(strictjson.text(one, "name"), strictjson.integer(one, "tolerance_ppm", high=MILLION))
            for one in told
        ]
        found = cls(strictjson.text(about, "model"), tuple(inputs), tuple(answers), ())
        return found, strictjson.integer(about, "runs", low=1, high=MAX_RUNS)

    def _run(self, arrays: Iterator[Array]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        return tuple(next(arrays) for _ in self.inputs), tuple(next(arrays) for _ in self.answers)


def holds(array: object) -> bool:
    """Whether canaries can hold it: an array of plain numbers or booleans."""
    import numpy as np

    return isinstance(array, np.ndarray) and array.dtype.newbyteorder("<").str in _TYPES


def _member(name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, _EPOCH)
    made.create_system = 3  # Unix, wherever it is written
    made.external_attr = 0o600 << 16
    return made


def _npy(array: Array) -> bytes:
    import numpy as np

    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
    assert plain.dtype.str in _TYPES, plain.dtype
    header = f"{{'descr': '{plain.dtype.str}', 'fortran_order': False, 'shape': {plain.shape}, }}"
    padding = -(len(_MAGIC) + 2 + len(header) + 1) % 64  # data begins at a multiple of 64 bytes
    text = header + " " * padding + "\n"
    return _MAGIC + struct.pack("<H", len(text)) + text.encode("ascii") + plain.tobytes()


def _array(data: bytes, name: str) -> Array:
    import numpy as np

    start = len(_MAGIC) + 2
    end = start + struct.unpack("<H", data[len(_MAGIC) : start])[0]
    found = _HEADER.fullmatch(data[start:end].decode("ascii"))
    if data[: len(_MAGIC)] != _MAGIC or found is None or found[1] not in _TYPES:
        raise Malformed("an array of the canaries has another header", on=name)
    dtype, shape = np.dtype(found[1]), tuple(int(dim) for dim in found[2].split(",") if dim.strip())
    if prod(shape) * dtype.itemsize != len(data) - end:
        raise Malformed("an array of the canaries is not as long as its shape says", on=name)
    return np.frombuffer(data, dtype, offset=end).reshape(shape)
