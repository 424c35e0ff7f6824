"""Which of a version's ONNX files is meant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from registry.errors import InvalidInput


def main_model(paths: Mapping[str, object], path: str | None = None) -> str:
    """The ONNX file to run: the one named, the only one, or ``model.onnx``. Raises InvalidInput."""
    if path is not None:
        if path not in paths:
            raise InvalidInput(
                "the version has no such ONNX file", on=path, hint=f"one of {', '.join(paths)}"
            )
        return path
    chosen = (
        list(paths)
        if len(paths) == 1
        else [name for name in paths if PurePosixPath(name).name == "model.onnx"]
    )
    if len(chosen) != 1:
        raise InvalidInput(
            "the version has several ONNX files", on=", ".join(paths), hint="name one with --model"
        )
    return chosen[0]
