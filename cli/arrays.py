"""Arrays in ``.npz`` files: no pickles in, no half-written file out."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry import disk
from registry.errors import InvalidInput, NotFound


def load(path: Path) -> dict[str, Any]:
    """The arrays of an ``.npz`` file by name. Raises NotFound or InvalidInput."""
    import numpy

    if not path.exists():
        raise NotFound("there is no such input file", on=str(path), hint="'--input random' makes inputs up")
    try:
        # NumPy leaves a file open that it opened itself and could not read.
        with disk.translated(path), path.open("rb") as file:
            arrays = numpy.load(file, allow_pickle=False)
            found = {name: arrays[name] for name in arrays.files} if hasattr(arrays, "files") else None
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _unreadable(path, str(error)) from error
    if found is None:  # an .npy file
        raise _unreadable(path, "it holds one array without a name")
    return found


def _unreadable(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"the input does not read as .npz: {why}", on=str(path), hint="write it with numpy.savez"
    )


def save(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write the arrays by name. Raises InvalidInput for what is not an array."""
    import numpy

    for name, value in arrays.items():
        if not isinstance(value, numpy.ndarray) or value.dtype.hasobject:
            raise InvalidInput(
                "this output is not a plain array", on=name, hint="leave --output away to see it"
            )
    data = io.BytesIO()
    numpy.savez(data, **dict(arrays))
    disk.replace(path.absolute(), data.getvalue(), 0o644)
