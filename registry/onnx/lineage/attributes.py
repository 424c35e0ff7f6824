"""Attributes as plain comparable values, completed with their defaults and freed of what says nothing."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from registry.onnx import arrays
from registry.onnx.ir import Attribute, Node, Tensor
from registry.onnx.loaded import Loaded
from registry.onnx.tensors import unpack_varints
from registry.onnx.wire import Span

_NONE = object()
LATEST = 1 << 20  # beyond every operator set version
_COUNT = 1 << 20  # numbers in one attribute
_FLOAT, _INT, _STRING, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 6, 7, 8
_ANY = -1
_NOTHING = Span(0, 0)
_SINGLE = {_FLOAT: float, _INT: int, _STRING: bytes}
_LISTS = {_FLOATS: float, _INTS: int, _STRINGS: bytes}
_NUMBERS = (
    *("axis", "block_size", "K", "N", "bits", "transA", "transB", "gather_axis", "quantize_axis", "group"),
    *("quant_type", "channels_last", "accuracy_level", "opset", "training_mode", "ceil_mode", "inputs"),
    *("count_include_pad", "hidden_size", "input_forget", "layout", "keepdims", "num_heads"),
)
_TUPLES = ("pads", "strides", "dilations", "kernel_shape", "axes", "perm", "shape")
_NUMBERED = {_FLOATS: "floats", _INTS: "ints", _STRINGS: "strings"}


class _Types(dict[str, int]):
    """Of operators without a schema here: what is looked at has one type, anything else any."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name, _ANY)


MICROSOFT_TYPES = _Types({**dict.fromkeys(_NUMBERS, _INT), **dict.fromkeys(_TUPLES, _INTS), "alpha": _FLOAT})


def written(loaded: Loaded, node: Node, given: Mapping[str, Attribute]) -> dict[str, Any]:
    """The node's attributes as the file has them; subgraphs left out. ``given`` are those of a function
    call. Raises InvalidModel."""
    found: dict[str, Any] = {}
    for name, attribute in node.attributes.items():
        if attribute.ref:
            if attribute.ref not in given:
                continue
            attribute = given[attribute.ref]
        if attribute.g is None and not attribute.graphs:
            found[name] = value(loaded, attribute)
    return found


def value(loaded: Loaded, attribute: Attribute) -> Any:
    """One attribute's value: int, float, bytes, a tuple of these, or a tensor's type, shape and digest."""
    kind = attribute.type or _shown(attribute)
    if attribute.t is not None:
        return tensor(loaded, attribute.t)
    if kind in (_FLOATS, _STRINGS, _INTS):
        return _list(loaded, attribute, kind)
    if attribute.tensors or attribute.sparse:
        held = (*attribute.tensors, *(sparse.values for sparse in attribute.sparse))
        return tuple(tensor(loaded, one) for one in held)
    view = loaded.views[loaded.path]
    if kind == _FLOAT:
        return struct.unpack("<f", bytes((attribute.f or _NOTHING).of(view)) or bytes(4))[0]
    if kind == _STRING:
        return bytes((attribute.s or _NOTHING).of(view))
    return attribute.i or 0 if kind == _INT else ("type", kind)  # a type without a value of it


def _shown(attribute: Attribute) -> int:
    """The type of an attribute that tells none, as the earliest files: by what it holds."""
    held = (
        *((attribute.floats, _FLOATS), (attribute.ints, _INTS), (attribute.strings, _STRINGS)),
        *((attribute.f, _FLOAT), (attribute.s, _STRING)),
    )
    return next((kind for part, kind in held if part), _INT)


