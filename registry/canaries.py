"""Canaries of a push: recorded with it, and asked again where the pushed directory brings some."""

from __future__ import annotations

from pathlib import Path

from registry.onnx import canary
from registry.onnx.chosen import main_model
from registry.onnx.graph import read_model
from registry.source import MadeFile, Mapped, SourceFile

Files = tuple[SourceFile, ...]


def watched(source: Files, inputs: Path | None) -> tuple[Files, Mapped]:
    """The files of a push with their canaries, and a view of them.

    ``inputs`` (``.npz``, or a directory of such) are answered by the model anew; without it, the canaries of
    a directory that has some must still be answered. Raises InvalidInput, BadCanary or Malformed.
    """
    views = Mapped(source)
    if inputs is not None:
        made = MadeFile.of(canary.PATH, _recorded(views, inputs))
        source = tuple(sorted((*_without(source), made), key=lambda file: file.path))
        return source, Mapped(source)
    if canary.PATH in views:
        canary.replay(views, views[canary.PATH])
    return source, views


def _recorded(views: Mapped, inputs: Path) -> bytes:
    from registry.onnx.quantize.calibration import load_calibration
    from registry.onnx.quantize.feeds import samples

    path = main_model({name: None for name in sorted(views) if name.endswith(".onnx")})
    return canary.record(views, path, samples(load_calibration(inputs), read_model(views[path], name=path)))


def _without(source: Files) -> Files:
    return tuple(file for file in source if file.path != canary.PATH)
