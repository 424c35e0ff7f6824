"""References: one grammar, read back exactly as written, and nothing outside it accepted."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import refs
from registry.errors import InvalidReference
from registry.refs import Reference, parse

DIGEST = "0123456789abcdef" * 4
LONGEST = "n" * refs.NAME_LIMIT

ACCEPTED = {
    "vision/resnet50": Reference("vision", "resnet50"),
    "vision/resnet50:3": Reference("vision", "resnet50", version=3),
    "vision/resnet50:999999999": Reference("vision", "resnet50", version=999_999_999),
    "vision/resnet50:prod": Reference("vision", "resnet50", tag="prod"),
    "vision/resnet50:1.4.0-int8": Reference("vision", "resnet50", tag="1.4.0-int8"),
    "vision/resnet50:3a": Reference("vision", "resnet50", tag="3a"),
    "9/0": Reference("9", "0"),
    "A.b-c_d/E.f-g_h": Reference("A.b-c_d", "E.f-g_h"),
    f"{LONGEST}/{LONGEST}:{LONGEST}": Reference(LONGEST, LONGEST, tag=LONGEST),
    f"vision/resnet50@sha256:{DIGEST}": Reference("vision", "resnet50", digest=DIGEST),
    f"vision/resnet50:3@sha256:{DIGEST}": Reference("vision", "resnet50", version=3, digest=DIGEST),
    f"vision/resnet50:prod@sha256:{DIGEST}": Reference("vision", "resnet50", tag="prod", digest=DIGEST),
}

HOSTILE = {
    "empty": "",
    "no model": "vision",
    "empty namespace": "/resnet50",
    "empty model": "vision/",
    "three parts": "vision/resnet50/int8",
    "empty suffix": "vision/resnet50:",
    "two suffixes": "vision/resnet50:1:2",
    "version zero": "vision/resnet50:0",
    "leading zero": "vision/resnet50:01",
    "a version of ten digits": "vision/resnet50:1000000000",
    "a huge version": "vision/resnet50:" + "9" * 5000,
    "negative version": "vision/resnet50:-1",
    "digits of another script": "vision/resnet50:٣",
    "superscript digit": "vision/resnet50:²",
    "letters of another script": "visiоn/resnet50",  # noqa: RUF001
    "space": "vision/res net",
    "leading space": " vision/resnet50",
    "trailing newline in the model": "vision/resnet50\n",
    "trailing newline in the tag": "vision/resnet50:prod\n",
    "trailing newline in the digest": f"vision/resnet50@sha256:{DIGEST}\n",
    "NUL": "vision/resnet50\0",
    "parent directory": "../resnet50",
    "hidden": ".vision/resnet50",
    "option": "-vision/resnet50",
    "backslash": "vision\\resnet50",
    "percent": "vision/%2e%2e",
    "lone surrogate": "vision/\ud800",
    "a name too long": f"vision/{LONGEST}n",
    "a tag too long": f"vision/resnet50:{LONGEST}n",
    "digest without algorithm": f"vision/resnet50@{DIGEST}",
    "another algorithm": f"vision/resnet50@sha512:{DIGEST}{DIGEST}",
    "another algorithm of the same length": f"vision/resnet50@blake2s:{DIGEST}",
    "digest too short": f"vision/resnet50@sha256:{DIGEST[:-1]}",
    "digest too long": f"vision/resnet50@sha256:{DIGEST}0",
    "digest in capitals": f"vision/resnet50@sha256:{DIGEST.upper()}",
    "empty digest": "vision/resnet50@",
    "two digests": f"vision/resnet50@sha256:{DIGEST}@sha256:{DIGEST}",
    "digest before the version": f"vision/resnet50@sha256:{DIGEST}:3",
    "a URL": "https://example.org/vision/resnet50",
}

_first = st.sampled_from("ABCXYZabcxyz019")
_rest = st.text("ABCXYZabcxyz019._-", max_size=refs.NAME_LIMIT - 1)
names = st.builds(str.__add__, _first, _rest)
tags = names.filter(lambda name: not name.isdigit())
versions = st.integers(1, 999_999_999)
digests = st.none() | st.text("0123456789abcdef", min_size=64, max_size=64)
references = (
    st.builds(Reference, names, names, digest=digests)
    | st.builds(Reference, names, names, version=versions, digest=digests)
    | st.builds(Reference, names, names, tag=tags, digest=digests)
)


@pytest.mark.parametrize("text", ACCEPTED)
def test_the_grammar_is_read(text: str) -> None:
    assert parse(text) == ACCEPTED[text]
    assert str(parse(text)) == text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_outside_the_grammar_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse(text)
    assert caught.value.hint


@given(references)
def test_a_reference_reads_back_as_it_was(reference: Reference) -> None:
    assert parse(str(reference)) == reference


@given(st.text(max_size=40) | st.text("vr/:@sha256-.0 \n", max_size=40))
def test_any_text_is_a_reference_that_prints_the_same_or_is_refused(text: str) -> None:
    with suppress(InvalidReference):
        assert str(parse(text)) == text


@pytest.mark.parametrize("name", ["3", "007", "²", "٣"])
def test_a_tag_that_reads_as_a_number_is_refused(name: str) -> None:
    with pytest.raises(InvalidReference):
        refs.check_tag(name, "alias")


def test_a_refused_name_is_shown_without_its_control_characters() -> None:
    with pytest.raises(InvalidReference) as caught:
        parse("vision/\x1b[31mred")
    assert "\x1b" not in str(caught.value)


def test_a_reference_knows_its_model_and_its_versions() -> None:
    reference = parse(f"vision/resnet50:prod@sha256:{DIGEST}")
    assert reference.model == "vision/resnet50"
    assert str(reference.at(7)) == "vision/resnet50:7"
