"""Evaluation as a deed: a model measured against its parent on data, and the numbers signed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

from registry import acts, attesting, home, opening
from registry.context import Context
from registry.opening import Opened
from registry.progress import SILENT, Progress

if TYPE_CHECKING:
    from registry.onnx.evaluate.evaluation import Evaluation, Layer
    from registry.onnx.quantize import Calibration

_TOOLS = ("numpy", "onnxruntime")


@dataclass(frozen=True)
class Evaluated:
    """What was measured of ``child`` beside ``parent``; ``layers`` are all of them, in the parent's order.

    ``seq`` is the ledger entry of the attestation, None where nothing was signed.
    """

    child: str
    parent: str
    evaluation: Evaluation
    layers: tuple[Layer, ...]
    seq: int | None


def evaluate(
    context: Context | None,
    child: str,
    against: str,
    data: Path,
    *,
    model: str | None = None,
    parent_model: str | None = None,
    layers: bool = True,
    sign: bool = True,
    progress: Progress = SILENT,
) -> Evaluated:
    """Measure ``child`` against its parent, each a path or a reference, on the samples in ``data``.

    What is measured of a version is signed as an attestation, unless ``sign`` is false. ``layers``: value by
    value inside the graphs too, where these match. Raises InvalidInput, NotFound, Denied or Untrusted.
    """
    from registry.onnx.quantize import load_calibration

    samples = load_calibration(data)
    with (
        opening.open_model(context, child, "evaluate", model) as one,
        opening.open_model(context, against, "evaluate", parent_model) as other,
    ):
        evaluation, found = measure(one, other, samples, layers=layers, progress=progress)
    seq = None
    if sign and context is not None and one.ref is not None:
        _, seq = attesting.attest_value(context, str(one.ref), acts.EVALUATION, evaluation.to_dict())
    return Evaluated(str(one), str(other), evaluation, found, seq)


def measure(
    child: Opened, parent: Opened, data: Calibration, *, layers: bool = True, progress: Progress = SILENT
) -> tuple[Evaluation, tuple[Layer, ...]]:
    """The evaluation, and all layers of it. Raises InvalidInput where the two or the data do not fit."""
    from registry.onnx.evaluate.evaluation import Data, Evaluation, Parent
    from registry.onnx.evaluate.measuring import Measurement

    measurement = Measurement((child.files, child.path), (parent.files, parent.path), data)
    progress.begin(f"evaluating {child}", measurement.size * (2 if layers else 1))
    try:
        outputs = measurement.outputs(progress.advance)
        found = measurement.layers(progress.advance) if layers else None
    finally:
        progress.end()
    evaluation = Evaluation(
        model=child.path,
        parent=Parent(str(parent.ref) if parent.ref else None, parent.digest, parent.path),
        data=Data(data.digest, measurement.samples),
        outputs=outputs,
        layers=found.worst if found else (),
        layers_measured=len(found.layers) if found else 0,
        tools=(("hallmark", home.version()), *((name, version_of(name)) for name in _TOOLS)),
    )
    return evaluation, found.layers if found else ()
