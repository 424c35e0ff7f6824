"""Flaws of stored constants: too many bytes, in the wrong place, or between the numbers."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from hostile.corpus import Files, case
from hostile.crafted import files, mlp, model_of, node, tensor, value


@case("shape-overflow")
def dimensions_whose_product_overflows() -> Files:
    made = mlp()
    made.graph.initializer[0].dims[:] = [1 << 33, 1 << 33]
    return files(made)


@case("shape-overflow")
def a_negative_dimension() -> Files:
    made = mlp()
    made.graph.initializer[0].dims[:] = [-1, 32]
    return files(made)


@case("unknown-element-type")
def a_type_that_is_not_known() -> Files:
    made = mlp()
    made.graph.initializer[0].data_type = 99
    return files(made)


@case("unknown-element-type")
def no_type_at_all() -> Files:
    made = mlp()
    made.graph.initializer[0].data_type = 0
    return files(made)


@case("content-length")
def more_bytes_than_the_shape_needs() -> Files:
    made = mlp()
    made.graph.initializer[0].raw_data += b"payload"
    return files(made)


@case("content-length")
def fewer_bytes_than_the_shape_needs() -> Files:
    made = mlp()
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-4]
    return files(made)


@case("content-length")
def no_bytes_at_all() -> Files:
    made = mlp()
    made.graph.initializer[0].ClearField("raw_data")
    return files(made)


@case("content-length")
def more_typed_numbers_than_the_shape_needs() -> Files:
    made = mlp()
    weight = made.graph.initializer[1]
    weight.ClearField("raw_data")
    weight.float_data.extend([0.5] * 40)
    return files(made)


@case("content-length")
def more_typed_integers_than_the_shape_needs() -> Files:
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [2, 2])
    shape.int64_data.append(1 << 40)
    return files(model_of([node("Reshape", "x s", "y")], [shape], inputs=[value("x")]))


@case("content-twice")
def raw_bytes_and_typed_numbers() -> Files:
    made = mlp()
    made.graph.initializer[1].float_data.extend([0.5] * 32)
    return files(made)


@case("content-in-wrong-field")
def floats_in_the_list_of_integers() -> Files:
    made = mlp()
    weight = made.graph.initializer[1]
    weight.ClearField("raw_data")
    weight.int64_data.extend(range(32))
    return files(made)


@case("content-in-wrong-field")
def strings_beside_the_numbers() -> Files:
    made = mlp()
    weight = made.graph.initializer[1]
    weight.ClearField("raw_data")
    weight.string_data.extend([b"payload"])
    return files(made)


def four_bits(last: int, kind: int = TensorProto.UINT4) -> onnx.ModelProto:
    """Three 4-bit weights; ``last`` is the byte that has the third and the padding."""
    weights = TensorProto(name="q", data_type=kind, dims=[3], raw_data=bytes((0x21, last)))
    zero = TensorProto(name="z", data_type=kind, dims=[], raw_data=b"\x01")
    nodes = [node("DequantizeLinear", "q s z", "d"), node("Add", "x d", "y")]
    return model_of(nodes, [weights, tensor("s", 0.5), zero], inputs=[value("x")])


@case("padding-bits")
def a_nibble_behind_the_last_number() -> Files:
    return files(four_bits(0xF3))


@case("padding-bits")
def a_nibble_behind_the_last_signed_number() -> Files:
    return files(four_bits(0x83, TensorProto.INT4))


@case("padding-bits")
def bits_behind_numbers_of_two() -> Files:
    weights = TensorProto(name="q", data_type=25, dims=[3], raw_data=b"\xc1")
    nodes = [node("DequantizeLinear", "q s", "d"), node("Add", "x d", "y")]
    return files(model_of(nodes, [weights, tensor("s", 0.5)], inputs=[value("x")]))


@case("boolean-bytes")
def truth_of_255() -> Files:
    flags = TensorProto(name="f", data_type=TensorProto.BOOL, dims=[4], raw_data=b"\x00\x01\xff\x01")
    return files(model_of([node("Where", "f x x", "y")], [flags], inputs=[value("x")]))


@case("weight-nan")
def a_weight_that_is_not_a_number() -> Files:
    made = mlp()
    weights = np.frombuffer(made.graph.initializer[0].raw_data, "f4").copy()
    weights[7] = np.nan
    made.graph.initializer[0].raw_data = weights.tobytes()
    return files(made)


@case("weight-nan")
def a_half_that_is_not_a_number() -> Files:
    made = model_of(
        [node("Add", "x h", "y")], [tensor("h", [1, np.nan], "f2")], inputs=[value("x", 10)], kind=10
    )
    return files(made)


@case("weight-nan")
def a_brain_float_that_is_not_a_number() -> Files:
    held = TensorProto(name="h", data_type=TensorProto.BFLOAT16, dims=[2], raw_data=b"\x80\x3f\xc1\x7f")
    return files(model_of([node("Add", "x h", "y")], [held], inputs=[value("x", 16)], kind=16))


@case("weight-infinite")
def an_infinite_weight() -> Files:
    made = model_of([node("Add", "x h", "y")], [tensor("h", [1, np.inf])], inputs=[value("x")])
    return files(made)


@case("value-outside-type")
def bytes_with_bits_above_them() -> Files:
    held = TensorProto(name="q", data_type=TensorProto.UINT8, dims=[3], int32_data=[1, 2, 0x4100])
    nodes = [node("DequantizeLinear", "q s z", "d"), node("Add", "x d", "y")]
    return files(model_of(nodes, [held, tensor("s", 0.5), tensor("z", 0, "u1")], inputs=[value("x")]))


@case("attribute-stuffed")
def a_constant_of_two_values() -> Files:
    run = helper.make_node("Constant", [], ["c"], value_float=1.0, value_string=b"payload")
    return files(model_of([run, node("Add", "x c", "y")], inputs=[value("x")]))


def _sparse(at: list[int] | list[list[int]], dims: list[int], count: int = 1) -> Files:
    held = helper.make_sparse_tensor(tensor("w", [1.0] * count), tensor("at", at, "i8"), dims)
    made = model_of([node("Add", "x w", "y")], inputs=[value("x")])
    made.graph.sparse_initializer.append(held)
    return files(made)


@case("sparse-indices")
def an_index_behind_a_sparse_tensor() -> Files:
    return _sparse([4], [4])


@case("sparse-indices")
def a_coordinate_outside_a_sparse_tensor() -> Files:
    return _sparse([[1, 2]], [2, 2])


@case("sparse-indices")
def coordinates_of_another_rank() -> Files:
    return _sparse([[0, 0, 0]], [2, 2])


@case("sparse-indices")
def fewer_indices_than_values() -> Files:
    return _sparse([0], [4], count=2)


@case("shape-overflow")
def a_sparse_tensor_whose_shape_overflows() -> Files:
    return _sparse([0], [1 << 40, 1 << 40])


@case("size-explosion")
def a_sparse_tensor_of_four_gigabytes() -> Files:
    return _sparse([0], [1 << 30])


@case("weight-infinite")
def an_infinite_half() -> Files:
    return files(
        model_of(
            [node("Add", "x h", "y")], [tensor("h", [1, -np.inf], "f2")], inputs=[value("x", 10)], kind=10
        )
    )
