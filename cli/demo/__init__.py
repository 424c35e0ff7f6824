"""What ``registry demo`` runs on: a small FP32 classifier of digits, and real samples it never saw.

``digits.onnx``
    A convolutional network trained by ``train.py`` beside it. Input ``image``: float32 ``[N, 1, 8, 8]``, grey
    levels from 0 (paper) to 1 (ink). Output ``logits``: float32 ``[N, 10]``, one column per digit.
``heldout.npz``
    ``images`` uint8 ``[450, 8, 8]`` and ``labels`` uint8 ``[450]``: the samples kept out of training;
    ``calibration`` uint8 ``[128, 8, 8]``: samples out of the training part, for static quantization. Grey
    levels are 0 to 16, as in the data set. ``train.py`` says where the data comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INPUT = "image"
OUTPUT = "logits"
GREY_MAX = 16  # the darkest grey level of the data set


@dataclass(frozen=True)
class Samples:
    """The demo's data as the model takes it: float32 ``[N, 1, 8, 8]`` in 0..1; labels int64 ``[N]``."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    calibration: NDArray[np.float32]


def model_bytes() -> bytes:
    """The trained FP32 model, as an ONNX file."""
    return files(__name__).joinpath("digits.onnx").read_bytes()


def load_samples() -> Samples:
    """The held-out samples with their labels, and the calibration samples."""
    import numpy as np

    with files(__name__).joinpath("heldout.npz").open("rb") as source, np.load(source) as data:
        return Samples(
            images=scaled(data["images"]),
            labels=data["labels"].astype(np.int64),
            calibration=scaled(data["calibration"]),
        )


def scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels 0..16, uint8 ``[N, 8, 8]``, as the model takes them: float32 ``[N, 1, 8, 8]`` in 0..1."""
    import numpy as np

    return (images[:, np.newaxis].astype(np.float32) / GREY_MAX).astype(np.float32)
