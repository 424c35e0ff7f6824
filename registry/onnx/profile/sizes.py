"""What a model weighs, and what it would in float32."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from registry.onnx import elements
from registry.onnx.entries import Evidence
from registry.onnx.external import external_files
from registry.onnx.facts import Surveyed
from registry.onnx.ir import Tensor
from registry.onnx.loaded import Loaded
from registry.onnx.profile.values import Size
from registry.onnx.wire import Span

_FLOAT32 = 4  # bytes


def stored_bytes(tensor: Tensor | None) -> int:
    """Bytes that the tensor's numbers occupy in the file, or beside it."""
    if tensor is None:
        return 0
    if tensor.external is not None or tensor.raw is None:
        written = sum(span.length for span in tensor.typed)
        return written or elements.size(tensor.data_type, tensor.elements) or 0
    return tensor.raw.length


def with_parameters(evidence: Evidence) -> int:
    """Bytes of a constant with its scales and zero points."""
    return sum(map(stored_bytes, (evidence.constant, evidence.scale, evidence.zero)))


def size_of(loaded: Loaded, found: Surveyed) -> Size:
    """Every constant counts once, whatever shares it. Raises InvalidModel, UnsafePath."""
    files = {loaded.path, *external_files(loaded.model, loaded.path)}
    total = sum(len(loaded.views[name]) for name in files)
    quantized = _once(chain.from_iterable(_parts(found)))
    floats = sum(map(stored_bytes, found.floats))
    numbers = sum(
        elements.count(one.shape or (), one.name) for one in found.survey.tensors.values() if one.stored
    )
    numbers += sum(tensor.elements for tensor in found.floats)
    rest = max(0, total - quantized - floats)
    return Size(bytes=total, quantized=quantized, floats=floats, float32=rest + _FLOAT32 * numbers)


def _parts(found: Surveyed) -> Iterable[tuple[Tensor | None, ...]]:
    for key, one in found.survey.tensors.items():
        if one.stored:
            evidence = found.survey.evidence[key]
            yield evidence.constant, evidence.scale, evidence.zero


def _once(tensors: Iterable[Tensor | None]) -> int:
    seen: dict[Span, int] = {}
    for tensor in tensors:
        if tensor is not None:
            seen[tensor.span] = stored_bytes(tensor)
    return sum(seen.values())
