"""Whatever the bytes, a scan ends with findings and no exception; what is added is always noticed."""

from __future__ import annotations

from functools import cache

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile.corpus import MODEL, cases
from hostile.crafted import field, varint, with_graph_bytes, with_node_bytes, with_tensor_bytes
from registry.onnx.findings import at_least
from registry.onnx.scan import RULES, scan
from registry.onnx.scan.collect import MOST
from registry.onnx.scan.wirewalk import messages
from support import graphs


@cache
def seeds() -> list[bytes]:
    """Small models, honest and hostile."""
    honest = [make().SerializeToString() for make in graphs.FLOATS.values()]
    return honest + [data for case in cases().values() if 20 < len(data := case.build()[MODEL]) < 1500]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_a_finding_and_no_exception(data: st.DataObject) -> None:
    seed = bytearray(data.draw(st.sampled_from(seeds())))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(seed) - 1))
        seed[at] = data.draw(st.integers(0, 255))
    for one in scan({MODEL: bytes(seed)}, MODEL):
        assert one.code in RULES
        assert one.path == MODEL


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_read_to_an_end(data: bytes) -> None:
    assert any(map(at_least, scan({MODEL: data}, MODEL)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["Model", "Graph", "Node", "Tensor"]), st.integers(1, 5000), st.binary(max_size=40))
def test_a_field_that_onnx_does_not_have_is_found_wherever_it_is(
    kind: str, number: int, payload: bytes
) -> None:
    known = any(key >> 3 == number for key in messages()[kind])
    extra, made = field(number, payload), graphs.mlp()
    put = {"Graph": with_graph_bytes, "Node": with_node_bytes, "Tensor": with_tensor_bytes}
    data = put[kind](made, extra) if kind in put else made.SerializeToString() + extra
    codes = {one.code for one in scan({MODEL: data}, MODEL)}
    assert ("unknown-field" in codes) != known


@settings(max_examples=40, deadline=None)
@given(st.integers(0, (1 << 64) - 1), st.integers(1, 9))
def test_a_number_in_more_bytes_than_it_needs_is_found(number: int, spare: int) -> None:
    exact = varint(number)
    longer = exact[:-1] + bytes([exact[-1] | 0x80]) + b"\x80" * (spare - 1) + b"\x00"
    honest = graphs.mlp().SerializeToString() + b"\x28" + exact  # model_version
    assert [one for one in scan({MODEL: honest}, MODEL) if at_least(one)] == []
    padded = graphs.mlp().SerializeToString() + b"\x28" + longer
    assert any(map(at_least, scan({MODEL: padded}, MODEL)))


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=17, max_size=200))
def test_a_payload_in_a_constant_that_nothing_uses_is_found(payload: bytes) -> None:
    made = graphs.mlp()
    made.graph.initializer.add(
        name="spare", data_type=onnx.TensorProto.UINT8, dims=[len(payload)], raw_data=payload
    )
    codes = {one.code for one in scan({MODEL: made.SerializeToString()}, MODEL) if at_least(one)}
    assert codes == {"unused-initializer"}


def test_a_file_of_a_thousand_flaws_makes_a_short_report() -> None:
    data = graphs.mlp().SerializeToString() + field(99, b"x") * 1000
    found = [one for one in scan({MODEL: data}, MODEL) if one.code == "unknown-field"]
    assert len(found) == MOST
    assert found[-1].message.endswith(f"(and {1000 - MOST} more of this kind)")


def test_a_missing_model_is_a_finding() -> None:
    assert [one.code for one in scan({}, MODEL)] == ["unreadable"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_scanned_and_given_back(kind: type) -> None:
    buffer = kind(graphs.mlp().SerializeToString())
    assert scan({MODEL: buffer}, MODEL) == ()
    if isinstance(buffer, bytearray):
        buffer.append(0)  # BufferError where something still looks at it
