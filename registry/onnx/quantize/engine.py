"""The one function: files, a recipe and calibration data in, a quantized model out."""

from __future__ import annotations

from collections.abc import Mapping

from registry.errors import InvalidInput, InvalidModel
from registry.onnx.external import external_files
from registry.onnx.facts import inspect
from registry.onnx.loaded import Loaded, load
from registry.onnx.quantize import workshop
from registry.onnx.quantize.calibration import Calibration
from registry.onnx.quantize.feeds import samples
from registry.onnx.quantize.recipe import Recipe
from registry.onnx.quantize.scratch import scratch
from registry.onnx.wire import Buffer
from registry.progress import SILENT, Progress


def quantize(
    files: Mapping[str, Buffer],
    path: str,
    recipe: Recipe,
    calibration: Calibration | None = None,
    *,
    progress: Progress = SILENT,
    threads: int = 0,
) -> bytes:
    """The model at ``path`` of ``files`` quantized by the recipe: one ONNX file of less than 2 GiB.

    The same files, recipe, data and tool versions give the same bytes, whatever ``threads`` (0: as many as
    ONNX Runtime likes) and whichever process. The work is done in a process of its own. Raises InvalidModel
    where the model cannot be quantized so, InvalidInput where the recipe or the data do not fit it.
    """
    loaded = load(files, path)
    _check_float(files, path)
    data = _data(loaded, recipe, calibration)
    made = _run(loaded, recipe, data, progress, threads)
    _check_quantized(made, path)
    return made


def optimized(files: Mapping[str, Buffer], path: str) -> bytes:
    """The float model at ``path`` as ONNX Runtime's basic graph optimizations rewrite it, one ONNX file.

    What it computes stays the same, but for the rounding of folded constants. In a process of its own, as
    all of this package's work. Raises InvalidModel.
    """
    return _run(load(files, path), None, None, SILENT, 0)


def _run(
    loaded: Loaded, recipe: Recipe | None, data: Calibration | None, progress: Progress, threads: int
) -> bytes:
    """A job for the worker; without a recipe the model is optimized only."""
    path = loaded.path
    needed = [path, *(name for name in external_files(loaded.model, path) if name != path)]
    views = {name: loaded.views[name] for name in needed}
    with scratch(sum(map(len, views.values()))) as directory:
        message = {
            "path": path,
            "files": [{"name": name, "size": len(view)} for name, view in views.items()],
            "calibration": sum(map(len, data.canonical())) if data else 0,
            "recipe": recipe.to_dict() if recipe else None,
            "scratch": str(directory),
            "threads": threads,
        }
        payload = [*views.values(), *(data.canonical() if data else ())]
        return bytes(workshop.run(message, payload, path, progress))


def _data(loaded: Loaded, recipe: Recipe, calibration: Calibration | None) -> Calibration | None:
    """The data that the recipe uses, having seen that it fits the model."""
    if not recipe.needs_calibration:
        return None
    if calibration is None:
        raise InvalidInput(
            "static quantization needs calibration data",
            on=loaded.path,
            hint="--calibration FILE.npz, or --mode dynamic",
        )
    samples(calibration, loaded.model)
    return calibration


def _check_float(files: Mapping[str, Buffer], path: str) -> None:
    found = inspect(files, path)
    if found.operators:
        name, count = found.operators[0]
        raise InvalidModel(
            "the model is quantized already", on=f"{path}: {count} {name}", hint="give its float parent"
        )


def _check_quantized(made: bytes, path: str) -> None:
    if not inspect({path: made}, path).quantized_weights:
        raise InvalidModel(
            "no weight of the model can be quantized so",
            on=path,
            hint="another --mode may reach them: weight-only takes no convolutions, static no subgraphs",
        )
