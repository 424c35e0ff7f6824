"""One quantization by plain ONNX Runtime calls, the same code for releases 1.17 to 1.31.

Needs only numpy, onnx and onnxruntime: older releases run it in environments of their own.
"""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import onnx
from onnx.shape_inference import InferenceError
from onnxruntime.capi import onnxruntime_pybind11_state as state

from .modes import BNB4, DYNAMIC, NBITS, PREPROCESSED, STATIC, Mode

Feeds = Mapping[str, Any]

# What the quantizers were seen to raise about models that they do not take.
_REFUSALS = (
    *(ValueError, RuntimeError, TypeError, AttributeError, LookupError, AssertionError, InferenceError),
    *(state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented),
)
_QUANTIZED = {
    *("DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm", "MatMulInteger", "ConvInteger"),
    *("DynamicQuantizeLSTM", "MatMulNBits", "MatMulBnb4", "GatherBlockQuantized"),
}


class Unsuited(ValueError):
    """This release of ONNX Runtime cannot quantize this model in this mode; the reason is its own."""


def quantize(model: bytes, mode: Mode, feeds: Sequence[Feeds] = ()) -> bytes:
    """The child of ``model`` (ONNX files, both), calibrated with ``feeds`` where the mode wants that.

    Raises Unsuited where ONNX Runtime refuses, or finds nothing to work on.
    """
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        source, target = Path(scratch, "parent.onnx"), Path(scratch, "child.onnx")
        source.write_bytes(model)
        try:
            if mode.prepare == PREPROCESSED:
                source = _preprocessed(source)
            _KINDS[mode.how](source, target, mode, feeds)
        except _REFUSALS as error:
            raise Unsuited(f"{type(error).__name__}: {str(error).strip()[:160]}") from error
        made = target.read_bytes()
    if not _operators(onnx.load_from_string(made).graph) & _QUANTIZED:
        raise Unsuited("nothing in it that this mode quantizes")
    return made


def _static(source: Path, target: Path, mode: Mode, feeds: Sequence[Feeds]) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    quantize_static(
        str(source),
        str(target),
        _reader(feeds),
        quant_format=QuantFormat.QDQ if mode.qdq else QuantFormat.QOperator,
        calibrate_method=getattr(CalibrationMethod, mode.calibration),
        per_channel=mode.per_channel,
        reduce_range=mode.reduce_range,
        activation_type=getattr(QuantType, mode.activation),
        weight_type=getattr(QuantType, mode.weight),
        extra_options=_symmetries(mode),
    )


def _dynamic(source: Path, target: Path, mode: Mode, feeds: Sequence[Feeds]) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        per_channel=mode.per_channel,
        reduce_range=mode.reduce_range,
        weight_type=getattr(QuantType, mode.weight),
        extra_options={"EnableSubgraph": True, **_symmetries(mode)},
    )


def _nbits(source: Path, target: Path, mode: Mode, feeds: Sequence[Feeds]) -> None:
    model = onnx.load(source)
    try:
        worker = _nbits_now(model, mode)
    except ImportError:  # before 1.23
        worker = _nbits_then(model, mode)
    worker.process()
    _save(worker.model.model, target)


def _nbits_now(model: onnx.ModelProto, mode: Mode) -> Any:
    from onnxruntime.quantization import QuantFormat
    from onnxruntime.quantization.matmul_nbits_quantizer import (
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    form = QuantFormat.QDQ if mode.qdq else QuantFormat.QOperator
    config = DefaultWeightOnlyQuantConfig(
        block_size=mode.block_size, is_symmetric=mode.symmetric, bits=mode.bits, quant_format=form
    )
    return MatMulNBitsQuantizer(model, algo_config=config)


def _nbits_then(model: onnx.ModelProto, mode: Mode) -> Any:
    from onnxruntime.quantization.matmul_4bits_quantizer import MatMul4BitsQuantizer

    if mode.bits != 4 or mode.qdq:
        raise ValueError("this release knows 4 bits and MatMulNBits only")
    return MatMul4BitsQuantizer(model, mode.block_size, mode.symmetric)


def _bnb4(source: Path, target: Path, mode: Mode, feeds: Sequence[Feeds]) -> None:
    from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer

    kind = MatMulBnb4Quantizer.NF4 if mode.nf4 else MatMulBnb4Quantizer.FP4
    worker = MatMulBnb4Quantizer(onnx.load(source), kind, mode.block_size)
    worker.process()
    _save(worker.model.model, target)


_KINDS = {STATIC: _static, DYNAMIC: _dynamic, NBITS: _nbits, BNB4: _bnb4}


def _symmetries(mode: Mode) -> dict[str, bool]:
    wanted = {"WeightSymmetric": mode.symmetric_weights, "ActivationSymmetric": mode.symmetric_activations}
    return {name: value for name, value in wanted.items() if value is not None}


def _preprocessed(source: Path) -> Path:
    from onnxruntime.quantization.shape_inference import quant_pre_process

    target = source.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
    return target


def _save(model: onnx.ModelProto, target: Path) -> None:
    target.write_bytes(model.SerializeToString())


def _operators(graph: onnx.GraphProto) -> set[str]:
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return {node.op_type for node in graph.node}.union(*map(_operators, inner))


def _reader(feeds: Sequence[Feeds]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(feeds)

        def get_next(self) -> Feeds | None:
            return next(self._left, None)

    return Reader()


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantizers log, warn and print what they do and recommend; here it is noise."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
