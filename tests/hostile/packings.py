"""Flaws of weights that weight-only operators pack."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from hostile.corpus import Files, case
from hostile.crafted import files, model_of, tensor, value

K, N, BLOCK = 20, 2, 16  # two blocks in a column, 12 numbers of padding


def nbits(
    *,
    bits: int = 4,
    padding: int = 0,
    spare: int | None = None,
    scales: list[float] | None = None,
    width: int = 0,
    empty: bool = False,
) -> onnx.ModelProto:
    """MatMulNBits whose padding has ``padding`` in every number; ``spare`` fills up rows of zero points;
    ``empty``: the second block is all zeros."""
    numbers = np.arange(N * 2 * BLOCK).reshape(N, 2 * BLOCK) % (1 << bits)
    numbers[:, K:] = padding
    if empty:
        numbers[0, BLOCK:] = 0
    per = 8 // bits
    packed = sum(numbers[:, at::per] << (bits * at) for at in range(per)).astype(np.uint8)
    constants = [
        tensor("b", packed.reshape(N, 2, BLOCK * bits // 8), "u1"),
        tensor("s", scales or [0.1] * (2 * N)),
    ]
    taken = ["x", "b", "s"]
    columns = width or K
    if spare is not None:  # three blocks: a row of zero points ends in half a byte
        columns, taken = 2 * BLOCK + 4, [*taken, "z"]
        numbers = np.full((N, 3 * BLOCK // 2), 0x88, np.uint8)
        numbers[:, -6:] = 0
        constants = [
            tensor("b", numbers.reshape(N, 3, BLOCK // 2), "u1"),
            tensor("s", [0.1] * (3 * N)),
            tensor("z", [[0x88, 0x08 | spare << 4]] * N, "u1"),
        ]
    run = helper.make_node(
        "MatMulNBits", taken, ["y"], domain="com.microsoft", K=columns, N=N, bits=bits, block_size=BLOCK
    )
    return model_of([run], constants, inputs=[value("x", shape=["n", columns])])


def bnb4(*, last: int = 0, absmax: float = 1.0) -> onnx.ModelProto:
    """MatMulBnb4 of 7 times 3 numbers: the last byte has one and its padding."""
    codes = np.arange(11, dtype=np.uint8) * 17 % 251
    codes[-1] = 0x50 | last
    constants = [tensor("b", codes, "u1"), tensor("s", [absmax, 1.0])]
    run = helper.make_node(
        "MatMulBnb4", ["x", "b", "s"], ["y"], domain="com.microsoft", K=7, N=3, block_size=16, quant_type=1
    )
    return model_of([run], constants, inputs=[value("x", shape=["n", 7])])


@case("packed-padding")
def numbers_beyond_the_last_column() -> Files:
    return files(nbits(padding=5))


@case("packed-padding")
def bytes_beyond_the_last_column() -> Files:
    return files(nbits(bits=8, padding=77))


@case("packed-padding")
def half_a_byte_behind_the_zero_points() -> Files:
    return files(nbits(spare=5))


@case("packed-padding")
def half_a_byte_behind_nf4() -> Files:
    return files(bnb4(last=9))


@case("weights-under-zero-scale")
def a_block_of_scale_zero_that_is_not_empty() -> Files:
    return files(nbits(scales=[0.1, 0.1, 0.0, 0.1]))


@case("weights-under-zero-scale")
def an_nf4_block_of_scale_zero_that_is_not_empty() -> Files:
    return files(bnb4(absmax=0.0))


@case("scale-zero-block")
def an_empty_block_of_scale_zero() -> Files:
    return files(nbits(scales=[0.1, 0.0, 0.1, 0.1], empty=True))


@case("packed-size")
def a_matrix_smaller_than_its_node_says() -> Files:
    return files(nbits(width=200))


@case("packed-size")
def a_block_of_size_zero() -> Files:
    made = nbits()
    next(one for one in made.graph.node[0].attribute if one.name == "block_size").i = 0
    return files(made)


@case("scale-not-finite")
def a_block_scale_that_is_not_a_number() -> Files:
    return files(nbits(scales=[0.1, float("nan"), 0.1, 0.1]))
