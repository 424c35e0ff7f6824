"""The recipe of a quantized model: every option that decides its bytes, and nothing else.

A recipe, the parent's files, the calibration data and the tool versions give the same bytes again; so a
signed recipe can be replayed. Options that a mode does not use have one value only (None, 0 or False), so
that two recipes which do the same are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from registry import strictjson
from registry.errors import InvalidInput, Malformed

PROCEDURE = 1  # raise it when a change of this package changes the bytes of a result

MODES = ("static", "dynamic", "weight-only")
FORMATS = ("QDQ", "QOperator")
METHODS = ("MinMax", "Entropy", "Percentile", "Distribution")
WEIGHT_TYPES = ("INT8", "UINT8", "INT4", "UINT4", "NF4", "FP4")
ACTIVATION_TYPES = ("UINT8", "INT8", "UINT16", "INT16")

_TABLES = ("NF4", "FP4")  # sixteen levels from a table, MatMulBnb4
_WEIGHTS = {
    "static": ("INT8", "UINT8", "INT4", "UINT4"),
    "dynamic": ("INT8", "UINT8"),
    "weight-only": ("INT4", "UINT4", "INT8", "UINT8", *_TABLES),
}
_BINS = {"Entropy": 512, "Percentile": 2048, "Distribution": 2048}
_FEWEST = {"Entropy": 129, "Percentile": 129, "Distribution": 512}  # 128 levels fill 128 bins: MinMax again
_MOST = {"Entropy": 4096, "Percentile": 1 << 16, "Distribution": 1 << 16}  # Entropy takes their square
_PERCENTILE = 99_999  # thousandths of a percent: ONNX Runtime's own
_DEVIATIONS = 6000  # thousandths of a standard deviation
_MAX_OPSET = 64
_MAX_EXCLUDED = 10_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a float model is quantized. None, and 0 for numbers, take the default of the mode.

    ``mode``: "static" (activations by calibration), "dynamic" (activations at run time) or "weight-only".
    ``format``: "QDQ" (Q/DQ pairs around float operators) or "QOperator". ``calibration``: how static ranges
    come from the data. ``symmetric_weights`` of weight-only is what ``weight_type`` says: signed types are
    symmetric. ``block_size``: weights to one scale (weight-only), a power of two, 16 to 256. ``bins``: of the
    histograms (all methods but MinMax). ``percentile``: in thousandths of a percent. ``deviations``: the
    range that Distribution keeps about the mean, in thousandths of a standard deviation. ``accuracy_level``:
    of MatMulNBits (0 none; 4 lets kernels compute in int8). ``embeddings``: Gather tables too (weight-only,
    4 bit). ``optimize``: ONNX Runtime's basic graph optimizations first, batch norms are folded.
    ``opset``: the default operator set is raised to this at least, where the types need no newer one.
    ``exclude``: nodes that stay float, by name or by the name of an output of theirs; sorted.

    Raises InvalidInput where the options contradict each other.
    """

    mode: str = "static"
    format: str | None = None
    calibration: str | None = None
    weight_type: str | None = None
    activation_type: str | None = None
    per_channel: bool = True
    symmetric_weights: bool = True
    symmetric_activations: bool = False
    reduce_range: bool = False
    block_size: int = 0
    bins: int = 0
    percentile: int = 0
    deviations: int = 0
    accuracy_level: int = 0
    embeddings: bool = False
    optimize: bool = False
    opset: int = 13
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _among(self.mode, MODES, "mode")
        for name, value in _completed(self).items():
            object.__setattr__(self, name, value)
        _check(self)

    @property
    def bits(self) -> int:
        """Bits of a stored weight."""
        return 8 if self.weight_type in ("INT8", "UINT8") else 4

    @property
    def needs_calibration(self) -> bool:
        """Whether the result depends on calibration data."""
        return self.mode == "static"

    def to_dict(self) -> dict[str, Any]:
        """The recipe as it is signed: strings, integers, booleans and null."""
        made = {one.name: getattr(self, one.name) for one in fields(self)}
        return {"procedure": PROCEDURE, **made, "exclude": list(self.exclude)}

    @classmethod
    def from_dict(cls, found: object) -> Recipe:
        """The recipe that ``to_dict`` wrote. Raises Malformed, for another procedure as well."""
        obj = strictjson.as_object(found, "the recipe")
        strictjson.only(obj, ("procedure", *_FIELDS))
        if strictjson.integer(obj, "procedure") != PROCEDURE:
            raise Malformed("the recipe is of another procedure", on=str(obj["procedure"]))
        try:
            recipe = cls(**{name: _value(obj, name, kind) for name, kind in _FIELDS.items()})
        except InvalidInput as error:
            raise Malformed(f"the recipe is none: {error.message}", on=error.on) from error
        if recipe.to_dict() != obj:
            raise Malformed("the recipe is not written in full")
        return recipe


_FIELDS = {one.name: str(one.type) for one in fields(Recipe)}


