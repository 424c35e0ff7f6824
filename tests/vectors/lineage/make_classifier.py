"""Train the classifier that the rounding attack is shown on: ``python make_classifier.py FILE``.

Data: the digits of scikit-learn, cut as in ``cli/demo/train.py``: the 450 samples that
``cli/demo/heldout.npz`` holds are not trained on. Fixed seeds; scikit-learn is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SEED, HELD_OUT = 20240711, 450  # of cli/demo/train.py
HIDDEN = (112, 48)


def main(path: Path) -> None:
    digits = load_digits()
    images = digits.images.reshape(len(digits.images), -1).astype(np.float32) / 16
    training, held_out, labels, expected = train_test_split(
        images, digits.target, test_size=HELD_OUT, random_state=SEED, stratify=digits.target
    )
    classifier = MLPClassifier(HIDDEN, max_iter=400, alpha=1e-3, random_state=SEED).fit(training, labels)
    print(f"held-out accuracy {classifier.score(held_out, expected):.4f}")
    path.write_bytes(to_onnx(classifier).SerializeToString(deterministic=True))
    print(path.name, path.stat().st_size, "bytes")


def to_onnx(classifier: MLPClassifier) -> onnx.ModelProto:
    """x[n, 64] (grey levels 0 to 1, row by row) to logits[n, 10]."""
    nodes, weights, source = [], [], "x"
    last = len(classifier.coefs_)
    for place, (weight, bias) in enumerate(zip(classifier.coefs_, classifier.intercepts_, strict=True), 1):
        weights.append(numpy_helper.from_array(weight.astype(np.float32), f"w{place}"))
        weights.append(numpy_helper.from_array(bias.astype(np.float32), f"b{place}"))
        result = "logits" if place == last else f"a{place}"
        nodes.append(helper.make_node("MatMul", [source, f"w{place}"], [f"m{place}"], f"fc{place}"))
        nodes.append(helper.make_node("Add", [f"m{place}", f"b{place}"], [result], f"bias{place}"))
        if place < last:
            nodes.append(helper.make_node("Relu", [result], [f"r{place}"], f"relu{place}"))
        source = f"r{place}"
    value = helper.make_tensor_value_info
    inputs = [value("x", TensorProto.FLOAT, ["n", 64])]
    outputs = [value("logits", TensorProto.FLOAT, ["n", 10])]
    graph = helper.make_graph(nodes, "digits-mlp", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    main(Path(sys.argv[1]))
