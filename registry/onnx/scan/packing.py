"""Weights packed into bytes by weight-only operators: what lies beyond the matrix, or under a zero scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from registry.errors import InvalidModel, UnsafePath
from registry.onnx.arrays import array
from registry.onnx.findings import Rule
from registry.onnx.ir import Node, Tensor
from registry.onnx.operands import input_of
from registry.onnx.operators import BNB4, NBITS
from registry.onnx.scan.subject import Subject
from registry.onnx.scope import Scope

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PADDING: Final = Rule(
    "packed-padding",
    "medium",
    "numbers beyond the end of a packed matrix",
    "The last block of a row is filled up; only zeros or the zero point belong there. Nothing else reads it.",
)
HIDDEN: Final = Rule(
    "weights-under-zero-scale",
    "medium",
    "packed weights that a scale of zero makes vanish",
    "They do not change what the model answers, so they can be anything.",
)
SIZE: Final = Rule(
    "packed-size",
    "high",
    "a packed matrix that is not of its node's size",
    "A runtime that trusts the attributes reads past the end; one that trusts the bytes sees another matrix.",
)
RULES: Final = (PADDING, HIDDEN, SIZE)


class Matrix(NamedTuple):
    """``rows`` of numbers of ``bits`` bits in blocks; ``columns`` of each row count, the rest is padding."""

    rows: int
    columns: int
    block: int
    bits: int

    @property
    def blocks(self) -> int:
        """Blocks in a row."""
        return -(-self.columns // self.block)


def check_node(subject: Subject, scope: Scope, node: Node, done: set[tuple[object, ...]]) -> None:
    """Report what a MatMulNBits or MatMulBnb4 node's constants carry beside its weights.

    ``done`` holds what was looked at: a function may be called a thousand times with the same constants.
    """
    key = (node.domain, node.op_type)
    if key not in (NBITS, BNB4):
        return
    n, k, block = (scope.integer(node, name, 0) for name in ("N", "K", "block_size"))
    bits = scope.integer(node, "bits", 4)
    if min(n, k, block) < 1 or bits not in (2, 4, 8):
        subject.found.add(SIZE, scope.under(node), f"K {k}, N {n}, block_size {block}, bits {bits}")
        return
    held = tuple(_constant(scope, node, at) for at in (1, 2, 3))
    about = (*held, n, k, block, bits)
    if about in done:
        return
    done.add(about)
    if key == NBITS:
        _nbits(subject, scope, node, Matrix(n, k, block, bits))
    else:
        _bnb4(subject, scope, node, Matrix(1, n * k, block, 4))


def _nbits(subject: Subject, scope: Scope, node: Node, matrix: Matrix) -> None:
    weights, scales, zeros = (_numbers(subject, scope, node, at) for at in (1, 2, 3))
    where = scope.under(node)
    if zeros is not None and zeros.dtype.kind == "u":
        zeros = _zero_points(subject, where, matrix, zeros)
    if weights is None or weights.dtype.kind != "u":
        return
    width = matrix.block * matrix.bits // 8
    if weights.size != matrix.rows * matrix.blocks * width or not width:
        subject.found.add(SIZE, where, f"{weights.size} bytes for {matrix.rows} rows of {matrix.columns}")
        return
    blocks = weights.reshape(matrix.rows, matrix.blocks, width)
    if matrix.columns % matrix.block:
        _padding(subject, where, matrix, blocks[:, -1], zeros)
    if scales is not None and scales.size == matrix.rows * matrix.blocks:
        _under_zero(subject, where, blocks.reshape(-1, width), scales.reshape(-1))


def _padding(subject: Subject, where: str, matrix: Matrix, last: Array, zeros: Array | None) -> None:
    """``last``: each row's last block, in bytes."""
    used = matrix.columns % matrix.block
    tail = _unpacked(last[:, used * matrix.bits // 8 :], matrix.bits)
    tail = tail[:, used * matrix.bits % 8 // matrix.bits :]
    middle = 1 << (matrix.bits - 1)
    own = zeros[:, -1:] if zeros is not None and zeros.dtype.kind == "u" else middle
    if ((tail != 0) & (tail != middle) & (tail != own)).any():
        subject.found.add(PADDING, where, f"beyond column {matrix.columns} of its rows")


def _zero_points(subject: Subject, where: str, matrix: Matrix, packed: Array) -> Array | None:
    """One row for each of the matrix's, filled up to whole bytes: 0 or the middle belongs there."""
    width = -(-matrix.blocks * matrix.bits // 8)
    if packed.size != matrix.rows * width:
        subject.found.add(SIZE, where, f"{packed.size} bytes of zero points for {matrix.rows} rows")
        return None
    found = _unpacked(packed.reshape(matrix.rows, width), matrix.bits)
    spare = found[:, matrix.blocks :]
    if ((spare != 0) & (spare != 1 << (matrix.bits - 1))).any():
        subject.found.add(PADDING, where, "beyond the last zero point of its rows")
    return found[:, : matrix.blocks]


def _bnb4(subject: Subject, scope: Scope, node: Node, matrix: Matrix) -> None:
    """One long row; the first of a byte's two numbers is the high one."""
    weights, scales = (_numbers(subject, scope, node, at) for at in (1, 2))
    where = scope.under(node)
    if weights is None or weights.dtype.kind != "u":
        return
    flat = weights.reshape(-1)
    if flat.size != -(-matrix.columns // 2):
        subject.found.add(SIZE, where, f"{flat.size} bytes for {matrix.columns} numbers")
        return
    if matrix.columns % 2 and flat[-1] & 15 not in (0, 7):
        subject.found.add(PADDING, where, "in the last byte")
    if scales is not None and scales.size == matrix.blocks and matrix.block % 2 == 0:
        width = matrix.block // 2
        whole = flat.size // width
        _under_zero(subject, where, flat[: whole * width].reshape(whole, width), scales.reshape(-1)[:whole])


def _under_zero(subject: Subject, where: str, blocks: Array, scales: Array) -> None:
    """Where a scale is zero every number of its block is the same, whatever the quantizer writes there."""
    vanished = blocks[scales == 0]
    if vanished.size and (vanished != vanished[:, :1]).any():
        subject.found.add(HIDDEN, where, f"{len(vanished)} block(s) have a scale of zero")


def _unpacked(packed: Array, bits: int) -> Array:
    """Rows of bytes as rows of numbers, the first in the low bits."""
    import numpy as np

    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return ((packed[..., None] >> shifts) & ((1 << bits) - 1)).reshape(len(packed), -1)


def _numbers(subject: Subject, scope: Scope, node: Node, position: int) -> Array | None:
    tensor = _constant(scope, node, position)
    try:
        return None if tensor is None else array(subject.contents, tensor)
    except (InvalidModel, UnsafePath):
        return None  # reported where storage is looked at


def _constant(scope: Scope, node: Node, position: int) -> Tensor | None:
    home = input_of(scope, node, position)
    return home.scope.constant(home.scope.source(home)) if home is not None else None
