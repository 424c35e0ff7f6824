"""The numbers inside constants, read where they lie: raw, typed or in external files."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.external import locate
from registry.onnx.ir import Tensor
from registry.onnx.tensors import unpack_varints
from registry.onnx.wire import Span

_CHUNK = 1 << 16  # bytes compared at once
_TYPED = 1 << 20  # elements: typed numbers must be unpacked, so they cost memory
_MIDDLE = 128  # the largest zero point that is written as a float: MatMulNBits with 8 bits
_FORMATS = {"FLOAT": "<f", "FLOAT16": "<e", "DOUBLE": "<d"}  # of struct


class Contents:
    """Reads constants of the model at ``path``; ``views`` holds the version's files by path."""

    def __init__(self, path: str, views: Mapping[str, memoryview]) -> None:
        self._path = path
        self._views = views
        self._sizes = {name: len(view) for name, view in views.items()}

    def raw(self, tensor: Tensor) -> memoryview:
        """The tensor's elements as ONNX stores them raw: little-endian, 4- and 2-bit ones packed.

        Raises InvalidModel where they are missing or not as many as the shape says.
        """
        expected = elements.size(tensor.data_type, tensor.elements)
        if tensor.external is not None:
            file, offset, length = locate(tensor, tensor.external, self._path, self._sizes)
            found = Span(offset, length).of(self._views[file])
        elif tensor.raw is not None:
            found = tensor.raw.of(self._views[self._path])
        else:
            found = self._typed(tensor)
        if len(found) != expected:
            raise InvalidModel(
                f"a constant holds {len(found)} bytes where its shape and type need {expected}",
                on=tensor.name,
                hint="export the model again",
            )
        return found

    def text(self, span: Span) -> str:
        """A string attribute's value; what is not UTF-8 in it is replaced."""
        return str(span.of(self._views[self._path]), "utf-8", "replace")

    def _typed(self, tensor: Tensor) -> memoryview:
        """Floats and doubles lie as they would raw; other types are varints, one for each element."""
        view = self._views[self._path]
        if tensor.data_type in (elements.FLOAT, elements.DOUBLE) and len(tensor.typed) == 1:
            return tensor.typed[0].of(view)  # packed: the numbers lie there as they would raw
        if tensor.elements > _TYPED:
            raise InvalidModel("a quantization parameter of impossible size", on=tensor.name)
        if tensor.data_type in (elements.FLOAT, elements.DOUBLE):
            return memoryview(b"".join(bytes(span.of(view)) for span in tensor.typed))
        size = elements.size(tensor.data_type, tensor.elements) or 0
        width = max(1, elements.bits(tensor.data_type) // 8)  # a packed pair of 4-bit numbers has its byte
        numbers = unpack_varints(view, tensor.typed, size // width)
        mask = (1 << 8 * width) - 1
        return memoryview(b"".join((number & mask).to_bytes(width, "little") for number in numbers))

    def is_all(self, tensor: Tensor, value: int) -> bool:
        """Whether every element of a constant, integer or float, is ``value``. Raises InvalidModel."""
        kind = elements.name(tensor.data_type)
        bits = elements.bits(tensor.data_type)
        if kind.startswith(("FLOAT", "BFLOAT", "DOUBLE")) and value > _MIDDLE:
            return False
        if kind in _FORMATS:
            return _repeats(self.raw(tensor), struct.pack(_FORMATS[kind], value))
        if kind == "BFLOAT16":
            return _repeats(self.raw(tensor), struct.pack("<f", value)[2:])
        if kind.startswith("FLOAT") and value:
            return False  # 8- and 4-bit floats have no zero point but 0
        if bits < 8:
            return is_packed(self.raw(tensor), value, bits, tensor.elements)
        return _repeats(self.raw(tensor), (value & ((1 << bits) - 1)).to_bytes(bits // 8, "little"))


def is_packed(data: memoryview, value: int, bits: int, row: int) -> bool:
    """Whether numbers of ``bits`` packed from the low end are all ``value``.

    ``data`` is rows of ``row`` numbers; what fills up a row's last byte is not looked at.
    """
    if bits not in (2, 4, 8):
        return False  # other widths cross bytes; no runtime has them yet
    value &= (1 << bits) - 1
    full = sum(value << shift for shift in range(0, 8, bits))
    left = row * bits % 8
    if not left:
        return _repeats(data, bytes((full,)))
    width = row * bits // 8 + 1  # bytes of a row
    mask = (1 << left) - 1
    return all(
        _repeats(line[:-1], bytes((full,))) and (line[-1] ^ full) & mask == 0 for line in _rows(data, width)
    )


def _rows(data: memoryview, width: int) -> Iterator[memoryview]:
    return (data[at : at + width] for at in range(0, len(data), width))


def _repeats(data: memoryview, element: bytes) -> bool:
    """Whether ``data`` is ``element`` over and over; a chunk at a time, so nothing large is copied."""
    pattern = element * (_CHUNK // len(element))
    return all(bytes(chunk) == pattern[: len(chunk)] for chunk in _rows(data, _CHUNK))