def _list(loaded: Loaded, attribute: Attribute, kind: int) -> Any:
    view = loaded.views[loaded.path]
    if kind == _INTS:
        return tuple(unpack_varints(view, attribute.ints, _COUNT))
    if kind == _STRINGS:
        return tuple(bytes(span.of(view)) for span in attribute.strings)
    packed = b"".join(bytes(span.of(view)) for span in attribute.floats)
    return struct.unpack(f"<{len(packed) // 4}f", packed[: len(packed) // 4 * 4])


def tensor(loaded: Loaded, held: Tensor) -> Any:
    """A tensor by type, shape and content."""
    return held.data_type, held.dims, digest(loaded, held)


def digest(loaded: Loaded, held: Tensor) -> bytes:
    """SHA-256 of a tensor's numbers, however the file writes them. Raises InvalidModel."""
    if held.data_type == 8:  # strings
        view = loaded.views[loaded.path]
        parts = [bytes(span.of(view)) for span in held.typed]
        return hashlib.sha256(b"".join(struct.pack("<Q", len(part)) + part for part in parts)).digest()
    return sha256(arrays.array(loaded.contents, held))


def sha256(numbers: Any) -> bytes:
    """The digest of an array's elements."""
    return hashlib.sha256(numbers.tobytes()).digest()


def version_of(loaded: Loaded, domain: str) -> int:
    """The operator set version that the model imports for ``domain``; 1 where it imports none."""
    return dict(loaded.model.opsets).get(domain, 1)


def completed(op: str, domain: str, version: int, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes with the defaults of ``version``, less those that are the newest version's default, or
    the default of one that newer versions do without."""
    newest, own = defaults(op, domain, LATEST), defaults(op, domain, version)
    lasting = known(op, domain)
    return {
        name: value
        for name, value in {**own, **attrs}.items()
        if (newest if name in lasting or name not in own else own).get(name, _NONE) != value
    }


def vetted(op: str, domain: str, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes; one that the operator does not have, or of another type, under a name that nobody
    looks for: it still tells two nodes apart."""
    types = MICROSOFT_TYPES if domain else types_of(op)
    return {name if _fits(types.get(name), value) else f"?{name}": value for name, value in attrs.items()}


def _fits(kind: int | None, value: Any) -> bool:
    if kind in _LISTS:
        return isinstance(value, tuple) and all(type(part) is _LISTS[kind] for part in value)
    return kind is not None and (kind == _ANY or type(value) is _SINGLE.get(kind, tuple))


@lru_cache(maxsize=1024)
def types_of(op: str) -> Mapping[str, int]:
    """The types of an ai.onnx operator's attributes, with those that only older versions have: weight-only
    quantization raises a file's operator set and leaves its nodes as they are."""
    from onnx import defs

    found: dict[str, int] = {}
    version = defs.onnx_opset_version()
    while version > 0 and defs.has(op, domain="", max_inclusive_version=version):
        schema = defs.get_schema(op, version, "")
        found = {name: _number(held.type) for name, held in schema.attributes.items()} | found
        version = schema.since_version - 1
    return found


def _number(kind: Any) -> int:
    """onnx's own enumeration as a number."""
    return int(kind)


@lru_cache(maxsize=1024)
def known(op: str, domain: str) -> frozenset[str]:
    """The attributes of the operator's newest version."""
    from onnx import defs

    newest = defs.onnx_opset_version() if domain == "" else LATEST
    if not defs.has(op, domain=domain, max_inclusive_version=newest):
        return frozenset()
    return frozenset(defs.get_schema(op, newest, domain).attributes)


@lru_cache(maxsize=4096)
def defaults(op: str, domain: str, version: int) -> Mapping[str, Any]:
    """The operator's attributes that have a default value in that version (ONNX "Operators")."""
    from onnx import defs

    newest = defs.onnx_opset_version() if domain == "" else LATEST
    if not defs.has(op, domain=domain, max_inclusive_version=min(version, newest)):
        return {}
    schema = defs.get_schema(op, min(version, newest), domain)
    return {
        name: _plain(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }


def _plain(proto: Any) -> Any:
    """The value of onnx's own AttributeProto."""
    if proto.type in _NUMBERED:
        return tuple(getattr(proto, _NUMBERED[proto.type]))
    return {_FLOAT: proto.f, _INT: proto.i, _STRING: proto.s}.get(proto.type, proto.SerializeToString())
