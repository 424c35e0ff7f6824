"""The tables that the rules stand on are those of the installed onnx and ONNX Runtime."""

from __future__ import annotations

import onnx
import onnxruntime
import pytest
from onnx import defs

from hostile.make_tables import fields, operators
from registry.onnx.operators import QUANTIZED
from registry.onnx.scan.allowed import ALLOWED, IR_VERSIONS, OPSETS, REACHING
from registry.onnx.scan.protobuf import TABLE
from registry.onnx.scan.wirewalk import messages

MADE_WITH = {"onnx": "1.23", "onnxruntime": "1.31"}
same_releases = pytest.mark.skipif(
    any(
        not module.__version__.startswith(MADE_WITH[module.__name__] + ".") for module in (onnx, onnxruntime)
    ),
    reason="the tables were made with other releases",
)


def _parsed(text: str) -> set[tuple[str, str]]:
    domain, found = "", set()
    for word in text.split():
        if word.endswith(":"):
            domain = "" if word == "ai.onnx:" else word[:-1]
        else:
            found.add((domain, word))
    return found


@same_releases
def test_every_field_of_onnx_is_in_the_table() -> None:
    assert TABLE.split() == fields().split()


@same_releases
def test_the_allow_list_is_what_onnx_runtime_runs() -> None:
    assert _parsed(operators()) == ALLOWED


@same_releases
def test_the_newest_versions_are_known() -> None:
    assert OPSETS[""] == defs.onnx_opset_version()
    assert IR_VERSIONS[-1] == onnx.IR_VERSION


def test_fields_of_a_oneof_exclude_one_another() -> None:
    table = messages()
    assert len({table["Type"][number << 3 | 2].single for number in (1, 4, 5, 7, 8, 9)}) == 1
    assert table["TensorShape.Dimension"][1 << 3].single == table["TensorShape.Dimension"][2 << 3 | 2].single


def test_every_quantized_operator_may_occur() -> None:
    assert set(QUANTIZED) <= ALLOWED


def test_nothing_that_reaches_outside_may_occur() -> None:
    assert {name for _, name in ALLOWED} & REACHING == set()
