"""Large weights aside: while onnx's C++ tools work on a model, and where a file cannot hold them.

Shape inference and the version converter serialize a model; with its weights that is a copy each time, and
beyond 2 GiB it fails. Neither reads the elements of a large weight.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import InvalidModel

if TYPE_CHECKING:
    import onnx

_LARGE = 1 << 12  # bytes
_ONE_FILE = 1 << 30  # bytes of a model that is written as one file; protobuf's own limit is the double


def hollowed(model: onnx.ModelProto, work: Callable[[onnx.ModelProto], onnx.ModelProto]) -> onnx.ModelProto:
    """What ``work`` makes of the model, its weights in place again. Raises InvalidModel where it lost one."""
    held = {}
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) >= _LARGE and tensor.data_type not in (6, 7):  # INT32 and INT64 may be shapes
            held[tensor.name] = tensor.raw_data
            tensor.ClearField("raw_data")
    made = work(model)
    for tensor in made.graph.initializer:
        if tensor.name in held:
            tensor.raw_data = held.pop(tensor.name)
    if held:
        raise InvalidModel("a weight was lost in preparation", on=next(iter(held)))
    return made


def is_large(model: onnx.ModelProto) -> bool:
    """Whether the model needs a second file for its weights."""
    return bool(model.ByteSize() > _ONE_FILE)


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write the model, its weights beside it where it is large; the model in memory stays as it is."""
    import onnx

    if not is_large(model):
        path.write_bytes(model.SerializeToString())
        return
    # It turns the tensors of the model in memory into references to the file.
    onnx.save(model, path, save_as_external_data=True, location=f"{path.stem}.bin")
    onnx.load_external_data_for_model(model, str(path.parent))
    for tensor in model.graph.initializer:
        tensor.ClearField("data_location")
