"""What ONNX Runtime says of a model by itself, to hold the registry's answers against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def plain(path: Path, feeds: Mapping[str, Any]) -> list[Any]:
    """The outputs of a plain session on the file; nothing of ours is involved."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: quantizers leave unused initializers behind
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def same(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Whether all outputs are equal bit for bit, NaN and negative zero too."""
    if len(left) != len(right):
        return False
    pairs = [(np.asarray(one), np.asarray(other)) for one, other in zip(left, right, strict=True)]
    return all(
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
        for one, other in pairs
    )
