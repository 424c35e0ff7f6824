"""How constants are stored: once, in as many bytes as their shape needs, with nothing between the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from registry.errors import InvalidModel, UnsafePath
from registry.onnx import elements
from registry.onnx.findings import Rule
from registry.onnx.ir import SparseTensor, Tensor
from registry.onnx.scan.subject import Subject
from registry.onnx.tensors import unpack_varints

OVERFLOW: Final = Rule(
    "shape-overflow",
    "high",
    "a constant of impossible shape",
    "The product of its dimensions overflows or is negative: a reader may take it for a small one.",
)
TYPE: Final = Rule(
    "unknown-element-type",
    "high",
    "a constant of a type that is not known",
    "Its bytes mean something else to every reader.",
)
LENGTH: Final = Rule(
    "content-length",
    "high",
    "a constant whose bytes are not as many as its shape says",
    "Spare bytes carry things along; missing ones are read from elsewhere.",
)
TWICE: Final = Rule(
    "content-twice",
    "high",
    "a constant stored in two ways",
    "Raw bytes, typed numbers and external data in one tensor: each reader takes another.",
)
WRONG_LIST: Final = Rule(
    "content-in-wrong-field",
    "high",
    "a constant stored in the list of another type",
    "Readers look into the list that belongs to the type: this one is carried along unseen.",
)
LEFTOVER: Final = Rule(
    "external-leftover",
    "medium",
    "external data of a tensor that is stored inside",
    "Readers ignore it or read it; either way it is not what the tensor says.",
)
PADDING: Final = Rule(
    "padding-bits",
    "medium",
    "padding bits that are not zero",
    "Numbers of four and two bits leave bits over in the last byte: nothing reads them.",
)
BOOLEAN: Final = Rule(
    "boolean-bytes",
    "medium",
    "truth values other than 0 and 1",
    "One bit of the byte counts, seven carry what they like; kernels differ in what they take for true.",
)
STUFFED: Final = Rule(
    "attribute-stuffed",
    "high",
    "an attribute that holds more than its value",
    "An attribute has one value of one kind: what else it holds is carried along unseen.",
)
RANGE: Final = Rule(
    "value-outside-type",
    "medium",
    "a stored number that its type cannot have",
    "Readers cut off the bits that are too many: until then they carry something.",
)
SPARSE: Final = Rule(
    "sparse-indices",
    "high",
    "a sparse constant whose indices do not fit its shape",
    "A reader that fills in the numbers without checking writes past its memory.",
)
RULES: Final = (RANGE, SPARSE, OVERFLOW, TYPE, LENGTH, TWICE, WRONG_LIST, LEFTOVER, PADDING, BOOLEAN, STUFFED)

_LISTS = {4: "FLOAT COMPLEX64", 7: "INT64", 10: "DOUBLE COMPLEX128", 11: "UINT32 UINT64", 6: "STRING"}
_INT32 = frozenset(
    elements.name(number)
    for number in (2, 3, 4, 5, 6, 9, 10, *range(16, 27))  # all of 32 bits and less but FLOAT and UINT32
)
_RAW, _EXTERNAL, _TYPED = 1 << 9, 1 << 13, (4, 5, 6, 7, 10, 11)
# Fields of AttributeProto that hold values, by AttributeType (onnx.proto).
_VALUES = {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 11, 11: 22, 12: 23, 13: 14, 14: 15}
_TYPED_MOST = 1 << 20  # numbers that are unpacked one by one
_VALUE_BITS = sum(1 << number for number in _VALUES.values())


def check(subject: Subject) -> None:
    """Report how constants are stored where it is not as the format says."""
    seen = set()
    for tensor in subject.model.tensors():
        if tensor.span not in seen:
            seen.add(tensor.span)
            _tensor(subject, tensor, subject.fields.get(tensor.span.offset, 0))
    for place in subject.places:
        for sparse in place.sparse:
            _sparse(subject, place.on(sparse.values.name), sparse)
        for node in place.nodes:
            if node.op_type == "Constant" and not node.domain and len(node.attributes) != 1:
                told = f"{len(node.attributes)} attributes where a constant has one"
                subject.found.add(STUFFED, place.at(node), told)


def check_attributes(subject: Subject) -> None:
    """Report attributes that hold several values, or one that is not of their type."""
    for start, fields, kind in subject.attributes:
        values = fields & _VALUE_BITS
        own = 1 << _VALUES[kind] if kind in _VALUES else values  # files from before IR version 2 have no type
        if values & (values - 1) or values & ~own:
            numbers = [number for number in _VALUES.values() if values >> number & 1]
            subject.found.add(
                STUFFED, f"byte {start}", f"type {kind}, but fields {numbers} of the attribute are set"
            )


def _tensor(subject: Subject, tensor: Tensor, fields: int) -> None:
    found, on = subject.found, tensor.name
    kind = elements.name(tensor.data_type)
    try:
        count = tensor.elements
    except InvalidModel as error:
        found.add(OVERFLOW, on, f"{error.message}: {list(tensor.dims)[:8]}")
        return
    if kind == "UNDEFINED":
        found.add(TYPE, on, f"type number {tensor.data_type}")
        return
    lists = [number for number in _TYPED if fields >> number & 1]
    if (bool(fields & _RAW) + (tensor.external is not None) + len(lists)) > 1:
        found.add(TWICE, on, "more than one of raw, typed and external data is there")
    for number in lists:
        if kind not in (_INT32 if number == 5 else _LISTS[number].split()):
            found.add(WRONG_LIST, on, f"field {number} holds numbers of a {kind} tensor")
            return
    if fields & _EXTERNAL and tensor.external is None:
        found.add(LEFTOVER, on, "it names external data that it does not use")
    if kind != "STRING" and tensor.external is None:
        _length(subject, tensor, kind, count, lists)
    if lists == [5] and elements.bits(tensor.data_type) < 32:
        _range(subject, tensor, kind, count)
    if kind == "BOOL" or 0 < elements.bits(tensor.data_type) < 8:
        _spare(subject, tensor, kind, count)


def _length(subject: Subject, tensor: Tensor, kind: str, count: int, lists: list[int]) -> None:
    expected = elements.size(tensor.data_type, count) or 0
    if tensor.raw is not None:
        held, unit = tensor.raw.length, "bytes"
    elif not lists:
        held, unit = 0, "bytes"
    elif lists[0] in (4, 10):
        held, unit = sum(span.length for span in tensor.typed), "bytes"
    else:
        held, unit = _varints(subject, tensor), "numbers"
        expected = expected if elements.bits(tensor.data_type) < 8 else count
    if held != expected:
        subject.found.add(LENGTH, tensor.name, f"{held} {unit} where shape and type need {expected}")


def _varints(subject: Subject, tensor: Tensor) -> int:
    """How many varints the lists hold: each has one byte below 0x80, its last."""
    import numpy as np

    view = subject.views[subject.path]
    lone = sum(span.length == 1 for span in tensor.typed)
    lists = (np.frombuffer(span.of(view), np.uint8) for span in tensor.typed if span.length > 1)
    return lone + sum(int(np.count_nonzero(one < 0x80)) for one in lists)


def _range(subject: Subject, tensor: Tensor, kind: str, count: int) -> None:
    """Types of less than a byte lie two or four to a number."""
    width = max(8, elements.bits(tensor.data_type))
    low, high = (0, 1) if kind == "BOOL" else (-(1 << (width - 1)), (1 << width) - 1)
    try:
        numbers = unpack_varints(subject.views[subject.path], tensor.typed, min(count, _TYPED_MOST))
    except InvalidModel:
        return  # more of them than the shape says: reported there
    if any(not low <= number <= high for number in numbers):
        subject.found.add(RANGE, tensor.name, f"not all of {len(numbers)} are {kind}")


def _sparse(subject: Subject, on: str, sparse: SparseTensor) -> None:
    """Indices are places in the flattened tensor, or one coordinate for each dimension."""
    try:
        total = elements.count(sparse.dims, on)
    except InvalidModel as error:
        subject.found.add(OVERFLOW, on, error.message)
        return
    held = sparse.indices
    if held is None or held.data_type != elements.INT64 or sparse.values.dims != held.dims[:1]:
        subject.found.add(SPARSE, on, "there is not one index for each value")
        return
    for raw in _raw(subject, held):
        import numpy as np

        places = np.frombuffer(raw, "<i8").reshape(held.dims)
        bounds = np.asarray(sparse.dims if places.ndim > 1 else (total,), np.int64)
        if places.ndim > 1 and places.shape[1:] != bounds.shape:
            subject.found.add(SPARSE, on, f"{list(places.shape)} indices for {len(sparse.dims)} dimensions")
        elif ((places < 0) | (places >= bounds)).any():
            subject.found.add(SPARSE, on, f"an index lies outside {list(sparse.dims)[:8]}")


def _spare(subject: Subject, tensor: Tensor, kind: str, count: int) -> None:
    """Bits that no number uses."""
    for raw in _raw(subject, tensor):
        if kind == "BOOL":
            import numpy as np

            if raw and int(np.frombuffer(raw, np.uint8).max()) > 1:
                subject.found.add(BOOLEAN, tensor.name, "a byte is neither 0 nor 1")
        else:
            used = count * elements.bits(tensor.data_type) % 8
            if used and len(raw) and raw[-1] >> used:
                subject.found.add(PADDING, tensor.name, f"the last byte is {raw[-1]:#04x}")


def _raw(subject: Subject, tensor: Tensor) -> Iterator[memoryview]:
    try:
        yield subject.contents.raw(tensor)
    except (InvalidModel, UnsafePath):
        return  # reported elsewhere
