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

LATEST = 1 << 20  # beyond every operator set version
_COUNT = 1 << 20  # numbers in one attribute
_FLOAT, _INT, _STRING, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 6, 7, 8
_NUMBERED = {_FLOATS: "floats", _INTS: "ints", _STRINGS: "strings"}


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
    view = loaded.views[loaded.path]
    if attribute.t is not None:
        return tensor(loaded, attribute.t)
    if attribute.floats or attribute.type == _FLOATS:
        packed = b"".join(bytes(span.of(view)) for span in attribute.floats)
        return struct.unpack(f"<{len(packed) // 4}f", packed[: len(packed) // 4 * 4])
    if attribute.ints or attribute.type == _INTS:
        return tuple(unpack_varints(view, attribute.ints, _COUNT))
    if attribute.strings or attribute.type == _STRINGS:
        return tuple(bytes(span.of(view)) for span in attribute.strings)
    if attribute.f is not None or attribute.type == _FLOAT:
        return struct.unpack("<f", bytes((attribute.f or Span(0, 0)).of(view)) or bytes(4))[0]
    if attribute.s is not None or attribute.type == _STRING:
        return bytes((attribute.s or Span(0, 0)).of(view))
    if attribute.tensors or attribute.sparse:
        held = (*attribute.tensors, *(part for sparse in attribute.sparse for part in (sparse.values,)))
        return tuple(tensor(loaded, one) for one in held)
    return attribute.i or 0


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
    """The attributes with the defaults of ``version``, less those that are the newest version's default."""
    newest = defaults(op, domain, LATEST)
    full = {**defaults(op, domain, version), **attrs}
    return {name: value for name, value in full.items() if name not in newest or newest[name] != value}


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
