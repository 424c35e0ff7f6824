"""Train the demo's classifier of handwritten digits, and write the two files that ``registry demo`` uses.

Data
    "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning
    Repository, doi 10.24432/C50P49, CC BY 4.0): digits written by people on forms, counted down to 8x8 pixels
    of 17 grey levels. scikit-learn carries its 1,797 test samples, and those are all that is used here.
    1,347 of them train; 450, stratified by class and drawn with a fixed seed, are held out and never looked
    at before the one evaluation at the end. The writers of the two parts are the same people: the figure says
    how well the model reads these hands, not every hand.

Run
    In an environment with torch 2.13, scikit-learn 1.9, onnx 1.23 and onnxruntime 1.31, from the root of the
    source tree::

        python -m cli.demo.train

    One thread, fixed seeds and deterministic kernels: with the same versions on the same kind of processor
    the files come out byte for byte the same, elsewhere the accuracy does. It takes about 15 seconds.

Writes
    ``digits.onnx`` and ``heldout.npz`` beside this file (``cli/demo/__init__.py`` describes both), and prints
    the held-out accuracy of the file it wrote, as ONNX Runtime computes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from . import INPUT, OUTPUT, load_samples, model_bytes, scaled

SEED = 20240711
HELD_OUT = 450  # samples
CALIBRATION = 128  # samples
EPOCHS = 120
BATCH = 64  # samples
OPSET = 17  # with IR version 8: read by ONNX Runtime 1.12 and later
IR_VERSION = 8
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Digits:
    """Grey levels uint8 ``[N, 8, 8]`` and labels ``[N]`` of both parts."""

    training: NDArray[np.uint8]
    training_labels: NDArray[np.uint8]
    held_out: NDArray[np.uint8]
    held_out_labels: NDArray[np.uint8]


def load_split() -> Digits:
    """The data set, cut in two: stratified by class, the same cut every time."""
    digits = load_digits()
    training, held_out, training_labels, held_out_labels = train_test_split(
        digits.images.astype(np.uint8),
        digits.target.astype(np.uint8),
        test_size=HELD_OUT,
        random_state=SEED,
        stratify=digits.target,
    )
    return Digits(training, training_labels, held_out, held_out_labels)


def network() -> nn.Sequential:
    """Three convolutions and a linear layer: 20,602 weights."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 48, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(48 * 2 * 2, 10),
    )


def shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The batch moved as a whole by -1, 0 or 1 pixel each way, empty paper coming in at the edges."""
    down, right = (int(step) for step in torch.randint(0, 3, (2,), generator=generator))
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    return padded[:, :, down : down + 8, right : right + 8]


def train(images: NDArray[np.float32], labels: NDArray[np.uint8]) -> nn.Sequential:
    """The network after EPOCHS passes over the training part."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    model = network().train()
    inputs, targets = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(inputs), generator=generator).split(BATCH):
            optimizer.zero_grad()
            logits = model(shifted(inputs[batch], generator))
            nn.functional.cross_entropy(logits, targets[batch], label_smoothing=0.05).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def to_onnx(model: nn.Sequential) -> onnx.ModelProto:
    """The trained network as a graph with names a person can read; nothing but its weights is taken over."""
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        _node("Conv", [INPUT, "conv1.weight", "conv1.bias"], "conv1", **conv),
        _node("Relu", ["conv1"], "relu1"),
        _node("Conv", ["relu1", "conv2.weight", "conv2.bias"], "conv2", **conv),
        _node("Relu", ["conv2"], "relu2"),
        _node("MaxPool", ["relu2"], "pool2", **pool),
        _node("Conv", ["pool2", "conv3.weight", "conv3.bias"], "conv3", **conv),
        _node("Relu", ["conv3"], "relu3"),
        _node("MaxPool", ["relu3"], "pool3", **pool),
        _node("Flatten", ["pool3"], "flat", axis=1),
        _node("Gemm", ["flat", "linear.weight", "linear.bias"], OUTPUT, transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", 10])],
        initializer=_weights(model),
        doc_string="Handwritten digits, 8x8 pixels in 0..1, to one logit per digit.",
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(
        graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="hallmark-demo"
    )


def _node(operator: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], name=f"{operator.lower()}_{output}", **attributes)


def _weights(model: nn.Sequential) -> list[TensorProto]:
    layers = [layer for layer in model if isinstance(layer, nn.Conv2d | nn.Linear)]
    named = zip(("conv1", "conv2", "conv3", "linear"), layers, strict=True)
    return [
        onnx.numpy_helper.from_array(tensor.detach().numpy(), f"{name}.{part}")
        for name, layer in named
        for part, tensor in layer.named_parameters()
    ]


def accuracy() -> float:
    """The share of held-out samples that the written file reads correctly, in ONNX Runtime."""
    samples = load_samples()
    session = onnxruntime.InferenceSession(model_bytes(), providers=["CPUExecutionProvider"])
    (logits,) = session.run([OUTPUT], {INPUT: samples.images})
    return float((logits.argmax(axis=1) == samples.labels).mean())


def main() -> None:
    digits = load_split()
    model = to_onnx(train(scaled(digits.training), digits.training_labels))
    onnx.checker.check_model(model, full_check=True)
    (HERE / "digits.onnx").write_bytes(model.SerializeToString(deterministic=True))
    np.savez_compressed(
        HERE / "heldout.npz",
        images=digits.held_out,
        labels=digits.held_out_labels,
        calibration=digits.training[:CALIBRATION],
    )
    print(f"held-out accuracy {accuracy():.4f} on {HELD_OUT} samples")


if __name__ == "__main__":
    main()
