"""Static quantization: ranges of activations from calibration data, then Q/DQ pairs or QLinear operators.

Samples are run one by one. Histograms begin over the range that a first pass has found, so that every sample
falls into the same bins: the result is that of all samples at once, in the memory of one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from registry.errors import InvalidInput
from registry.onnx.quantize.feeds import Samples
from registry.onnx.quantize.hollow import is_large, save
from registry.onnx.quantize.recipe import Recipe
from registry.progress import Progress

if TYPE_CHECKING:
    import onnx

    from registry.onnx.quantize.feeds import Feed

_QUANTIZED_BINS = 128  # levels that Entropy compares with
_TYPES = {
    "INT8": "QInt8",
    "UINT8": "QUInt8",
    "INT16": "QInt16",
    "UINT16": "QUInt16",
    "INT4": "QInt4",
    "UINT4": "QUInt4",
}


def operators() -> list[str]:
    """The operators that static quantization takes, as ``quantize_static`` does by default."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return sorted({*QLinearOpsRegistry, *QDQRegistry})


def quantized(model: onnx.ModelProto, recipe: Recipe, excluded: list[str], ranges: Any) -> onnx.ModelProto:
    """The model with weights and activations quantized; ``ranges`` are those of its activations."""
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.onnx_quantizer import ONNXQuantizer
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import QuantizationMode

    weight = QuantType.from_string(_TYPES[str(recipe.weight_type)])
    activation = QuantType.from_string(_TYPES[str(recipe.activation_type)])
    options = {
        "WeightSymmetric": recipe.symmetric_weights,
        "ActivationSymmetric": recipe.symmetric_activations,
    }
    common: Any = (weight, activation, ranges, [], excluded, operators(), options)
    if recipe.format == "QDQ":
        quantizer = QDQQuantizer(model, recipe.per_channel, recipe.reduce_range, *common)
    else:
        mode = QuantizationMode.QLinearOps
        quantizer = ONNXQuantizer(model, recipe.per_channel, recipe.reduce_range, mode, True, *common)
    quantizer.quantize_model()
    return cast("onnx.ModelProto", quantizer.model.model)


class Calibrator:
    """Runs the samples through ONNX Runtime's calibrators."""

    def __init__(self, recipe: Recipe, scratch: Path, threads: int) -> None:
        self._recipe, self._scratch, self._threads = recipe, scratch, threads
        self._large = False

    def ranges(self, model: onnx.ModelProto, feeds: Samples, progress: Progress) -> Any:
        """TensorsData: a range for each activation. Raises InvalidInput for one that is not finite."""
        from onnxruntime.quantization import calibrate

        source = self._scratch / "prepared.onnx"
        save(model, source)
        self._large = is_large(model)
        first = self._calibrator(calibrate.MinMaxCalibrater, source)
        _collect(first, feeds, progress, "calibrating")
        found = first.compute_data()
        _check(found)
        if self._recipe.calibration == "MinMax" or not found.keys():
            return found
        second = self._histograms(source)
        second.collector = _collector(second, found)
        _collect(second, feeds, progress, "making histograms")
        made = second.compute_data()
        return self._narrowed(made, found) if self._recipe.calibration == "Distribution" else made

    def _histograms(self, source: Path) -> Any:
        from onnxruntime.quantization import calibrate

        given: dict[str, Any] = {"num_bins": self._recipe.bins}
        if self._recipe.calibration == "Percentile":
            given |= {"percentile": self._recipe.percentile / 1000, "symmetric": False}
        if self._recipe.calibration == "Entropy":
            given |= {"num_quantized_bins": _QUANTIZED_BINS, "symmetric": False}
        return self._calibrator(getattr(calibrate, f"{self._recipe.calibration}Calibrater"), source, **given)

    def _calibrator(self, kind: Any, source: Path, **given: Any) -> Any:
        import onnxruntime

        augmented = self._scratch / f"{kind.__name__}.onnx"
        made = kind(source, operators(), str(augmented), use_external_data_format=self._large, **given)
        made.augment_graph()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self._threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        made.infer_session = onnxruntime.InferenceSession(
            str(augmented), options, providers=["CPUExecutionProvider"]
        )
        return made

    def _narrowed(self, made: Any, found: Any) -> Any:
        """Mean plus and minus the deviations, within what was seen: of itself, Distribution has no range."""
        import numpy as np
        from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData

        factor = np.float32(self._recipe.deviations / 1000)
        ranges = {}
        for name, seen in found.items():
            low, high = _limits(seen)
            if name in made:
                mean, spread = made[name].avg_std
                low, high = max(low, mean - factor * spread), min(high, mean + factor * spread)
            ranges[name] = TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        return TensorsData(CalibrationMethod.Distribution, ranges)


class _One:
    """A reader of a single sample, as the calibrators want it."""

    def __init__(self, feed: Feed) -> None:
        self._feed: dict[str, Any] | None = dict(feed)

    def get_next(self) -> dict[str, Any] | None:
        feed, self._feed = self._feed, None
        return feed


def _collect(calibrator: Any, feeds: Samples, progress: Progress, label: str) -> None:
    progress.begin(label, feeds.size)
    for feed in feeds:
        calibrator.collect_data(_One(feed))
        progress.advance(sum(array.nbytes for array in feed.values()))
    progress.end()


def _limits(seen: Any) -> tuple[Any, Any]:
    low, high = seen.range_value
    return low.reshape(-1)[0], high.reshape(-1)[0]


def _check(found: Any) -> None:
    import numpy as np

    for name, seen in sorted(found.items()):
        if not np.isfinite(_limits(seen)).all():
            raise InvalidInput(
                "an activation is infinite or not a number on the calibration data",
                on=name,
                hint=f"leave the node that makes it in float: --exclude {name}",
            )


def _collector(calibrator: Any, found: Any) -> Any:
    """A histogram collector that has begun: empty bins over the range of each activation."""
    import numpy as np
    from onnxruntime.quantization.calibrate import HistogramCollector

    made = HistogramCollector(
        method=calibrator.method,
        symmetric=False,
        num_bins=calibrator.num_bins,
        num_quantized_bins=calibrator.num_quantized_bins,
        percentile=calibrator.percentile,
        scenario=calibrator.scenario,
    )
    for name, seen in found.items():
        low, high = _limits(seen)
        most: Any = np.array(max(abs(low), abs(high)), dtype=low.dtype)
        empty, edges = np.histogram(np.zeros(0, low.dtype), calibrator.num_bins, range=(-most, most))
        made.histogram_dict[name] = (empty, edges, low, high, most)
    return made
