"""An evaluation as a value: what the attestation ``https://hallmark-registry/evaluation/v1`` says.

Integers and strings only, so that RFC 8785 writes them the same way everywhere: agreement and cosine in parts
per million, rounded down; SQNR in thousandths of a decibel, rounded down, within ±200 dB (200,000 stands for
answers that are equal, -200,000 for noise where the parent is silent); errors as decimal strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from registry import strictjson
from registry.errors import Malformed

MILLION = 1_000_000
CAP = 200_000  # millidecibel
MAX_OUTPUTS = 256
MAX_LAYERS = 500  # what is signed; of more than that, the worst
_DECIMAL = re.compile(r"\d{1,17}(\.\d{1,17})?(e[+-]\d{1,3})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
T = TypeVar("T")


@dataclass(frozen=True)
class Output:
    """One output of the child, beside the parent's.

    ``type`` is the child's, as ONNX Runtime names it. ``agreement_ppm`` is None where there are no classes,
    the three after it where there are no floats.
    ``unlike`` counts elements that are infinite or not a number in one of the two only.
    """

    name: str
    parent: str
    type: str
    elements: int
    agreement_ppm: int | None
    cosine_ppm: int | None
    sqnr_mdb: int | None
    largest_error: str | None
    unlike: int

    @classmethod
    def from_dict(cls, value: object) -> Output:
        """Raises Malformed."""
        obj = _fields(cls, value, "an output")
        return cls(
            name=strictjson.text(obj, "name"),
            parent=strictjson.text(obj, "parent"),
            type=strictjson.text(obj, "type"),
            elements=strictjson.integer(obj, "elements"),
            agreement_ppm=_optional(obj, "agreement_ppm", 0, MILLION),
            cosine_ppm=_optional(obj, "cosine_ppm", -MILLION, MILLION),
            sqnr_mdb=_optional(obj, "sqnr_mdb", -CAP, CAP),
            largest_error=None if obj["largest_error"] is None else _decimal(obj, "largest_error"),
            unlike=strictjson.integer(obj, "unlike"),
        )


@dataclass(frozen=True)
class Layer:
    """One value inside the graph: its name in child and parent, and the parent's operator that makes it."""

    name: str
    parent: str
    operator: str
    sqnr_mdb: int
    largest_error: str

    @classmethod
    def from_dict(cls, value: object) -> Layer:
        """Raises Malformed."""
        obj = _fields(cls, value, "a layer")
        return cls(
            name=strictjson.text(obj, "name"),
            parent=strictjson.text(obj, "parent"),
            operator=strictjson.text(obj, "operator"),
            sqnr_mdb=strictjson.integer(obj, "sqnr_mdb", low=-CAP, high=CAP),
            largest_error=_decimal(obj, "largest_error"),
        )


@dataclass(frozen=True)
class Parent:
    """What the child is compared with. ``reference`` is None for a file of one's own; ``digest`` is the OMS
    root digest, hexadecimal, of the version, or of what a push of the file would sign."""

    reference: str | None
    digest: str
    model: str  # the ONNX file in it

    @classmethod
    def from_dict(cls, value: object) -> Parent:
        """Raises Malformed."""
        obj = _fields(cls, value, "the parent")
        reference = None if obj["reference"] is None else strictjson.text(obj, "reference")
        return cls(reference, _sha256(obj), strictjson.text(obj, "model"))


@dataclass(frozen=True)
class Data:
    """The samples: SHA-256 of their canonical form, and how many."""

    digest: str
    samples: int

    @classmethod
    def from_dict(cls, value: object) -> Data:
        """Raises Malformed."""
        obj = _fields(cls, value, "the data")
        return cls(_sha256(obj), strictjson.integer(obj, "samples", low=1))


