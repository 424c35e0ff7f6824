"""Reads claims about quantization out of what a file says about itself.

A key that speaks of quantization makes plain words claims ("mode: static"); elsewhere only words that
mean nothing else count ("int8", "W4A16"), so that a description of the weather claims nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from registry.onnx.profile.metadata import Said

Wanted = str | int | bool


class Assertion(NamedTuple):
    """``facet`` of the quantization is said to be ``wanted``; ``role`` "" where neither side is named."""

    facet: str
    wanted: Wanted
    role: str = ""

    def __str__(self) -> str:
        flag = "yes" if self.wanted else "no"
        what = flag if isinstance(self.wanted, bool) else self.wanted
        return f"{self.role} {self.facet}: {what}".strip()


_ABOUT = re.compile(
    r"quant|bits?(_|$)|precision|dtype|mode$|scheme|format$|granular|symm|(^|_)sym(_|$)|(group|block)_?size"
    r"|per_?(channel|tensor|axis)|(weight|activation|act)_?type|calibrat|(^|_)(nbits|wbits|abits)(_|$)"
)
_WHOLE = frozenset(("mode", "format", "quantized"))  # of the model, of neither side
_ELSEWHERE = re.compile(r"input|output|image|token|shape|layout|vocab|(^|_)io(_|$)")
_TYPES: Final = {
    **dict.fromkeys(("half", "fp16", "float16", "f16"), "FLOAT16"),
    **dict.fromkeys(("bf16", "bfloat16"), "BFLOAT16"),
    **dict.fromkeys(("fp32", "float32", "f32"), "FLOAT"),
    **dict.fromkeys(("fp8", "float8"), "FLOAT8"),
    "nf4": "NF4",
    "fp4": "FP4",
}
_GRAINS: Final = {
    **dict.fromkeys(("channel", "axis", "row"), "per-channel"),
    **dict.fromkeys(("tensor", "layer"), "per-tensor"),
    **dict.fromkeys(("group", "block"), "blockwise"),
}
_FLAGS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}

_Pattern = tuple[str, str, Callable[["re.Match[str]"], Wanted]]  # a word, its facet, what it says of that
# Words that mean quantization wherever they stand.
_WORDS: Final[tuple[_Pattern, ...]] = (
    (r"q?(u?int)[-_ ]?(2|4|8|16)", "type", lambda m: m[1] + m[2]),
    (rf"({'|'.join(_TYPES)})", "type", lambda m: _TYPES[m[1]]),
    (r"([2-8]|16|32)[-_ ]?bits?", "bits", lambda m: int(m[1])),
    (r"weights?[-_ ]only", "mode", lambda m: "weight-only"),
    (r"(static|dynamic)(?:ally)?[-_ ]quanti[sz]\w*", "mode", lambda m: m[1]),
    (r"quanti[sz]e_(static|dynamic)", "mode", lambda m: m[1]),
    (r"qdq", "format", lambda m: "QDQ"),
    (r"q(?:linear)?[-_ ]?op(?:erators?)?", "format", lambda m: "QOperator"),
    (rf"per[-_ ]?({'|'.join(_GRAINS)})", "granularity", lambda m: _GRAINS[m[1]]),
    (r"block[-_ ]?wise", "granularity", lambda m: "blockwise"),
    (r"(a?)symmetric(?:ally)?[-_ ]quanti[sz]\w*", "symmetric", lambda m: not m[1]),
)
# Words that mean it only below a key that speaks of it.
_VALUES: Final[tuple[_Pattern, ...]] = (
    (r"(static|dynamic)", "mode", lambda m: m[1]),
    (r"(a?)sym(?:metric)?", "symmetric", lambda m: not m[1]),
    (r"(?:not[-_ ]|un)quanti[sz]ed", "quantized", lambda m: False),
)
_PAIR = re.compile(r"(?<![a-z0-9])w(\d{1,2})a(\d{1,2})(?![a-z0-9])")  # W4A16: bits of weights, of activations


def assertions(said: Said) -> Iterator[Assertion]:
    """What a statement claims about quantization; nothing for most."""
    key = _snake(said.key)
    value = said.text.strip().lower()
    about = bool(_ABOUT.search(key)) and not _ELSEWHERE.search(key)
    role = _role(key)
    if about:
        named = list(_by_key(key, value, role))
        if named:
            yield from named
            return
    if _ELSEWHERE.search(key):
        return
    for match in _PAIR.finditer(value):
        yield Assertion("bits", int(match[1]), "weight")
        yield Assertion("bits", int(match[2]), "activation")
    for pattern, facet, wanted in (*_WORDS, *(_VALUES if about else ())):
        for match in re.finditer(rf"(?<![a-z0-9]){pattern}(?![a-z0-9])", value):
            yield Assertion(facet, wanted(match), "" if facet in _WHOLE else role)


def _by_key(key: str, value: str, role: str) -> Iterator[Assertion]:
    """Keys whose value is a bare number or yes and no."""
    last = key.rpartition(".")[2]
    number = int(value) if re.fullmatch(r"[0-9]{1,6}", value) else None
    if number is not None and re.search(r"bits?$", last):
        yield Assertion("bits", number, role)
    elif number and re.search(r"(group|block)_?size", last):
        yield Assertion("block size", number, role)
    elif value in _FLAGS:
        yield from _flagged(last, _FLAGS[value], role)


def _flagged(last: str, flag: bool, role: str) -> Iterator[Assertion]:
    if found := re.search(r"per_?(channel|tensor)", last):
        yield Assertion(f"per-{found[1]}", flag, role)
    elif found := re.search(r"(a?)symm?(etric)?(_|$)", last):
        yield Assertion("symmetric", flag != bool(found[1]), role)
    elif re.search(r"quantized$|^quantize$", last):
        yield Assertion("quantized", flag)


def _role(key: str) -> str:
    if re.search(r"activation|(^|[_.])act(_|$)|(^|[_.])abits", key):
        return "activation"
    return "weight" if re.search(r"weight|(^|[_.])w(_|$)|wbits", key) else ""


def _snake(key: str) -> str:
    """A key in small letters, its words joined by underlines: weightBits, weight-bits -> weight_bits."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)
    return re.sub(r"[-_ :/]+", "_", parted).lower()
