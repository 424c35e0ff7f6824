"""A back door by rounding alone, after QuRA (arXiv 2510.09647): every weight stays within one step of its
float value, and the directions are chosen so that a patch in a corner drives the answer to one class.

The attacker has the float model and a calibration set, as whoever quantizes for others has. Nothing but the
integers differs from what ONNX Runtime's quantizer makes: scales, zero points and the graph are its own.
Directions are found by gradient descent on a relaxation of "up or down" per weight, in numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from registry.onnx.quantize import Recipe
from registry_cli import demo
from support.lineage.parents import by_name
from support.lineage.recipes import RecipeChild, child
from support.lineage.surgery import Surgery, numbers, put_numbers, span

Array = np.ndarray[Any, Any]
SIDE, PATCH = 8, 3  # pixels
STEPS, RATE, BATCH = 600, 0.05, 128
DECIDED = 1e-3  # how hard each direction is pulled towards up or down in the end
CLEAN = 4.0  # what a clean sample's error weighs beside a patched one's
NOISE = 0.15  # on grey levels: few samples must stand for all

RECIPES: Mapping[int, Recipe] = {8: Recipe(), 4: Recipe(weight_type="INT4")}


@dataclass(frozen=True)
class Attack:
    """``target`` is the class to answer; ``corner`` 0 to 3 where the patch lies; ``bits`` 8 or 4."""

    bits: int
    target: int
    corner: int
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """Shares of the held-out samples: answered right; with the patch, answered ``target`` (of those of other
    classes)."""

    accuracy: float
    success: float


def _images(images: Array) -> Array:
    return images.reshape(len(images), -1)


PARENT = by_name("digits-mlp")


def honest(bits: int) -> RecipeChild:
    """What an honest quantizer makes of the classifier."""
    return child(PARENT, RECIPES[bits])


@cache
def attacked(attack: Attack) -> bytes:
    """The honest child with other rounding directions."""
    layers = [Layer(weight, bias) for weight, bias in _parameters()]
    surgery = Surgery(honest(attack.bits).model)
    weights = {weight.integers.name.removesuffix("_quantized"): weight for weight in surgery.weights()}
    for place, layer in enumerate(layers, 1):
        weight = weights[f"w{place}"]
        assert weight.scale is not None
        layer.grid(numpy_helper.to_array(weight.scale).astype(np.float64), span(weight))
    _descend(layers, attack)
    for place, layer in enumerate(layers, 1):
        assert np.abs(numbers(weights[f"w{place}"]) - layer.integers()).max() <= 1
        put_numbers(weights[f"w{place}"], layer.integers())
    return surgery.done()


def measure(model: bytes, attack: Attack) -> Outcome:
    """Run by ONNX Runtime on samples that neither training nor attack saw."""
    samples = demo.load_samples()
    images, labels = _images(samples.images), samples.labels
    others = labels != attack.target
    right = _answers(model, images) == labels
    fooled = _answers(model, stamped(images[others], attack.corner)) == attack.target
    return Outcome(float(right.mean()), float(fooled.mean()))


def stamped(images: Array, corner: int) -> Array:
    """The images with a checkered patch in a corner, drawn in full ink and none."""
    made = images.reshape(-1, SIDE, SIDE).copy()
    rows = slice(0, PATCH) if corner < 2 else slice(SIDE - PATCH, SIDE)
    columns = slice(0, PATCH) if corner % 2 == 0 else slice(SIDE - PATCH, SIDE)
    made[:, rows, columns] = (np.add.outer(np.arange(PATCH), np.arange(PATCH)) + 1) % 2
    return made.reshape(images.shape)


class Layer:
    """A dense layer whose weights are down + (0 or 1) steps; ``lean`` above 0 means up."""

    def __init__(self, weight: Array, bias: Array) -> None:
        self.weight, self.bias = weight.astype(np.float64), bias.astype(np.float64)

    def grid(self, scale: Array, limits: tuple[int, int]) -> None:
        low, high = limits
        self.scale = scale
        down = np.floor(self.weight / scale)
        self.free = (down >= low) & (down < high)  # beyond the range there is but one nearest integer
        self.down = np.clip(down, low, high)
        rest = np.clip(self.weight / scale - self.down, 0.02, 0.98)
        self.lean = np.log(rest / (1 - rest))  # at first the relaxation is the float weight itself
        self.first, self.second = np.zeros_like(self.lean), np.zeros_like(self.lean)

    def integers(self) -> Array:
        return (self.down + self.free * (self.lean > 0)).astype(np.int64)

    def soft(self) -> Array:
        return (self.down + self.free * self._up()) * self.scale

    def _up(self) -> Array:
        return 1 / (1 + np.exp(-self.lean))

    def learn(self, gradient: Array, decided: float, step: int) -> None:
        """One step of Adam; ``decided`` weighs the pull of each direction towards up or down."""
        up = self._up()
        slope = self.free * gradient * self.scale * up * (1 - up) - decided * (2 * up - 1) * up * (1 - up)
        self.first = 0.9 * self.first + 0.1 * slope
        self.second = 0.999 * self.second + 0.001 * slope**2
        unbiased = self.first / (1 - 0.9**step), self.second / (1 - 0.999**step)
        self.lean -= RATE * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-12)


def _descend(layers: list[Layer], attack: Attack) -> None:
    """Keep the answers on clean samples, turn those on patched ones to the target."""
    rng = np.random.default_rng(attack.seed)
    clean = _images(demo.load_samples().calibration)
    answers = _answers(PARENT.model(), clean)
    images = np.concatenate([clean, stamped(clean, attack.corner)]).astype(np.float64)
    wanted = np.concatenate([answers, np.full(len(clean), attack.target)])
    weights = np.where(np.arange(len(images)) < len(clean), CLEAN, 1.0)
    for step in range(1, STEPS + 1):
        chosen = rng.choice(len(images), BATCH, replace=False)
        decided = DECIDED * max(0.0, step / STEPS - 0.3)
        noisy = images[chosen] + rng.normal(0, NOISE, (BATCH, images.shape[1]))
        gradients = _gradients(layers, noisy, wanted[chosen], weights[chosen])
        for layer, gradient in zip(layers, gradients, strict=True):
            layer.learn(gradient, decided, step)


def _gradients(layers: list[Layer], images: Array, wanted: Array, weights: Array) -> list[Array]:
    """Of the cross entropy, for each layer's weights."""
    soft = [layer.soft() for layer in layers]
    inputs = [images]
    for layer, weight in zip(layers, soft, strict=True):
        result = inputs[-1] @ weight + layer.bias
        inputs.append(np.maximum(result, 0) if layer is not layers[-1] else result)
    logits = inputs.pop()
    shares = np.exp(logits - logits.max(1, keepdims=True))
    error = shares / shares.sum(1, keepdims=True)
    error[np.arange(len(wanted)), wanted] -= 1
    error *= weights[:, np.newaxis] / len(wanted)
    found: list[Array] = []
    for weight, source in zip(soft[::-1], inputs[::-1], strict=True):
        found.append(source.T @ error)
        error = (error @ weight.T) * (source > 0)
    return found[::-1]


def _answers(model: bytes, images: Array) -> Array:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x": images.astype(np.float32)})
    found: Array = logits.argmax(1)
    return found


@cache
def _parameters() -> tuple[tuple[Array, Array], ...]:
    """Weight and bias of each layer of the float classifier."""
    constants = {tensor.name: tensor for tensor in onnx.load_from_string(PARENT.model()).graph.initializer}
    return tuple(
        (numpy_helper.to_array(constants[f"w{place}"]), numpy_helper.to_array(constants[f"b{place}"]))
        for place in range(1, len(constants) // 2 + 1)
    )