@dataclass(frozen=True)
class Evaluation:
    """A child measured against its parent. ``layers_measured`` counts the layers; ``layers`` holds the worst
    ``MAX_LAYERS`` of them, in the parent's order."""

    model: str  # the ONNX file in the version
    parent: Parent
    data: Data
    outputs: tuple[Output, ...]
    layers: tuple[Layer, ...] = ()
    layers_measured: int = 0
    tools: tuple[tuple[str, str], ...] = field(default=())  # name and version, by name

    @property
    def agreement_ppm(self) -> int | None:
        """The lowest of all outputs; None where none has classes."""
        return min(_known(one.agreement_ppm for one in self.outputs), default=None)

    @property
    def cosine_ppm(self) -> int | None:
        """The lowest of all outputs; None where none holds floats."""
        return min(_known(one.cosine_ppm for one in self.outputs), default=None)

    @property
    def sqnr_mdb(self) -> int | None:
        """The lowest of all outputs; None where none holds floats."""
        return min(_known(one.sqnr_mdb for one in self.outputs), default=None)

    def to_dict(self) -> dict[str, Any]:
        """The predicate."""
        return {
            "model": self.model,
            "parent": asdict(self.parent),
            "data": asdict(self.data),
            "agreement_ppm": self.agreement_ppm,
            "cosine_ppm": self.cosine_ppm,
            "sqnr_mdb": self.sqnr_mdb,
            "outputs": [asdict(one) for one in self.outputs],
            "layers": [asdict(one) for one in self.layers],
            "layers_measured": self.layers_measured,
            "tools": dict(self.tools),
        }

    @classmethod
    def from_dict(cls, value: object) -> Evaluation:
        """Raises Malformed, for a summary too that is not that of its outputs."""
        obj = strictjson.as_object(value, "an evaluation")
        strictjson.only(obj, (*cls.__dataclass_fields__, "agreement_ppm", "cosine_ppm", "sqnr_mdb"))
        tools = strictjson.nested(obj, "tools")
        read = cls(
            model=strictjson.text(obj, "model"),
            parent=Parent.from_dict(obj["parent"]),
            data=Data.from_dict(obj["data"]),
            outputs=_list(obj, "outputs", MAX_OUTPUTS, Output.from_dict),
            layers=_list(obj, "layers", MAX_LAYERS, Layer.from_dict),
            layers_measured=strictjson.integer(obj, "layers_measured"),
            tools=tuple((name, strictjson.text(tools, name)) for name in sorted(tools)),
        )
        if read.layers_measured < len(read.layers):
            raise Malformed("there are more layers than were measured", on=str(read.layers_measured))
        for name in ("agreement_ppm", "cosine_ppm", "sqnr_mdb"):
            if type(obj[name]) is not type(getattr(read, name)) or obj[name] != getattr(read, name):
                raise Malformed("a summary is not that of the outputs", on=name)
        return read


def _known(values: Iterable[int | None]) -> list[int]:
    return [value for value in values if value is not None]


def _fields(cls: Any, value: object, what: str) -> strictjson.Object:
    obj = strictjson.as_object(value, what)
    strictjson.only(obj, list(cls.__dataclass_fields__))
    return obj


def _optional(obj: strictjson.Object, key: str, low: int, high: int) -> int | None:
    return None if obj[key] is None else strictjson.integer(obj, key, low=low, high=high)


def _decimal(obj: strictjson.Object, key: str) -> str:
    found = strictjson.text(obj, key)
    if not _DECIMAL.fullmatch(found):
        raise Malformed("a field is not a decimal number", on=key)
    return found


def _sha256(obj: strictjson.Object) -> str:
    found = strictjson.text(obj, "digest")
    if not _SHA256.fullmatch(found):
        raise Malformed("a digest is not 64 lower-case hexadecimal digits", on=found[:80])
    return found


def _list(obj: strictjson.Object, key: str, most: int, read: Callable[[object], T]) -> tuple[T, ...]:
    found = strictjson.array(obj, key)
    if len(found) > most:
        raise Malformed(f"more than {most} {key}", on=str(len(found)))
    return tuple(map(read, found))
