"""What a model's own graph says about its quantization: facts, numbers, and claims that do not hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from registry import disk
from registry.errors import InvalidInput
from registry.onnx.loaded import load
from registry.onnx.profile.drawing import FORMATS, draw
from registry.onnx.profile.profiling import profile
from registry.onnx.profile.values import Profile
from registry.opening import open_model

if TYPE_CHECKING:
    from registry.context import Context

_PURPOSE = "inspect"  # what checkout records


def inspect(
    context: Context | None, source: str | Path, *, model: str | None = None, plot: Path | None = None
) -> Profile:
    """Everything that the graph tells of a model: a path of one's own, or a version of the registry.

    ``context`` is needed for a version only, which is checked out for it. ``model`` names the ONNX file where
    there are several; ``plot`` a PNG or SVG file to write, in the place of what is there.

    Raises InvalidModel, InvalidInput, UnsafePath, NotFound, DiskTrouble; for a version what checkout does.
    """
    kind = None if plot is None else picture_kind(plot)
    with open_model(context, str(source), _PURPOSE, model) as opened:
        found = profile(load(opened.files, opened.path), str(opened), opened.digest)
    if plot is not None and kind is not None:
        disk.replace(plot, draw(found, kind), 0o644)
    return found


def picture_kind(path: Path) -> str:
    """The type of picture that a file's name asks for. Raises InvalidInput."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InvalidInput(
            "the picture's type is not known", on=str(path), hint="name a file that ends in .png or .svg"
        )
    return kind
