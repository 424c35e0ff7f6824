"""The float models whose children are tried, in two halves.

``DEVELOPMENT`` is what the code of ``registry.onnx.lineage`` was developed on. ``TEST`` was kept away from
that work: what it shows was not tuned for. The split is by parent, so that no child of a test parent, by any
producer in any mode, was seen before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from registry_cli import demo
from support import graphs, realmodels
from support.lineage import generated

VECTORS = Path(__file__).parents[2] / "vectors" / "lineage"
EXPORTS = VECTORS / "exports"
GENERATED, EXPORTED, REAL = "generated", "exported", "real"
DEVELOPMENT, TEST = "development", "test"
CALIBRATION = 3  # feeds

Feeds = Mapping[str, "np.ndarray[Any, Any]"]


@dataclass(frozen=True)
class Parent:
    """One float model. ``origin`` is generated, exported or real; ``half`` development or test."""

    name: str
    origin: str
    half: str
    make: Callable[[], bytes]
    feed: Callable[[int], Feeds] | None = None

    @property
    def tiny(self) -> bool:
        """Whether its children cost milliseconds, so that every mode can be tried."""
        return self.origin != REAL

    def model(self) -> bytes:
        """The ONNX file."""
        return _model(self)

    def feeds(self, seed: int) -> Feeds:
        """Inputs that it accepts, the same for the same seed."""
        return self.feed(seed) if self.feed else drawn(onnx.load_from_string(self.model()), seed)

    def calibration(self) -> list[Feeds]:
        return [self.feeds(seed) for seed in range(1, CALIBRATION + 1)]


@cache
def _model(parent: Parent) -> bytes:
    return parent.make()


def drawn(model: onnx.ModelProto, seed: int, *, symbolic: int = 2) -> Feeds:
    """Random inputs; symbolic dimensions get ``symbolic`` elements, integers stay below 40."""
    rng, made = np.random.default_rng(seed), {}
    for value in model.graph.input:
        shape = [dim.dim_value or symbolic for dim in value.type.tensor_type.shape.dim]
        floats = value.type.tensor_type.elem_type == TensorProto.FLOAT
        made[value.name] = rng.standard_normal(shape, dtype="f") if floats else rng.integers(0, 40, shape)
    return made


def _built(name: str, half: str, make: Callable[[], onnx.ModelProto]) -> Parent:
    return Parent(name, GENERATED, half, lambda: make().SerializeToString(deterministic=True))


def _exported(name: str) -> Parent:
    return Parent(name, EXPORTED, TEST, (EXPORTS / f"{name}.onnx").read_bytes)


def _real(name: str, half: str) -> Parent:
    found = next(model for model in realmodels.REAL_MODELS if model.name == name)
    return Parent(name, REAL, half, lambda: found.fetch().read_bytes(), found.feeds)


def _digits(seed: int) -> Feeds:
    return {demo.INPUT: demo.load_samples().calibration[8 * seed : 8 * seed + 8]}


def _flat_digits(seed: int) -> Feeds:
    images = demo.load_samples().calibration.reshape(-1, 64)
    return {"x": images[(seed - 1) * 42 : seed * 42]}


PARENTS: tuple[Parent, ...] = (
    _built("mlp", DEVELOPMENT, graphs.mlp),
    _built("cnn", DEVELOPMENT, graphs.cnn),
    _built("transformer", DEVELOPMENT, graphs.transformer),
    _real("silero-vad", DEVELOPMENT),
    _real("rapidocr-cls", DEVELOPMENT),
    _real("magika", DEVELOPMENT),
    _built("bn-cnn", TEST, generated.bn_cnn),
    _built("residual", TEST, generated.residual),
    _built("lstm", TEST, lambda: generated.recurrent("LSTM")),
    _built("gru", TEST, lambda: generated.recurrent("GRU")),
    _built("encoder", TEST, generated.encoder),
    Parent("digits", EXPORTED, TEST, demo.model_bytes, _digits),
    Parent("digits-mlp", EXPORTED, TEST, (VECTORS / "digits-mlp.onnx").read_bytes, _flat_digits),
    *(
        _exported(f"torch-{age}-{name}")
        for age in ("old", "new")
        for name in ("mlp", "bncnn", "encoder", "lstm")
    ),
    _real("silero-vad-sequence", TEST),
    _real("rapidocr-det", TEST),
    _real("rapidocr-rec", TEST),
    _real("ddddocr", TEST),
    _real("ddddocr-det", TEST),
)


def by_name(name: str) -> Parent:
    return next(parent for parent in PARENTS if parent.name == name)
