"""Honest children: a parent, a producer and a mode give one quantized file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import onnxruntime

from support import quantizing
from support.lineage import quantizers
from support.lineage.modes import DYNAMIC, LIFTED, PREPROCESSED, RAW, Mode, every_mode, short_modes
from support.lineage.parents import Parent
from support.lineage.quantizers import Unsuited

CURRENT = f"onnxruntime {onnxruntime.__version__}"


@dataclass(frozen=True)
class Child:
    """One quantized file, and who made it how."""

    parent: Parent
    producer: str
    mode: Mode
    model: bytes

    @property
    def how(self) -> str:
        return self.mode.name

    @property
    def name(self) -> str:
        return f"{self.parent.name} / {self.producer} / {self.how}"


@cache
def child(parent: Parent, mode: Mode) -> Child:
    """By the installed ONNX Runtime. Where it refuses the file as it is, the file is prepared first, and the
    child's mode says so. Raises Unsuited."""
    feeds = parent.calibration() if mode.calibrated else ()
    source = lifted(parent) if mode.prepare == LIFTED else parent.model()
    try:
        return Child(parent, CURRENT, mode, quantizers.quantize(source, mode, feeds))
    except Unsuited:
        if mode.prepare != RAW:
            raise
        return child(parent, replace(mode, prepare=LIFTED))


def modes_of(parent: Parent) -> list[Mode]:
    """Every mode for small parents; for real ones the short list, constants lifted before."""
    if parent.tiny:
        return every_mode()
    return [
        mode if mode.prepare == PREPROCESSED else replace(mode, prepare=LIFTED) for mode in _short(parent)
    ]


def _short(parent: Parent) -> list[Mode]:
    # the static quantizer does not look into If branches, where this one has all its weights
    subgraphs = parent.name == "silero-vad"
    return [mode for mode in short_modes() if not subgraphs or mode.how == DYNAMIC]


def children(parent: Parent, modes: Sequence[Mode] | None = None) -> Iterator[Child | tuple[Mode, str]]:
    """Each mode's child, or the mode and why ONNX Runtime has none."""
    for mode in modes_of(parent) if modes is None else modes:
        try:
            yield child(parent, mode)
        except Unsuited as error:
            yield mode, str(error)


@cache
def lifted(parent: Parent) -> bytes:
    """The parent in the shape that the quantizers can work on, values the same: see support.quantizing."""
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "parent.onnx"), Path(scratch, "lifted.onnx")
        source.write_bytes(parent.model())
        quantizing._prepare(source, target)
        return target.read_bytes()
