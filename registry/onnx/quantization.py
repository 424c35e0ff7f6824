"""Quantization facts as values: what a version's attestation signs and what checkout compares.

Deterministic: the same files give the same facts in the same order. Integers, strings and booleans
only, so that RFC 8785 writes them the same way everywhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from registry import strictjson
from registry.errors import Malformed

MODES: Final = ("float", "static", "dynamic", "weight-only", "mixed")
FORMATS: Final = ("none", "QDQ", "QOperator", "mixed")
ROLES: Final = ("weight", "bias", "activation")
GRANULARITIES: Final = ("per-tensor", "per-channel", "blockwise")
_HIGH = (1 << 31) - 1


@dataclass(frozen=True)
class QuantizedTensor:
    """One quantized tensor of a graph.

    ``name`` is that of the integer tensor, or of the float constant that a QuantizeLinear rounds at run
    time (``stored`` is then False, as it is for activations). ``scope`` is "" in the main graph, else the
    nodes that lead to the subgraph or function. ``operator`` is the one that brings the scale. ``type``
    is an ONNX element type; for numbers packed into bytes the type they stand for (UINT4); NF4 and FP4
    for bitsandbytes. ``symmetric``: the zero point is the middle of the type's range (0 where signed).
    ``shape`` is the logical one, None for activations. ``axis`` counts in it: the channels, or for
    "blockwise" the dimension that is cut into blocks of ``block_size`` elements (None: the flat order).
    """

    name: str
    scope: str
    role: str
    operator: str
    type: str
    bits: int
    symmetric: bool
    granularity: str
    axis: int | None
    block_size: int | None
    shape: tuple[int, ...] | None
    stored: bool

    def to_dict(self) -> dict[str, object]:
        return asdict(self) | {"shape": None if self.shape is None else list(self.shape)}

    @classmethod
    def from_dict(cls, value: object) -> QuantizedTensor:
        """Raises Malformed."""
        obj = strictjson.as_object(value, "a quantized tensor")
        strictjson.only(obj, list(cls.__dataclass_fields__))
        return cls(
            name=strictjson.text(obj, "name"),
            scope=strictjson.text(obj, "scope"),
            role=_one_of(obj, "role", ROLES),
            operator=strictjson.text(obj, "operator"),
            type=strictjson.text(obj, "type"),
            bits=strictjson.integer(obj, "bits", high=64),
            symmetric=strictjson.boolean(obj, "symmetric"),
            granularity=_one_of(obj, "granularity", GRANULARITIES),
            axis=_optional(obj, "axis"),
            block_size=_optional(obj, "block_size"),
            shape=_shape(obj),
            stored=strictjson.boolean(obj, "stored"),
        )


@dataclass(frozen=True)
class QuantizationFacts:
    """What the graph of one ONNX file says about its quantization.

    ``mode``: "static" where activations are quantized with stored scales, "dynamic" with scales computed
    at run time, "weight-only" where only constants are quantized, "mixed" for more than one of these
    (operators such as MatMulNBits beside quantized activations too), "float" for none.
    ``format``: "QDQ" for float operators between QuantizeLinear and DequantizeLinear (of either domain),
    "QOperator" for operators that take quantized tensors themselves, "mixed" for both, "none" for neither.
    ``opsets``: domain and version, by domain. ``operators``: quantized operators and how often each occurs.
    Weights are constants: ``quantized_*`` counts those stored quantized (int32 biases apart), ``float_*``
    those of 16 bits and more with at least two elements, scales apart; ``*_elements`` their numbers.
    """

    mode: str
    format: str
    opsets: tuple[tuple[str, int], ...]
    operators: tuple[tuple[str, int], ...]
    quantized_weights: int
    quantized_elements: int
    float_weights: int
    float_elements: int
    tensors: tuple[QuantizedTensor, ...]

    def to_dict(self) -> dict[str, object]:
        return {
            "mode": self.mode,
            "format": self.format,
            "opsets": [{"domain": domain, "version": version} for domain, version in self.opsets],
            "operators": [{"operator": name, "count": count} for name, count in self.operators],
            "quantized_weights": self.quantized_weights,
            "quantized_elements": self.quantized_elements,
            "float_weights": self.float_weights,
            "float_elements": self.float_elements,
            "tensors": [tensor.to_dict() for tensor in self.tensors],
        }

    @classmethod
    def from_dict(cls, value: object) -> QuantizationFacts:
        """Raises Malformed."""
        obj = strictjson.as_object(value, "quantization facts")
        strictjson.only(obj, list(cls.__dataclass_fields__))
        return cls(
            mode=_one_of(obj, "mode", MODES),
            format=_one_of(obj, "format", FORMATS),
            opsets=_counted(obj, "opsets", "domain", "version"),
            operators=_counted(obj, "operators", "operator", "count"),
            quantized_weights=strictjson.integer(obj, "quantized_weights", high=_HIGH),
            quantized_elements=strictjson.integer(obj, "quantized_elements"),
            float_weights=strictjson.integer(obj, "float_weights", high=_HIGH),
            float_elements=strictjson.integer(obj, "float_elements"),
            tensors=tuple(map(QuantizedTensor.from_dict, strictjson.objects(obj, "tensors"))),
        )


def _counted(obj: strictjson.Object, key: str, name: str, number: str) -> tuple[tuple[str, int], ...]:
    found = []
    for item in strictjson.objects(obj, key):
        strictjson.only(item, (name, number))
        found.append((strictjson.text(item, name), strictjson.integer(item, number, high=_HIGH)))
    return tuple(found)


def _one_of(obj: strictjson.Object, key: str, allowed: tuple[str, ...]) -> str:
    value = strictjson.text(obj, key)
    if value not in allowed:
        raise Malformed("a field has an unknown value", on=f"{key}: {value[:50]!r}")
    return value


def _optional(obj: strictjson.Object, key: str) -> int | None:
    return None if obj[key] is None else strictjson.integer(obj, key, high=_HIGH)


def _shape(obj: strictjson.Object) -> tuple[int, ...] | None:
    if obj["shape"] is None:
        return None
    dims = [{"dim": dim} for dim in strictjson.array(obj, "shape")]
    return tuple(strictjson.integer(dict(dim), "dim") for dim in dims)
