"""Ways to quantize with ONNX Runtime's own tools, and the grids of them that children are made over.

Plain Python, importable where neither this project nor a recent ONNX Runtime is installed: the older releases
run it in environments of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

STATIC, DYNAMIC, NBITS, BNB4 = "static", "dynamic", "nbits", "bnb4"

RAW = "raw"  # the parent's file as it is
PREPROCESSED = "preprocessed"  # by onnxruntime.quantization.quant_pre_process: fused, shapes inferred
LIFTED = "lifted"  # Constant nodes made initializers, operator set raised: see support.quantizing


@dataclass(frozen=True)
class Mode:
    """One way to quantize; None leaves an option at ONNX Runtime's default.

    ``how`` is one of static, dynamic, nbits, bnb4. ``prepare`` says what is done to the parent before.
    ``block_size`` and ``bits`` are for the weight-only kinds (``bits`` 4 or 8).
    """

    how: str
    qdq: bool = True
    calibration: str = "MinMax"
    per_channel: bool = False
    reduce_range: bool = False
    activation: str = "QUInt8"
    weight: str = "QInt8"
    symmetric_weights: bool | None = None
    symmetric_activations: bool | None = None
    bits: int = 4
    block_size: int = 32
    symmetric: bool = True
    nf4: bool = True
    prepare: str = RAW

    @property
    def name(self) -> str:
        """The options that differ from the plainest of its kind, such as ``static-qdq-entropy-channel``."""
        return "-".join(filter(None, (self.how, *self._parts(), "" if self.prepare == RAW else self.prepare)))

    @property
    def calibrated(self) -> bool:
        return self.how == STATIC

    def _parts(self) -> tuple[str, ...]:
        if self.how == NBITS:
            form = "" if not self.qdq else "qdq"
            return (f"{self.bits}bit", "sym" if self.symmetric else "asym", f"block{self.block_size}", form)
        if self.how == BNB4:
            return ("nf4" if self.nf4 else "fp4", f"block{self.block_size}")
        channel = "channel" if self.per_channel else "tensor"
        reduced = "reduced" if self.reduce_range else ""
        kinds = f"w{_short(self.weight)}{_symmetry(self.symmetric_weights)}"
        if self.how == DYNAMIC:
            return (channel, kinds, reduced)
        kinds = f"a{_short(self.activation)}{_symmetry(self.symmetric_activations)}.{kinds}"
        form = "qdq" if self.qdq else "qop"
        return (form, self.calibration.lower(), channel, kinds, reduced)


def _short(kind: str) -> str:
    return kind.removeprefix("Q").lower().replace("int", "")


def _symmetry(wanted: bool | None) -> str:
    return "" if wanted is None else "sym" if wanted else "asym"


# --- the kinds of numbers that a static child may have ---
_U8S8 = {"activation": "QUInt8", "weight": "QInt8"}
_S8S8 = {"activation": "QInt8", "weight": "QInt8", "symmetric_activations": True, "symmetric_weights": True}
_U8U8 = {"activation": "QUInt8", "weight": "QUInt8"}
_S8ASYM = {
    "activation": "QInt8",
    "weight": "QInt8",
    "symmetric_activations": False,
    "symmetric_weights": False,
}
CALIBRATIONS = ("MinMax", "Entropy", "Percentile", "Distribution")


def static_modes() -> list[Mode]:
    """Both formats x four calibrations x granularity x the kinds of numbers, and reduced range on top."""
    kinds = (_U8S8, _S8S8, _U8U8, _S8ASYM)
    whole = product((True, False), CALIBRATIONS, (False, True), kinds)
    made = [
        Mode(STATIC, qdq=qdq, calibration=calibration, per_channel=channel, **kind)  # type: ignore[arg-type]
        for qdq, calibration, channel, kind in whole
    ]
    made += [
        Mode(STATIC, qdq=qdq, per_channel=channel, reduce_range=True, **kind)  # type: ignore[arg-type]
        for qdq, channel, kind in product((True, False), (False, True), (_U8S8, _U8U8))
    ]
    made += [Mode(STATIC, per_channel=channel, prepare=PREPROCESSED) for channel in (False, True)]
    return [*made, Mode(STATIC, qdq=False, prepare=PREPROCESSED), Mode(STATIC, weight="QInt4")]


def dynamic_modes() -> list[Mode]:
    whole = product(("QInt8", "QUInt8"), (False, True), (False, True))
    made = [
        Mode(DYNAMIC, weight=weight, per_channel=channel, reduce_range=reduced)
        for weight, channel, reduced in whole
    ]
    return [
        *made,
        Mode(DYNAMIC, weight="QInt8", symmetric_weights=False),
        Mode(DYNAMIC, prepare=PREPROCESSED),
    ]


def weight_only_modes() -> list[Mode]:
    whole = product((4, 8), (True, False), (16, 32, 128))
    made = [
        Mode(NBITS, qdq=False, bits=bits, symmetric=symmetric, block_size=size)
        for bits, symmetric, size in whole
    ]
    made += [Mode(NBITS, qdq=True, bits=4, symmetric=symmetric) for symmetric in (True, False)]
    return made + [Mode(BNB4, nf4=nf4, block_size=size) for nf4, size in product((True, False), (16, 64))]


def every_mode() -> list[Mode]:
    """Everything, for parents of a few kB."""
    return [*static_modes(), *dynamic_modes(), *weight_only_modes()]


def short_modes() -> list[Mode]:
    """One or two of each kind: for real models, older releases and the tests of every day."""
    return [
        Mode(STATIC),
        Mode(STATIC, per_channel=True, **_S8S8),  # type: ignore[arg-type]
        Mode(STATIC, qdq=False, **_U8U8),  # type: ignore[arg-type]
        Mode(STATIC, qdq=False, per_channel=True, calibration="Percentile"),
        Mode(STATIC, calibration="Entropy", reduce_range=True),
        Mode(DYNAMIC),
        Mode(DYNAMIC, weight="QUInt8", per_channel=True, reduce_range=True),
        Mode(NBITS, qdq=False, bits=4, symmetric=True),
        Mode(NBITS, qdq=False, bits=4, symmetric=False, block_size=16),
        Mode(NBITS, qdq=False, bits=8, symmetric=True),
        Mode(BNB4, nf4=True, block_size=64),
    ]


def older_modes() -> list[Mode]:
    """What is asked of older releases, which know no 8 bit blocks: each option once, not their product."""
    static = [Mode(STATIC, qdq=qdq, calibration=kind) for qdq in (True, False) for kind in CALIBRATIONS]
    static += [
        Mode(STATIC, qdq=qdq, per_channel=channel, **kind)  # type: ignore[arg-type]
        for qdq, channel, kind in product((True, False), (False, True), (_S8S8, _U8U8))
    ]
    static += [Mode(STATIC, per_channel=True), Mode(STATIC, qdq=False, per_channel=True)]
    static += [Mode(STATIC, reduce_range=True, **_S8ASYM), Mode(STATIC, prepare=PREPROCESSED)]  # type: ignore[arg-type]
    fours = [mode for mode in weight_only_modes() if mode.how == BNB4 or (mode.bits == 4 and not mode.qdq)]
    return [*static, *dynamic_modes(), *(mode for mode in fours if mode.block_size < 128)]