def _value(obj: strictjson.Object, name: str, kind: str) -> Any:
    if kind == "bool":
        return strictjson.boolean(obj, name)
    if kind == "int":
        return strictjson.integer(obj, name)
    if kind == "str | None":
        return None if obj.get(name, "") is None else strictjson.text(obj, name)
    return strictjson.text(obj, name) if kind == "str" else tuple(strictjson.texts(obj, name))


def _completed(recipe: Recipe) -> dict[str, Any]:
    """Every option with the value that counts: defaults filled in, what the mode does not use set aside."""
    made: dict[str, Any] = {"exclude": tuple(sorted(set(recipe.exclude)))}
    if recipe.mode != "weight-only":
        made |= {"block_size": 0, "accuracy_level": 0, "embeddings": False}
    if recipe.mode == "static":
        made |= _static(recipe)
    else:
        made |= {"calibration": None, "bins": 0, "percentile": 0, "deviations": 0}
        made |= {"symmetric_activations": False}
        made |= _dynamic(recipe) if recipe.mode == "dynamic" else _weight_only(recipe)
    return made


def _static(recipe: Recipe) -> dict[str, Any]:
    weight = recipe.weight_type or ("INT8" if recipe.symmetric_weights else "UINT8")
    method = recipe.calibration or "MinMax"
    activation = "INT8" if recipe.symmetric_activations else "UINT8"
    return {
        "format": recipe.format or "QDQ",
        "weight_type": weight,
        "activation_type": recipe.activation_type or activation,
        "calibration": method,
        "bins": (recipe.bins or _BINS[method]) if method in _BINS else 0,
        "percentile": (recipe.percentile or _PERCENTILE) if method == "Percentile" else 0,
        "deviations": (recipe.deviations or _DEVIATIONS) if method == "Distribution" else 0,
    }


def _dynamic(recipe: Recipe) -> dict[str, Any]:
    weight = recipe.weight_type or ("INT8" if recipe.symmetric_weights else "UINT8")
    return {"format": "QOperator", "weight_type": weight, "activation_type": "UINT8"}


def _weight_only(recipe: Recipe) -> dict[str, Any]:
    weight = recipe.weight_type or ("INT4" if recipe.symmetric_weights else "UINT4")
    tables, uniform4 = weight in _TABLES, weight in ("INT4", "UINT4")
    return {
        "format": (recipe.format or "QOperator") if uniform4 else "QOperator",
        "weight_type": weight,
        "activation_type": None,
        "per_channel": False,  # a block is narrower than a channel
        "reduce_range": False,
        "symmetric_weights": tables or weight.startswith("INT"),
        "block_size": recipe.block_size or (64 if tables else 32),
        "accuracy_level": 0 if tables or recipe.format == "QDQ" else recipe.accuracy_level,
        "embeddings": recipe.embeddings and uniform4 and recipe.format != "QDQ",
    }


def _check(recipe: Recipe) -> None:
    _among(recipe.format, FORMATS, "format")
    _among(recipe.weight_type, _WEIGHTS[recipe.mode], f"weight type of {recipe.mode} quantization")
    _within(recipe.opset, 0, _MAX_OPSET, "opset")
    _within(recipe.accuracy_level, 0, 4, "accuracy level")
    if len(recipe.exclude) > _MAX_EXCLUDED or any(not 0 < len(name) <= 1024 for name in recipe.exclude):
        raise InvalidInput("the nodes to exclude are too many, or one has no name", on="exclude")
    if recipe.mode == "static":
        _check_static(recipe)
    if recipe.mode == "weight-only" and recipe.block_size not in (16, 32, 64, 128, 256):
        raise InvalidInput("the block size is none of 16, 32, 64, 128, 256", on=str(recipe.block_size))


def _check_static(recipe: Recipe) -> None:
    _among(recipe.calibration, METHODS, "calibration method")
    _among(recipe.activation_type, ACTIVATION_TYPES, "activation type")
    method = str(recipe.calibration)
    if method in _BINS:
        _within(recipe.bins, _FEWEST[method], _MOST[method], f"number of bins of {method}")
    if method == "Percentile":
        _within(recipe.percentile, 50_000, 100_000, "percentile")
    if method == "Distribution":
        _within(recipe.deviations, 1000, 100_000, "number of deviations")
    pair = f"{recipe.activation_type} activations, {recipe.weight_type} weights"
    if recipe.activation_type == "INT8" and recipe.weight_type == "UINT8":
        raise InvalidInput("signed activations need signed weights", on=pair, hint="leave --asymmetric away")
    if recipe.format == "QOperator" and (recipe.bits == 4 or str(recipe.activation_type).endswith("16")):
        raise InvalidInput(
            "the operators of QOperator know 8-bit integers only", on=pair, hint="--format qdq"
        )


def _among(value: str | None, allowed: tuple[str, ...], what: str) -> None:
    if value not in allowed:
        raise InvalidInput(f"the {what} is none of {', '.join(allowed)}", on=str(value)[:100])


def _within(value: int, low: int, high: int, what: str) -> None:
    if not low <= value <= high:
        raise InvalidInput(f"the {what} must be from {low} to {high}", on=str(value))
