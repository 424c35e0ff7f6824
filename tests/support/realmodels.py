"""Real models of different kinds, as published: what tests push, pull, quantize and run.

118 MB are downloaded once. Licences, for the record (nothing of it is in this tree or in what we ship):
silero-vad and ddddocr MIT, magika and rapidocr-onnxruntime Apache 2.0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from support import quantizing
from support.quantizing import DYNAMIC, KINDS
from support.wheelmodels import Wheel

CALIBRATION = 4  # feeds for a static quantization
FeedsBySeed = Callable[[np.random.Generator], dict[str, "np.ndarray[Any, Any]"]]


@dataclass(frozen=True)
class RealModel:
    """One published model: where it comes from, inputs it accepts, and the quantizations that suit it."""

    name: str
    wheel: Wheel
    member: str
    make_feeds: FeedsBySeed
    kinds: tuple[str, ...] = KINDS

    @property
    def static(self) -> bool:
        """Whether both static kinds suit it."""
        return set(KINDS) <= set(self.kinds)

    def fetch(self) -> Path:
        """The file as published, verified; downloads it the first time."""
        return self.wheel.fetch(self.member)

    def feeds(self, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
        """One valid set of inputs, the same for the same seed."""
        return self.make_feeds(np.random.default_rng(seed))


def quantized(model: RealModel, kind: str) -> Path:
    """The model's INT8 child of that kind, made once and kept. ValueError where the kind does not suit."""
    if kind not in model.kinds:
        raise ValueError(f"{model.name} has no {kind} child, only {model.kinds}")
    return quantizing.quantize(model.fetch(), kind, (model.feeds(seed) for seed in range(1, CALIBRATION + 1)))


def _noise(*shape: int, low: float = -1.0, high: float = 1.0, name: str) -> FeedsBySeed:
    return lambda rng: {name: rng.uniform(low, high, shape).astype(np.float32)}


def _speech(rng: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    """One window of 512 samples after 64 of context, at 16 kHz, and the state that the last window left."""
    return {
        "input": rng.uniform(-0.5, 0.5, (1, 576)).astype(np.float32),
        "state": rng.uniform(-0.1, 0.1, (2, 1, 128)).astype(np.float32),
        "sr": np.array(16_000, dtype=np.int64),
    }


def _speech_sequence(rng: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    return {
        "input": rng.uniform(-0.5, 0.5, (4, 576)).astype(np.float32),
        "h": rng.uniform(-0.1, 0.1, (1, 1, 128)).astype(np.float32),
        "c": rng.uniform(-0.1, 0.1, (1, 1, 128)).astype(np.float32),
    }


def _file_bytes(rng: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    """Two files' first and last 1,024 bytes; 256 stands for "the file is shorter"."""
    return {"bytes": rng.integers(0, 257, (2, 2048)).astype(np.int32)}


SILERO = Wheel(
    "silero-vad",
    "6.2.3",
    "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    {
        "silero_vad/data/silero_vad.onnx": (
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"
        ),
        "silero_vad/data/silero_vad_16k_sequence.onnx": (
            "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
        ),
    },
)
MAGIKA = Wheel(
    "magika",
    "1.0.3",
    "3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529",
    {
        "magika/models/standard_v3_3/model.onnx": (
            "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c"
        ),
    },
)
RAPIDOCR = Wheel(
    "rapidocr-onnxruntime",
    "1.4.4",
    "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
    {
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx": (
            "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9"
        ),
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx": (
            "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"
        ),
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx": (
            "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c"
        ),
    },
)
DDDDOCR = Wheel(
    "ddddocr",
    "1.6.1",
    "c7c70f4ae2d0335440ae8b272eea48c9f6888ecef46785fe2311f0c97a133935",
    {
        "ddddocr/common.onnx": "33b5cd351ee94e73a6bf8fa18c415ed8b819b3ffd342e267c30d8ad8334e34e8",
        "ddddocr/common_det.onnx": "6faa8ea85a8c1a634e5050c4a138fca10f30194e0d7abbe9ade1fcd423af6ed6",
        "ddddocr/common_old.onnx": "b8f2ad9cbc1f2e3922a6cb9459e30824e7e2467f3fb4fd61420640e34ea0bf68",
    },
)


def _ocr(part: str) -> str:
    return f"rapidocr_onnxruntime/models/ch_{part}_infer.onnx"


REAL_MODELS: tuple[RealModel, ...] = (
    # Voice activity, LSTM cells written out inside If branches: the static quantizer does not look in there.
    RealModel("silero-vad", SILERO, "silero_vad/data/silero_vad.onnx", _speech, (DYNAMIC,)),
    # The same network without branches, with an LSTM operator (dynamic: DynamicQuantizeLSTM).
    RealModel(
        "silero-vad-sequence", SILERO, "silero_vad/data/silero_vad_16k_sequence.onnx", _speech_sequence
    ),
    # File types from bytes; int32 input, wide dense layers.
    RealModel("magika", MAGIKA, "magika/models/standard_v3_3/model.onnx", _file_bytes),
    # Text detection, a segmenting CNN; text recognition, CNN and attention; text direction, a classifier.
    RealModel("rapidocr-det", RAPIDOCR, _ocr("PP-OCRv4_det"), _noise(1, 3, 96, 160, name="x")),
    RealModel("rapidocr-rec", RAPIDOCR, _ocr("PP-OCRv4_rec"), _noise(1, 3, 48, 160, name="x")),
    RealModel("rapidocr-cls", RAPIDOCR, _ocr("ppocr_mobile_v2.0_cls"), _noise(1, 3, 48, 192, name="x")),
    # 54 MB of CNN and LSTM; an object detector.
    RealModel("ddddocr", DDDDOCR, "ddddocr/common.onnx", _noise(1, 1, 64, 128, name="input1")),
    RealModel(
        "ddddocr-det",
        DDDDOCR,
        "ddddocr/common_det.onnx",
        _noise(1, 3, 416, 416, low=0.0, high=255.0, name="images"),
    ),
    # Published as dynamic INT8 (ConvInteger, MatMulInteger, DynamicQuantizeLSTM): nothing left to quantize.
    RealModel("ddddocr-old", DDDDOCR, "ddddocr/common_old.onnx", _noise(1, 1, 64, 128, name="input1"), ()),
)
