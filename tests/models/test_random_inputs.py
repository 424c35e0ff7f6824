"""Made-up inputs: shapes and types as declared, the same for the same seed, nothing unbounded."""

from __future__ import annotations

import numpy as np
import pytest

from registry.errors import InvalidInput
from registry.onnx.inputs import random_inputs
from registry.onnx.session import Signature


def test_random_inputs_follow_the_signature() -> None:
    signatures = [
        Signature("f", "tensor(float)", ("batch", None, 3, -1)),
        Signature("h", "tensor(float16)", (2,)),
        Signature("i", "tensor(int64)", (50,)),
        Signature("u", "tensor(uint8)", (50,)),
        Signature("b", "tensor(bool)", (2, 0)),
        Signature("s", "tensor(string)", (2,)),
        Signature("scalar", "tensor(double)", ()),
    ]
    made = random_inputs(signatures)
    assert [(made[name].shape, made[name].dtype) for name in "fhiubs"] == [
        ((1, 1, 3, 1), np.float32),
        ((2,), np.float16),
        ((50,), np.int64),
        ((50,), np.uint8),
        ((2, 0), np.bool_),
        ((2,), np.dtype(object)),
    ]
    assert (made["scalar"].shape, made["scalar"].dtype) == ((), np.float64)
    assert set(made["i"]) == set(made["u"]) == {0, 1}
    again, other = random_inputs(signatures), random_inputs(signatures, seed=1)
    assert (made["f"] == again["f"]).all()
    assert (made["f"] != other["f"]).any()


@pytest.mark.parametrize("kind", ["seq(tensor(float))", "tensor(float8e4m3fn)", "optional(tensor(float))"])
def test_no_random_input_for(kind: str) -> None:
    with pytest.raises(InvalidInput, match="no random value"):
        random_inputs([Signature("x", kind, (1,))])


def test_no_random_input_of_four_gigabytes() -> None:
    with pytest.raises(InvalidInput, match="elements"):
        random_inputs([Signature("x", "tensor(float)", (1 << 30,))])
