"""The ONNX reader: agrees with the onnx package on what is valid, and refuses the rest with a reason."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from registry.errors import InvalidModel, UnsafePath
from registry.onnx.facts import inspect
from registry.onnx.graph import read_model
from registry.onnx.tensors import unpack_varints
from registry.onnx.wire import Span, Wire
from support import graphs

NAMES = sorted(graphs.FLOATS)
WHOLE = {name: graphs.FLOATS[name]().SerializeToString() for name in NAMES}


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from _tensors(attribute.g)


@pytest.mark.parametrize("name", NAMES)
def test_reads_what_onnx_reads(name: str) -> None:
    data, theirs = WHOLE[name], onnx.load_from_string(WHOLE[name])
    ours = read_model(data)
    assert ours.ir_version == theirs.ir_version
    assert ours.opsets == tuple((one.domain, one.version) for one in theirs.opset_import)
    assert [(n.op_type, n.name, n.inputs, n.outputs, [*n.attributes]) for n in ours.graph.nodes] == [
        (n.op_type, n.name, tuple(n.input), tuple(n.output), [a.name for a in n.attribute])
        for n in theirs.graph.node
    ]
    found = [
        (t.name, t.data_type, t.dims, bytes(t.raw.of(memoryview(data)))) for t in ours.tensors() if t.raw
    ]
    assert found == [(t.name, t.data_type, tuple(t.dims), t.raw_data) for t in _tensors(theirs.graph)]
    assert [value.name for value in ours.graph.inputs] == [value.name for value in theirs.graph.input]


def test_reads_types_and_shapes_of_inputs() -> None:
    (image,) = read_model(WHOLE["cnn"]).graph.inputs
    assert (image.elem_type, image.shape) == (TensorProto.FLOAT, ("n", 3, 12, 12))


def test_reads_packed_and_scattered_numbers_alike() -> None:
    """proto2 readers must take a repeated field either way (protobuf.dev, "Packed repeated fields")."""
    packed = bytes((0x3A, 3, 5, 0x80, 1))  # int64_data = [5, 128]
    scattered = bytes((0x38, 5, 0x38, 0x80, 1))
    for body in (packed, scattered):
        data = _in_graph(_field(5, b"\x10\x07\x08\x02" + body))  # data_type INT64, dims [2]
        (tensor,) = read_model(data).graph.initializers
        assert unpack_varints(memoryview(data), tensor.typed, 2) == [5, 128]


def test_weights_are_not_copied_and_the_buffer_is_let_go() -> None:
    size = 1 << 25  # bytes
    weight = numpy_helper.from_array(graphs.np.zeros(size // 4, "f"), "w")
    graph = helper.make_graph([], "g", [], [], [weight])
    data = bytearray(helper.make_model(graph).SerializeToString())
    tracemalloc.start()
    read_model(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size // 100
    data.append(0)  # a bytearray that is still exported cannot grow: BufferError


NOT_ONNX = {
    "an empty file": b"",
    "a text file": b"# my model\nsee the README\n",
    "a zip archive": b"PK\x03\x04" + bytes(60),
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "a Python pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94.",
    "a safetensors file": struct.pack("<Q", 20) + b'{"w":{"dtype":"F32"}}',
    "a TensorFlow Lite model": b"\x1c\x00\x00\x00TFL3" + bytes(40),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(40),
}


@pytest.mark.parametrize("kind", NOT_ONNX)
def test_names_the_kind_of_a_file_that_is_not_onnx(kind: str) -> None:
    with pytest.raises(InvalidModel, match=f"not an ONNX file: it looks like {kind}") as caught:
        read_model(NOT_ONNX[kind], name="model.onnx")
    assert caught.value.on == "model.onnx"
    assert caught.value.hint


@pytest.mark.parametrize("name", NAMES)
def test_truncated_anywhere(name: str) -> None:
    """The files end with their operator sets, without which nothing is a model."""
    data = WHOLE[name]
    for length in range(0, len(data), max(1, len(data) // 500)):
        with pytest.raises(InvalidModel):
            read_model(data[:length])


def test_a_truncated_file_is_called_truncated() -> None:
    """What is known to be missing is the rest of the graph; six bytes of operator sets follow it."""
    with pytest.raises(InvalidModel, match="truncated ONNX file: at least 994 bytes are missing"):
        read_model(WHOLE["mlp"][:-1000])


def _field(number: int, payload: bytes) -> bytes:
    length, encoded = len(payload), b""
    while length > 0x7F:
        encoded, length = encoded + bytes((length & 0x7F | 0x80,)), length >> 7
    return bytes((number << 3 | 2,)) + encoded + bytes((length,)) + payload


def _in_graph(content: bytes) -> bytes:
    return b"\x08\x0a" + _field(7, content) + _field(8, b"\x10\x15")


def _nested(levels: int) -> bytes:
    content = b""
    for _ in range(levels):
        content = _field(1, _field(5, _field(6, content)))  # node, attribute, graph
    return content


DAMAGED = {
    "a length behind the end of its message": (_in_graph(b"\x0a\x7f"), "leaves its message"),
    "a varint of eleven bytes": (b"\x08" + b"\x80" * 10 + b"\x00", "does not end"),
    "a varint of more than 64 bits": (b"\x08" + b"\xff" * 9 + b"\x7f", "more than 64 bits"),
    "field number zero": (b"\x00\x01", "field number 0"),
    "a group": (b"\x08\x0a\x0b\x0c", "wire type 3"),
    "a graph written twice": (_in_graph(b"") + _field(7, b""), "a second time"),
    "a graph as a number": (b"\x08\x0a\x38\x01" + _field(8, b"\x10\x15"), "wire type 0"),
    "a name that is not UTF-8": (_in_graph(_field(2, b"\xff\xfe")), "UTF-8"),
    "a name with a NUL": (_in_graph(_field(2, b"a\0b")), "NUL"),
    "subgraphs sixty deep": (_in_graph(_nested(60)), "too deep"),
    "300 dimensions": (_in_graph(_field(5, _field(1, b"\x01" * 300))), "256"),
    "300 dimensions one by one": (_in_graph(_field(5, b"\x08\x01" * 300)), "256"),
    "an attribute twice": (_in_graph(_field(1, 2 * _field(5, _field(1, b"a")))), "a second time"),
    "no graph": (b"\x08\x0a" + _field(8, b"\x10\x15"), "no graph"),
    "no version": (_field(7, b"") + _field(8, b"\x10\x15"), "no graph, version"),
    "no operator set": (b"\x08\x0a" + _field(7, b""), "operator sets"),
    "an operator set in two versions": (_in_graph(b"") + _field(8, b"\x10\x07"), "two versions"),
    "an external offset that is no number": (
        _in_graph(_field(5, b"\x70\x01" + _field(13, _field(1, b"offset") + _field(2, b"-1")))),
        "no number",
    ),
}


@pytest.mark.parametrize("flaw", DAMAGED)
def test_refuses(flaw: str) -> None:
    data, reason = DAMAGED[flaw]
    with pytest.raises(InvalidModel, match=reason):
        read_model(data)


def test_the_default_domain_has_one_name() -> None:
    data = _in_graph(_field(1, _field(4, b"Relu") + _field(7, b"ai.onnx"))) + _field(
        8, b"\x0a\x07ai.onnx\x10\x15"
    )
    model = read_model(data)
    assert (model.graph.nodes[0].domain, model.opsets) == ("", (("", 21),))


@pytest.mark.parametrize("spans", [(Span(0, 4),), (Span(0, 2), Span(2, 2))])
@pytest.mark.parametrize("data", [b"\1\1\1\1", b"\x81\0\1\1"])
def test_a_list_of_numbers_is_bounded(data: bytes, spans: tuple[Span, ...]) -> None:
    numbers = 4 - data.count(b"\x81")
    assert len(unpack_varints(memoryview(data), spans, numbers)) == numbers
    with pytest.raises(InvalidModel, match=f"more than {numbers - 1} numbers"):
        unpack_varints(memoryview(data), spans, numbers - 1)


def test_subgraphs_thirty_deep_are_read() -> None:
    assert read_model(_in_graph(_nested(30))).graph.nodes


def test_the_number_of_fields_is_bounded() -> None:
    data = memoryview(b"\x08\x01" * 11)
    assert len(list(Wire(data, 11).fields(0, len(data)))) == 11
    with pytest.raises(InvalidModel, match="fields"):
        list(Wire(data, 10).fields(0, len(data)))


@pytest.mark.parametrize("dims", [[-1], [1 << 40, 1 << 40], [1 << 62]])
def test_impossible_shapes_have_no_size(dims: list[int]) -> None:
    tensor = TensorProto(name="w", data_type=1, dims=dims)
    data = helper.make_model(helper.make_graph([], "g", [], [], [tensor])).SerializeToString()
    (found,) = read_model(data).graph.initializers
    with pytest.raises(InvalidModel):
        _ = found.elements


@cache
def _seeds() -> list[bytes]:
    """The float models and two quantized ones, whose facts have more to read."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "m.onnx")
        static = graphs.static(graphs.mlp(), path, qdq=True, per_channel=True).read_bytes()
        packed = graphs.nbits(graphs.branching(), path, block_size=16, is_symmetric=False).read_bytes()
    return [*WHOLE.values(), static, packed]


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(_seeds())))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.sampled_from(("set", "flip", "cut", "insert", "copy"))):
            case "set":
                data[at] = draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)))
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at : at + draw(st.integers(1, 40))]
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=12))
            case "copy":
                data[at:at] = data[at : at + draw(st.integers(1, 200))]
        if not data:
            break
    return bytes(data)


@settings(max_examples=400, deadline=2000)  # milliseconds
@given(mutants())
def test_any_mutation_is_refused_or_read(data: bytes) -> None:
    """Nothing but our own errors comes out of the reader or of what builds on it, and it comes quickly."""
    try:
        read_model(data)
        inspect({"m.onnx": data}, "m.onnx")
    except (InvalidModel, UnsafePath):
        pass
