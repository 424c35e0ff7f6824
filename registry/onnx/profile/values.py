"""What inspect finds in one ONNX file, as values. Nothing here is signed: real numbers are floats."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from registry.onnx.quantization import QuantizationFacts, QuantizedTensor

if TYPE_CHECKING:
    import numpy as np

    Counts = np.ndarray[tuple[int], np.dtype[np.int64]]
    Values = np.ndarray[tuple[int], np.dtype[np.float64]]

# Why a float weight is float, the ones that matter most first.
KINDS: Final = ("quantizable", "rounded-at-run-time", "no-kernel", "bias", "parameter")


@dataclass(frozen=True)
class Scales:
    """The scales of one tensor. Minimum, maximum and median are over the finite ones, None without any."""

    count: int
    minimum: float | None
    maximum: float | None
    median: float | None
    zero: int  # how many are 0,
    negative: int  # below it,
    not_finite: int  # infinite or no number


@dataclass(frozen=True)
class ZeroPoints:
    """The zero points of one tensor. ``count`` 0: the file has none, the values are what that implies."""

    count: int
    distinct: int
    minimum: float
    maximum: float


@dataclass(frozen=True)
class End:
    """How many of a tensor's values are at a level at the end of its type's range."""

    value: float
    count: int


@dataclass(frozen=True)
class Levels:
    """Which of a type's levels the stored values take.

    ``used`` of ``possible`` levels occur (None: more than 16 bits, not counted). ``ends`` are the lowest and
    the highest level; around the middle of the range a third stands between, the highest one's mirror image
    (-127 for int8, whose -128 most quantizers never write). ``saturation`` is the share of values at these.
    ``values`` and ``counts`` are for plots: levels in rising order and how often each occurs, 16 bits in 256
    runs of levels under the first of each.
    """

    used: int | None
    possible: int
    minimum: float | None
    maximum: float | None
    saturation: float
    ends: tuple[End, ...]
    values: Values | None = field(default=None, repr=False, compare=False)
    counts: Counts | None = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Without the histogram."""
        return {
            "used": self.used,
            "possible": self.possible,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "saturation": self.saturation,
            "ends": [asdict(end) for end in self.ends],
        }


@dataclass(frozen=True)
class TensorProfile:
    """One quantized tensor with its numbers.

    ``layers`` names the nodes that compute with it, ``operators`` what these are. ``bytes`` are those that it
    occupies with its scales and zero points. ``levels`` is None where the file stores no quantized values
    (activations, weights rounded at run time).
    ``scale`` and ``zero_point`` are None where the runtime computes them, or where the type has none.
    """

    facts: QuantizedTensor
    layers: tuple[str, ...]
    operators: tuple[str, ...]
    bytes: int
    scale: Scales | None
    zero_point: ZeroPoints | None
    levels: Levels | None

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.facts.to_dict(),
            "layers": list(self.layers),
            "used_by": list(self.operators),
            "bytes": self.bytes,
            "scale": None if self.scale is None else asdict(self.scale),
            "zero_point": None if self.zero_point is None else asdict(self.zero_point),
            "levels": None if self.levels is None else self.levels.to_dict(),
        }


@dataclass(frozen=True)
class Layer:
    """One operator that takes quantized tensors, or a heavy one that takes none.

    ``mode`` and ``format`` as in QuantizationFacts. ``integer``: ONNX Runtime's CPU provider computes it on
    the quantized values; ``why`` says what keeps it from that.
    """

    name: str
    scope: str
    operator: str
    mode: str
    format: str
    integer: bool
    why: str
    tensors: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"tensors": list(self.tensors)}


@dataclass(frozen=True)
class FloatWeight:
    """A constant that stayed float: what takes it, its cost (``share`` of the model's bytes), and why."""

    name: str
    type: str
    operator: str
    layer: str
    elements: int
    bytes: int
    share: float
    kind: str
    why: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Size:
    """Bytes of the model's files: as they are, and with every weight as float32 without scales."""

    bytes: int
    quantized: int  # of ``bytes``: quantized weights and biases with their scales and zero points
    floats: int  # of ``bytes``: weights that stayed float
    float32: int

    @property
    def ratio(self) -> float:
        """How many times larger the model would be in float32."""
        return self.float32 / self.bytes if self.bytes else 1.0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


@dataclass(frozen=True)
class Claim:
    """Something that the file says about itself at ``key``, and what its graph says of the same."""

    key: str
    claim: str
    graph: str
    agrees: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Profile:
    """Everything that inspect tells of one ONNX file.

    ``source`` is what was opened, a path or an exact reference, ``digest`` the OMS root digest of its files,
    hexadecimal, ``path`` the ONNX file's in it.
    """

    source: str
    digest: str
    path: str
    producer: str
    facts: QuantizationFacts
    tensors: tuple[TensorProfile, ...]
    layers: tuple[Layer, ...]
    floats: tuple[FloatWeight, ...]
    size: Size
    claims: tuple[Claim, ...]

    @property
    def weights(self) -> tuple[TensorProfile, ...]:
        """The quantized weights whose values the file stores, the largest first."""
        stored = [one for one in self.tensors if one.levels is not None and one.facts.role == "weight"]
        return tuple(sorted(stored, key=lambda one: -one.bytes))

    @property
    def disagreements(self) -> tuple[Claim, ...]:
        """The claims that the graph does not bear out."""
        return tuple(claim for claim in self.claims if not claim.agrees)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the facts, then what inspect adds to them."""
        return {
            "source": self.source,
            "digest": f"sha256:{self.digest}" if self.digest else "",
            "path": self.path,
            "producer": self.producer,
            **self.facts.to_dict(),
            "size": self.size.to_dict(),
            "tensors": [one.to_dict() for one in self.tensors],
            "layers": [one.to_dict() for one in self.layers],
            "floats": [one.to_dict() for one in self.floats],
            "claims": [one.to_dict() for one in self.claims],
        }
