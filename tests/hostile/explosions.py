"""Small files that ask for gigabytes, and constants that kill who computes them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from hostile.corpus import Files, case
from hostile.crafted import files, model_of, node, tensor, value

INT32, INT64 = TensorProto.INT32, TensorProto.INT64


def _of(run: onnx.NodeProto, *, made: int = TensorProto.FLOAT, **constants: tuple[Any, str]) -> Files:
    held = [tensor(name, numbers, kind) for name, (numbers, kind) in constants.items()]
    return files(model_of([run], held, inputs=[value("x", shape=[2, 2])], kind=made))


@case("size-explosion")
def four_gigabytes_of_a_constant() -> Files:
    return _of(node("ConstantOfShape", "s", "y"), s=([1 << 30], "i8"))


@case("size-explosion")
def an_expanded_number() -> Files:
    return _of(node("Expand", "c s", "y"), c=(1.0, "f4"), s=([1 << 16, 1 << 16], "i8"))


@case("size-explosion")
def an_expanded_input() -> Files:
    return _of(node("Expand", "x s", "y"), s=([1 << 16, 1 << 16, 2, 2], "i8"))


@case("size-explosion")
def a_tiled_input() -> Files:
    return _of(node("Tile", "x s", "y"), s=([1 << 16, 1 << 16], "i8"))


@case("size-explosion")
def a_range_of_a_billion() -> Files:
    return _of(node("Range", "a b c", "y"), made=INT64, a=(0, "i8"), b=(1 << 31, "i8"), c=(1, "i8"))


@case("size-explosion")
def a_range_of_floats_without_end() -> Files:
    return _of(
        node("Range", "a b c", "y"),
        made=TensorProto.DOUBLE,
        a=(-1e308, "f8"),
        b=(1e308, "f8"),
        c=(1e-300, "f8"),
    )


@case("size-explosion")
def a_padded_input() -> Files:
    return _of(node("Pad", "x p", "y"), p=([0, 0, 1 << 20, 1 << 20], "i8"))


@case("size-explosion")
def a_picture_scaled_up() -> Files:
    return _of(node("Resize", "x _ f", "y"), f=([65536.0, 65536.0], "f4"))


@case("size-explosion")
def a_picture_of_a_given_size() -> Files:
    return _of(node("Resize", "x _ _ s", "y"), s=([1 << 16, 1 << 16], "i8"))


@case("size-explosion")
def one_hot_of_a_billion() -> Files:
    run = node("OneHot", "i d v", "y")
    return _of(run, i=([1, 2], "i8"), d=(1 << 30, "i8"), v=([0.0, 1.0], "f4"))


@case("size-explosion")
def random_numbers_by_the_billion() -> Files:
    made = node("RandomNormal", "", "y", shape=[1 << 20, 1 << 20])
    return files(model_of([made], inputs=[value("x")]))


@case("size-explosion")
def thirty_doublings() -> Files:
    names = ["x", *(f"d{at}" for at in range(31))]
    nodes = [node("Concat", f"{one} {one}", made, axis=0) for one, made in pairwise(names)]
    return files(model_of([*nodes, node("Neg", names[-1], "y")], inputs=[value("x", shape=[2, 2])]))


@case("size-explosion")
def a_product_of_two_vectors() -> Files:
    made = [
        node("ConstantOfShape", "tall", "a"),
        node("ConstantOfShape", "wide", "b"),
        node("MatMul", "a b", "y"),
    ]
    held = [tensor("tall", [1 << 17, 1], "i8"), tensor("wide", [1, 1 << 17], "i8")]
    return files(model_of(made, held, inputs=[value("x")]))


@case("size-explosion")
def a_broadcast_of_two_vectors() -> Files:
    made = [
        node("ConstantOfShape", "tall", "a"),
        node("ConstantOfShape", "wide", "b"),
        node("Add", "a b", "y"),
    ]
    held = [tensor("tall", [1 << 17, 1], "i8"), tensor("wide", [1, 1 << 17], "i8")]
    return files(model_of(made, held, inputs=[value("x")]))


@case("size-explosion")
def many_constants_of_half_a_gigabyte() -> Files:
    made = [node("ConstantOfShape", "s", f"c{at}") for at in range(9)]
    total = node("Sum", " ".join(f"c{at}" for at in range(9)), "y")
    return files(model_of([*made, total], [tensor("s", [1 << 26], "i8")], inputs=[value("x")]))


@case("size-explosion")
def a_size_that_is_computed() -> Files:
    made = [
        node("Mul", "s s", "a"),
        node("Cast", "a", "b", to=TensorProto.INT64),
        node("Unsqueeze", "b z", "u"),
        node("Concat", "u u", "c", axis=0),
        node("ConstantOfShape", "c", "y"),
    ]
    held = [tensor("s", 1 << 8, "i4"), tensor("z", [0], "i8")]
    return files(model_of(made, held, inputs=[value("x")]))


@case("size-explosion")
def an_explosion_in_a_branch() -> Files:
    inner = [node("ConstantOfShape", "s", "t")]
    body = helper.make_graph(inner, "b", [], [value("t")])
    run = helper.make_node("If", ["flag"], ["y"], then_branch=body, else_branch=body)
    made = model_of([run], [tensor("s", [1 << 32], "i8")], inputs=[value("flag", TensorProto.BOOL, [])])
    return files(made)


@case("impossible-size")
def a_size_that_overflows() -> Files:
    return _of(node("ConstantOfShape", "s", "y"), s=([1 << 40, 1 << 40], "i8"))


@case("impossible-size")
def a_negative_size() -> Files:
    return _of(node("ConstantOfShape", "s", "y"), s=([-8], "i8"))


@case("integer-trap")
def the_least_integer_divided_by_minus_one() -> Files:
    return _of(node("Div", "a b", "y"), made=INT32, a=([-(1 << 31)], "i4"), b=([-1], "i4"))


@case("integer-trap")
def the_least_long_divided_by_minus_one() -> Files:
    return _of(node("Div", "a b", "y"), made=INT64, a=([-(1 << 63)], "i8"), b=([-1], "i8"))


@case("integer-trap")
def the_rest_of_the_least_integer() -> Files:
    return _of(node("Mod", "a b", "y"), made=INT32, a=([-(1 << 31)], "i4"), b=([-1], "i4"))


@case("integer-trap")
def a_constant_divided_by_zero() -> Files:
    return _of(node("Div", "a b", "y"), made=INT32, a=([7, 8], "i4"), b=([1, 0], "i4"))


@case("integer-trap")
def a_trap_whose_operands_are_computed() -> Files:
    made = [node("Sub", "a b", "least"), node("Neg", "b", "minus"), node("Div", "least minus", "y")]
    held = [tensor("a", [-(1 << 31) + 1], "i4"), tensor("b", [1], "i4")]
    return files(model_of(made, held, inputs=[value("x")], kind=INT32))


@case("integer-trap")
def a_trap_in_a_branch() -> Files:
    body = helper.make_graph([node("Div", "a b", "t")], "b", [], [value("t", TensorProto.INT32)])
    run = helper.make_node("If", ["flag"], ["y"], then_branch=body, else_branch=body)
    held = [tensor("a", [-(1 << 31)], "i4"), tensor("b", [-1], "i4")]
    made = model_of([run], held, inputs=[value("flag", TensorProto.BOOL, [])], kind=INT32)
    return files(made)


@case("division-by-zero")
def an_input_divided_by_zero() -> Files:
    made = model_of([node("Div", "x z", "y")], [tensor("z", 0, "i8")], inputs=[value("x", INT64)], kind=INT64)
    return files(made)


@case("division-by-zero")
def the_rest_of_an_input_by_zero() -> Files:
    made = model_of([node("Mod", "x z", "y")], [tensor("z", 0, "i4")], inputs=[value("x", INT32)], kind=INT32)
    return files(made)


@case("shift-count")
def a_shift_by_more_bits_than_there_are() -> Files:
    run = node("BitShift", "x b", "y", direction="LEFT")
    return files(
        model_of(
            [run], [tensor("b", [40], "u4")], inputs=[value("x", TensorProto.UINT32)], kind=TensorProto.UINT32
        )
    )


@case("index-out-of-range")
def an_index_behind_the_table() -> Files:
    return _of(node("Gather", "t i", "y"), t=(np.ones((4, 2)), "f4"), i=([0, 4], "i8"))


@case("index-out-of-range")
def an_index_before_the_table() -> Files:
    return _of(node("Gather", "t i", "y", axis=1), t=(np.ones((4, 2)), "f4"), i=([-3], "i8"))


def _pooled(**attributes: Any) -> Files:
    made = node("MaxPool", "x", "y", **{"kernel_shape": [2, 2], **attributes})
    return files(model_of([made], inputs=[value("x", shape=[1, 1, 8, 8])]))


@case("impossible-attribute")
def a_stride_of_zero() -> Files:
    return _pooled(strides=[0, 0])


@case("impossible-attribute")
def a_dilation_of_zero() -> Files:
    return _pooled(dilations=[0, 1])


@case("impossible-attribute")
def a_kernel_of_zero() -> Files:
    return _pooled(kernel_shape=[0, 0])


@case("impossible-attribute")
def padding_without_measure() -> Files:
    return _pooled(pads=[1 << 40, 0, 0, 0])


@case("impossible-attribute")
def a_group_of_zero() -> Files:
    made = node("Conv", "x w", "y", group=0)
    held = [tensor("w", np.ones((1, 1, 2, 2)))]
    return files(model_of([made], held, inputs=[value("x", shape=[1, 1, 8, 8])]))


@case("impossible-attribute")
def blocks_of_zero() -> Files:
    return files(
        model_of([node("SpaceToDepth", "x", "y", blocksize=0)], inputs=[value("x", shape=[1, 1, 8, 8])])
    )
