"""Inside the worker: a job becomes a quantized model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import InvalidModel
from registry.onnx.graph import read_model
from registry.onnx.quantize import static, weights
from registry.onnx.quantize.calibration import Calibration
from registry.onnx.quantize.feeds import samples
from registry.onnx.quantize.graphs import order, tidy
from registry.onnx.quantize.prepare import optimized, prepare
from registry.onnx.quantize.recipe import Recipe
from registry.progress import Progress

if TYPE_CHECKING:
    import onnx

LIMIT = (1 << 31) - 1  # bytes: what protobuf can write
_INFERRED = "onnx.infer"  # the quantizers' own note that shapes are inferred


@dataclass(frozen=True)
class Job:
    """What a worker gets. ``threads``: of ONNX Runtime while it calibrates; 0 lets it choose."""

    files: Mapping[str, memoryview]
    path: str
    recipe: Recipe | None  # None: the float model is optimized and no more
    calibration: Calibration | None
    scratch: Path
    threads: int


def produce(job: Job, progress: Progress) -> bytes:
    """The model, quantized or optimized, in one file. Raises InvalidModel, InvalidInput, or as ONNX does."""
    if job.recipe is None:
        return _written(optimized(job.files, job.path, job.scratch), job.path)
    return _produced(job, job.recipe, progress)


def _produced(job: Job, recipe: Recipe, progress: Progress) -> bytes:
    progress.begin("preparing", 0)
    model, excluded = prepare(job.files, job.path, recipe, job.scratch)
    progress.end()
    ranges = None
    if job.calibration is not None:
        feeds = samples(job.calibration, read_model(job.files[job.path], name=job.path))
        ranges = static.Calibrator(recipe, job.scratch, job.threads).ranges(model, feeds, progress)
    progress.begin("quantizing", 0)
    made = _quantized(model, recipe, excluded, ranges)
    order(made.graph)
    tidy(made.graph)
    for note in [one for one in made.metadata_props if one.key == _INFERRED]:
        made.metadata_props.remove(note)
    data = _written(made, job.path)
    progress.end()
    progress.begin("trying", 0)
    _loads(data)
    progress.end()
    return data


def _quantized(
    model: onnx.ModelProto, recipe: Recipe, excluded: list[str], ranges: object | None
) -> onnx.ModelProto:
    if recipe.mode == "static":
        return static.quantized(model, recipe, excluded, ranges)
    if recipe.mode == "dynamic":
        return weights.dynamic(model, recipe, excluded)
    if recipe.weight_type in ("NF4", "FP4"):
        return weights.tables(model, recipe, excluded)
    return weights.blocks(model, recipe, excluded)


def _written(model: onnx.ModelProto, path: str) -> bytes:
    if model.ByteSize() > LIMIT:
        raise InvalidModel(
            "the quantized model is larger than 2 GiB, more than one ONNX file holds",
            on=path,
            hint="--mode weight-only --bits 4 makes it smaller",
        )
    return bytes(model.SerializeToString(deterministic=True))


def _loads(data: bytes) -> None:
    """Load it once as whoever runs it will: some graphs have no kernels for what became of them."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
