"""Arrays out of an ``.npz`` archive from anybody: no pickles, no bombs, every byte accounted for."""

from __future__ import annotations

import re
import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from registry.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = "np.ndarray[Any, Any]"

MAX_ARRAYS = 256  # arrays of one archive
# NEP 1: magic, version, length of the header in 2 or 4 bytes, and the header, here as numpy writes it.
_MAGIC = b"\x93NUMPY"
_WIDTHS = {b"\1\0": 2, b"\2\0": 4}
_LONGEST = 1 << 12  # bytes of a header
_TYPES = rb"\|b1|\|[iu]1|[<>][iu][248]|[<>]f[248]"
_SHAPE = rb"\(((?:\d{1,18}, )*(?:\d{1,18},?)?)\)"
_HEADER = re.compile(
    rb"\{'descr': '(" + _TYPES + rb")', 'fortran_order': (True|False), 'shape': " + _SHAPE + rb", \} *\n"
)
_METHODS = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)


def read_npz(path: Path, budget: int) -> dict[str, Array]:
    """The arrays of the archive by name, in C order and little-endian; together at most ``budget`` bytes.

    Raises NotFound, or InvalidInput for what is no archive of plain arrays or holds more than that.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            members = _members(archive, budget, str(path))
            return {name: _array(archive, info, f"{path}: {name}") for name, info in members.items()}
    except FileNotFoundError as error:
        raise NotFound("there is no such calibration file", on=str(path)) from error
    except OSError as error:
        raise InvalidInput(f"the calibration file cannot be read: {error.strerror}", on=str(path)) from error
    except _DAMAGED as error:
        raise _refused(f"it does not read as .npz: {error}", str(path)) from error


def _members(archive: zipfile.ZipFile, budget: int, on: str) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    members = {info.filename.removesuffix(".npy"): info for info in infos}
    if len(members) != len(infos):
        raise _refused("two arrays have one name", on)
    if not members or len(members) > MAX_ARRAYS:
        raise _refused(f"it holds {len(members)} arrays, of 1 to {MAX_ARRAYS}", on)
    if any(not info.filename.endswith(".npy") or info.compress_type not in _METHODS for info in infos):
        raise _refused("it holds something else than arrays", on)
    # zipfile gives no more bytes of a member than the directory says, whatever the stream unpacks to.
    if sum(info.file_size for info in infos) > budget:
        raise _refused(f"the arrays are larger than {budget} bytes", on, "take fewer samples")
    return members


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, on: str) -> Array:
    import numpy as np

    with archive.open(info) as member:
        shape, fortran, dtype = _header(member, on)
        size = prod(shape) * dtype.itemsize
        # numpy itself would allocate what the header asks for, before it reads.
        if size != info.file_size - member.tell():
            raise _refused(f"an array of {dtype} {shape} in {info.file_size} bytes", on)
        data = member.read()
    if len(data) != size or (dtype.kind == "b" and data.translate(None, b"\0\1")):
        raise _refused("an array is shorter than its header says, or its booleans are none", on)
    found = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return np.ascontiguousarray(found, dtype.newbyteorder("<")).reshape(shape)


def _header(member: IO[bytes], on: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type; read by a pattern, for numpy's own reader evaluates the header as Python."""
    import numpy as np

    magic = member.read(len(_MAGIC) + 2)
    width = _WIDTHS.get(magic[len(_MAGIC) :]) if magic.startswith(_MAGIC) else None
    if width is None:
        raise _refused("an array of an unknown format", on)
    length = int.from_bytes(member.read(width), "little")
    found = _HEADER.fullmatch(member.read(min(length, _LONGEST)))
    if found is None or length > _LONGEST:
        raise _refused("an array of something else than numbers, or with a damaged header", on)
    shape = tuple(int(dim) for dim in found[3].replace(b",", b" ").split())
    return shape, found[2] == b"True", np.dtype(found[1].decode())


def _refused(why: str, on: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(
        f"the calibration data is refused: {why}", on=on, hint=hint or "write it with numpy.savez"
    )
