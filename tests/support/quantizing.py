"""INT8 children of the real models, made by ONNX Runtime's own quantizer and kept in the cache.

Before quantizing, a file is brought into the shape that the quantizer can work on; values stay the same:

- Constant nodes become initializers, in subgraphs too. Exporters of the Paddle and Silero files keep their
  weights in Constant nodes; there the quantizer stops ("Expected ... to be an initializer") or puts Q/DQ
  pairs around weights that stay float.
- Recorded intermediate shapes are dropped and inferred again: some are stale.
- The default operator set is raised to 17. DequantizeLinear knows no axis before 13, and a per-channel
  child of an older file does not load.

The dynamic kind goes into subgraphs (``EnableSubgraph``); the static quantizer cannot.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.wheelmodels import cache_dir, exclusive

if TYPE_CHECKING:
    import numpy as np
    import onnx

Feeds = Mapping[str, "np.ndarray[Any, Any]"]

DYNAMIC = "dynamic"
PER_CHANNEL = "static-per-channel"
PER_TENSOR = "static-per-tensor"
KINDS = (DYNAMIC, PER_CHANNEL, PER_TENSOR)
OPSET = 17
RECIPE = 1  # raise it when a change here changes the files


def quantize(source: Path, kind: str, calibration: Iterable[Feeds]) -> Path:
    """The child of ``source`` of that kind; ``calibration`` feeds the static kinds (QDQ, symmetric int8)."""
    target = _folder() / f"{source.parent.name}.{source.stem}.{kind}.onnx"
    with exclusive(target.name):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=_folder()) as scratch:
                prepared, staged = Path(scratch, "prepared.onnx"), Path(scratch, "staged.onnx")
                _prepare(source, prepared)
                _quantize(prepared, staged, kind, calibration)
                staged.replace(target)
    return target


@cache
def _folder() -> Path:
    import onnxruntime

    folder = cache_dir() / f"quantized-{RECIPE}-onnxruntime-{onnxruntime.__version__}"
    folder.mkdir(exist_ok=True)
    return folder


def _quantize(source: Path, target: Path, kind: str, calibration: Iterable[Feeds]) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    if kind == DYNAMIC:
        quantize_dynamic(source, target, extra_options={"EnableSubgraph": True})
        return
    quantize_static(
        source,
        target,
        _reader(calibration),
        quant_format=QuantFormat.QDQ,
        per_channel=kind == PER_CHANNEL,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
    )


def _reader(calibration: Iterable[Feeds]) -> Any:
    from onnxruntime.quantization.calibrate import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.feeds = iter(calibration)

        def get_next(self) -> Feeds | None:
            return next(self.feeds, None)

    return Reader()


def _prepare(source: Path, target: Path) -> None:
    import onnx
    from onnx import version_converter

    model = onnx.load(source)
    _lift_constants(model.graph)
    _drop_shapes(model.graph)
    if _opset(model) < OPSET:
        model = version_converter.convert_version(model, OPSET)
    target.write_bytes(onnx.shape_inference.infer_shapes(model).SerializeToString())


def _opset(model: onnx.ModelProto) -> int:
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _subgraphs(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    return [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]


def _lift_constants(graph: onnx.GraphProto) -> None:
    for inner in _subgraphs(graph):
        _lift_constants(inner)
    kept = []
    for node in graph.node:
        if node.op_type == "Constant" and [attribute.name for attribute in node.attribute] == ["value"]:
            tensor = graph.initializer.add()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def _drop_shapes(graph: onnx.GraphProto) -> None:
    del graph.value_info[:]
    for inner in _subgraphs(graph):
        _drop_shapes(inner)
