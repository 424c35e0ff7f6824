"""JSON from outside has one reading, and what has two is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import strictjson
from registry.errors import Malformed

LIMIT = 1 << 20  # bytes
_TOP = strictjson.MAX_INTEGER
_numbers = st.integers(-_TOP, _TOP) | st.floats(-_TOP, _TOP)
_scalars = st.none() | st.booleans() | _numbers | st.text(st.characters(codec="utf-8"))
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(_values)
def test_what_is_written_canonically_reads_back_equal(value: object) -> None:
    assert strictjson.parse(strictjson.canonical(value), limit=LIMIT) == value


def _reversed(value: object) -> object:
    """The same value, every object written from its last name to its first."""
    if isinstance(value, dict):
        return {name: _reversed(value[name]) for name in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


@given(_values)
def test_canonical_bytes_do_not_depend_on_the_order_of_names(value: object) -> None:
    assert strictjson.canonical(_reversed(value)) == strictjson.canonical(value)


def test_canonical_bytes_are_those_of_rfc_8785() -> None:
    value = {"b": [1.0, -0.0, 1e21], "\u00e9": "\u2028\n", "a": None}
    assert strictjson.canonical(value) == '{"a":null,"b":[1,0,1e+21],"\u00e9":"\u2028\\n"}'.encode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"a":1,"a":1}', id="name-twice"),
        pytest.param(b'[{"b":{"a":1,"\\u0061":2}}]', id="name-twice-below-and-escaped"),
        pytest.param(b"NaN", id="nan"),
        pytest.param(b"[Infinity]", id="infinity"),
        pytest.param(b"[-Infinity]", id="minus-infinity"),
        pytest.param(b"1e999", id="number-beyond-double"),
        pytest.param(b"9007199254740992", id="integer-beyond-2-to-53"),
        pytest.param(b"-9007199254740992", id="integer-below-minus-2-to-53"),
        pytest.param(b"1" * 5000, id="integer-of-5000-digits"),
        pytest.param(b'"\\ud800"', id="lone-surrogate"),
        pytest.param(b'{"\\udc00":1}', id="lone-surrogate-in-a-name"),
        pytest.param(b'"\xff"', id="not-utf8"),
        pytest.param(b'\xef\xbb\xbf"a"', id="byte-order-mark"),
        pytest.param(b"1 2", id="two-values"),
        pytest.param(b'"a\nb"', id="raw-control-character"),
        pytest.param(b"{'a':1}", id="single-quotes"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"[" * 33 + b"]" * 33, id="33-deep"),
        pytest.param(b"[" * 200_000, id="200000-deep"),
        pytest.param(b'{"a":' * 40 + b"1" + b"}" * 40, id="40-objects-deep"),
    ],
)
def test_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        strictjson.parse(text, limit=LIMIT)


def test_accepted_at_each_bound() -> None:
    deep = b"[" * 32 + b"]" * 32
    assert strictjson.parse(deep, limit=len(deep))
    assert strictjson.parse(b"[9007199254740991,-9007199254740991]", limit=LIMIT) == [2**53 - 1, 1 - 2**53]
    assert strictjson.parse(b'"\\ud83d\\ude00"', limit=LIMIT) == "\N{GRINNING FACE}"


def test_longer_than_the_limit_is_refused_before_parsing() -> None:
    with pytest.raises(Malformed, match="too long"):
        strictjson.parse(b"[1,]", limit=3)


@pytest.mark.parametrize("value", [float("nan"), 2**53, "\ud800"])
def test_canonical_refuses_what_json_cannot_say(value: object) -> None:
    with pytest.raises(Malformed):
        strictjson.canonical(value)


@pytest.mark.parametrize(
    "written",
    ["QR==", "QQ", "QQ=", "Q Q==", "QQ==\n", "_-8=", "QQ==QQ==", "é"],
    ids=["stray-bits", "unpadded", "half-padded", "space", "newline", "url-safe", "two", "not-ascii"],
)
def test_base64_has_one_spelling(written: str) -> None:
    with pytest.raises(Malformed):
        strictjson.b64({"key": written}, "key")


@given(st.binary())
def test_base64_reads_what_it_writes(value: bytes) -> None:
    assert strictjson.b64({"key": strictjson.to_b64(value)}, "key") == value


@pytest.mark.parametrize(
    ("getter", "value"),
    [
        (strictjson.text, 1),
        (strictjson.text, None),
        (strictjson.integer, True),
        (strictjson.integer, 1.0),
        (strictjson.integer, "1"),
        (strictjson.integer, -1),
        (strictjson.boolean, 1),
        (strictjson.array, {}),
        (strictjson.nested, []),
        (strictjson.texts, ["a", 1]),
        (strictjson.objects, [{}, []]),
        (strictjson.b64, 1),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(
    getter: Callable[[strictjson.Object, str], object], value: object
) -> None:
    with pytest.raises(Malformed) as error:
        getter({"key": value}, "key")
    assert "key" in str(error.value.on)
    with pytest.raises(Malformed, match="missing"):
        getter({}, "key")


def test_getters_return_what_is_there() -> None:
    obj: strictjson.Object = {"s": "x", "n": 7, "b": False, "a": ["p"], "o": [{}], "d": {"e": 1}}
    assert (strictjson.text(obj, "s"), strictjson.integer(obj, "n", high=7)) == ("x", 7)
    assert (strictjson.boolean(obj, "b"), strictjson.texts(obj, "a")) == (False, ["p"])
    assert (strictjson.objects(obj, "o"), strictjson.nested(obj, "d")) == ([{}], {"e": 1})


def test_integers_keep_to_their_range() -> None:
    with pytest.raises(Malformed, match="range"):
        strictjson.integer({"n": 8}, "n", high=7)


def test_only_names_the_missing_and_the_unknown() -> None:
    strictjson.only({"a": 1, "b": 2}, ("a",), ("b",))
    with pytest.raises(Malformed, match=r"missing \(a\)"):
        strictjson.only({"b": 2}, ("a",), ("b",))
    with pytest.raises(Malformed, match=r"not known \('c'\)"):
        strictjson.only({"a": 1, "c": 2}, ("a",))


def test_an_object_is_demanded_by_name() -> None:
    with pytest.raises(Malformed, match="the envelope"):
        strictjson.parse_object(b"[]", limit=LIMIT, what="the envelope")
