"""Flaws of the protobuf: what no reader looks at, and what readers read differently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import onnx
from onnx import TensorProto, helper

from hostile.corpus import Files, case
from hostile.crafted import (
    UNKNOWN,
    field,
    files,
    mlp,
    model_of,
    node,
    tensor,
    value,
    with_graph_bytes,
    with_node_bytes,
    with_tensor_bytes,
)


def _everything() -> onnx.ModelProto:
    """A model that has every message that may occur in a file, once at least."""
    optional = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, ["n", 2]))
    types = [
        helper.make_sequence_type_proto(optional),
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [1])),
        helper.make_sparse_tensor_type_proto(TensorProto.FLOAT, [3]),
    ]
    opaque = onnx.TypeProto()
    opaque.opaque_type.name = "o"
    sparse = helper.make_sparse_tensor(tensor("v", [1.0]), tensor("i", [0], "i8"), [4])
    body = helper.make_graph([node("Identity", "x", "b")], "body", [], [value("b")])
    made = model_of(
        [
            helper.make_node("If", ["flag"], ["y"], then_branch=body, else_branch=body),
            helper.make_node("Own", ["x"], ["z"], domain="own", types=types, one=opaque),
            helper.make_node("Constant", [], ["s"], sparse_value=sparse),
        ],
        [tensor("w", [1.0, 2.0])],
        inputs=[value("x", shape=[None, 2]), value("flag", TensorProto.BOOL, [])],
        functions=[helper.make_function("own", "Own", ["x"], ["z"], [node("Relu", "x", "z")], made_opsets())],
    )
    _annotate(made)
    return made


def made_opsets() -> list[onnx.OperatorSetIdProto]:
    """What a function imports."""
    return [helper.make_opsetid("", 21)]


def _annotate(made: onnx.ModelProto) -> None:
    made.metadata_props.add(key="k", value="v")
    made.graph.sparse_initializer.add().CopyFrom(
        helper.make_sparse_tensor(tensor("sv", [1.0]), tensor("si", [0], "i8"), [4])
    )
    annotation = made.graph.quantization_annotation.add(tensor_name="w")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w")
    made.configuration.add(name="c", num_devices=1)
    spread = made.graph.node[0].device_configurations.add(configuration_id="c").sharding_spec.add()
    spread.index_to_device_group_map.add(key=1)
    spread.sharded_dim.add(axis=0).simple_sharding.add(num_shards=1)
    made.training_info.add().initialization.name = "t"
    made.graph.initializer[0].segment.begin = 0
    made.graph.initializer[0].external_data.add(key="location", value="w.bin")


def messages(message: Any) -> Iterator[Any]:
    """The message and all below it."""
    yield message
    for described, held in message.ListFields():
        if described.message_type is not None:
            for one in held if described.is_repeated else [held]:
                yield from messages(one)


KINDS = sorted({one.DESCRIPTOR.full_name for one in messages(_everything())})


def _with_unknown(kind: str) -> Callable[[], Files]:
    def build() -> Files:
        made = _everything()
        next(one for one in messages(made) if one.DESCRIPTOR.full_name == kind).MergeFromString(UNKNOWN)
        return files(made)

    return build


for kind in KINDS:
    spelt = kind.removeprefix("onnx.").replace(".", "-").lower()
    case("unknown-field", name=f"unknown-field-in-{spelt}")(_with_unknown(kind))


@case("unknown-field")
def a_megabyte_in_an_unknown_field() -> Files:
    return files(mlp().SerializeToString() + field(99, b"x" * (1 << 20)))


@case("unknown-field")
def a_number_appended_to_the_file() -> Files:
    return files(mlp().SerializeToString() + field(77, 1))


@case("unreadable")
def a_zip_appended_to_the_file() -> Files:
    return files(mlp().SerializeToString() + b"PK\x03\x04" + bytes(range(200)))


@case("unreadable")
def the_last_byte_missing() -> Files:
    return files(mlp().SerializeToString()[:-1])


@case("unreadable")
def no_onnx_at_all() -> Files:
    return files(b"Dear reader, this is a letter and no model.\n")


@case("unreadable")
def empty_file() -> Files:
    return files(b"")


@case("unreadable")
def a_group_of_old_protobuf() -> Files:
    return files(mlp().SerializeToString() + b"\xa3\x06\xa4\x06")


@case("unreadable")
def a_hundred_graphs_inside_each_other() -> Files:
    inner = b""
    for _ in range(60):
        attribute = field(1, b"g") + field(6, inner) + field(20, 5)
        inner = field(1, field(4, b"If") + field(5, attribute))
    return files(field(1, 10) + field(8, field(2, 21)) + field(7, inner))


@case("wrong-wire-type")
def a_name_as_a_number() -> Files:
    return files(mlp().SerializeToString() + field(3, 7))


@case("wrong-wire-type")
def a_version_as_bytes() -> Files:
    return files(mlp().SerializeToString() + field(5, b"payload"))


@case("field-twice")
def the_producer_twice() -> Files:
    return files(mlp().SerializeToString() + field(2, b"first") + field(2, b"second"))


@case("field-twice")
def a_tensor_named_twice() -> Files:
    return files(with_tensor_bytes(mlp(), field(8, b"w1")))


@case("field-twice")
def an_operator_named_twice() -> Files:
    return files(with_node_bytes(mlp(), field(4, b"Mul")))


@case("field-twice")
def a_dimension_as_number_and_name() -> Files:
    shape = field(1, field(1, 3) + field(2, b"n"))
    typed = field(1, field(1, 1) + field(2, shape))
    return files(with_graph_bytes(mlp(), field(13, field(1, b"r1") + field(2, typed))))


@case("overlong-number")
def a_length_in_five_bytes() -> Files:
    return files(mlp().SerializeToString() + b"\x12\x82\x80\x80\x80\x00hi")


@case("deprecated-field")
def a_segmented_tensor() -> Files:
    made = mlp()
    made.graph.initializer[0].segment.begin = 0
    return files(made)


@case("training-data")
def training_information() -> Files:
    made = mlp()
    made.training_info.add().algorithm.name = "carry me"
    return files(made)


@case("name-not-utf8")
def a_name_in_latin_1() -> Files:
    return files(with_graph_bytes(mlp(), field(2, "gr\u00fcn".encode("latin-1"))))


@case("control-characters")
def a_name_that_clears_the_screen() -> Files:
    made = mlp()
    made.graph.node[0].name = "\x1b[2Jfc1"
    return files(made)


@case("control-characters")
def a_name_written_backwards() -> Files:
    made = mlp()
    made.graph.node[0].name = "fc\u202e1"
    return files(made)


@case("long-name")
def a_name_of_five_kilobytes() -> Files:
    made = mlp()
    made.graph.node[0].name = "n" * 5000
    return files(made)


@case("long-name")
def a_name_of_a_megabyte() -> Files:
    made = mlp()
    made.producer_name = "n" * (1 << 20)
    return files(made)


@case("metadata-huge")
def two_megabytes_of_documentation() -> Files:
    made = mlp()
    made.graph.doc_string = "d" * (2 << 20)
    return files(made)


@case("metadata-huge")
def many_megabytes_of_metadata() -> Files:
    made = mlp()
    for at in range(20):
        made.metadata_props.add(key=str(at), value="m" * (1 << 20))
    return files(made)


@case("metadata-large")
def much_metadata() -> Files:
    made = mlp()
    made.metadata_props.add(key="notes", value="m" * (100 << 10))
    return files(made)


@case("attribute-stuffed")
def an_integer_with_a_string_beside_it() -> Files:
    made = model_of([node("Softmax", "x", "y", axis=1)], inputs=[value("x", shape=[2, 2])])
    made.graph.node[0].attribute[0].s = b"payload"
    return files(made)


@case("attribute-stuffed")
def a_value_of_another_type() -> Files:
    made = model_of([node("Softmax", "x", "y", axis=1)], inputs=[value("x", shape=[2, 2])])
    made.graph.node[0].attribute[0].type = onnx.AttributeProto.STRING
    return files(made)
