"""What a confined process does with a file: exactly one of these."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from registry.errors import InvalidModel, UnsafePath
from registry.onnx.child.hollow import DIRECTORY, hollow
from registry.onnx.session import build_session

if TYPE_CHECKING:
    import onnxruntime

FINE: Final = ("fine", "")
_REASON = 400  # characters
_WARNINGS: Final = 2  # ONNX Runtime's severity scale
_LARGEST_FOLDED: Final = "optimization.constant_folding_max_output_size_in_bytes"

Answer = tuple[str, str]  # "fine", "refused", "memory" or "unread"; and the reason
Job = Callable[[Mapping[str, memoryview], str], Answer]


def check(files: Mapping[str, memoryview], path: str) -> Answer:
    """onnx.checker, with its inference of shapes, on the model without its weights."""
    import onnx

    try:
        model = hollow(files[path])
    except (InvalidModel, KeyError) as error:
        return "unread", told(error)
    os.chdir(DIRECTORY)
    try:
        onnx.checker.check_model(model, full_check=True)
    except MemoryError as error:
        return "memory", told(error)
    except (*_FOREIGN, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        return "refused", told(error)
    return FINE


def load(files: Mapping[str, memoryview], path: str) -> Answer:
    """An ONNX Runtime session, optimised as it would be, but for the packing of weights."""
    try:
        build_session(files, path, prepack=False, threads=1, configure=_telling).close()
    except (InvalidModel, UnsafePath) as error:
        return ("memory" if _is_memory(error.message) else "refused"), told(error)
    except MemoryError as error:
        return "memory", told(error)
    except _FOREIGN as error:
        return "refused", told(error)
    return FINE


def _telling(options: onnxruntime.SessionOptions) -> None:
    """Fold constants of any size, and say where that fails.

    ONNX Runtime would leave a constant of 4 GiB to the first run, and takes it for a mishap where it gets no
    memory for one; here both must come to light.
    """
    options.log_severity_level = _WARNINGS
    options.add_session_config_entry(_LARGEST_FOLDED, "0")  # bytes; 0: no bound


def told(error: Exception) -> str:
    """What an error says, in one line of bounded length."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _REASON else f"{said[: _REASON - 3]}..."


def _is_memory(message: str) -> bool:
    """ONNX Runtime has no error of its own for memory that it was not given."""
    return any(words in message for words in ("bad_alloc", "Failed to allocate memory", "BFCArena"))


# What Python, protobuf and the two libraries' bindings raise for a bad file.
_FOREIGN: Final = (ValueError, RuntimeError, TypeError, LookupError, ArithmeticError, AttributeError, OSError)

JOBS: Final[Mapping[str, Job]] = {"check": check, "load": load}
