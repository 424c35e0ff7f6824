"""The bench that recipes are tried on: a parent, validation data, and calibration data for static recipes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from registry.errors import InvalidInput, InvalidModel
from registry.onnx.evaluate.compare import compare
from registry.onnx.evaluate.evaluation import Output
from registry.onnx.evaluate.measuring import Match, Measurement, Source
from registry.onnx.evaluate.ranking import added_noise
from registry.onnx.evaluate.recalling import Recalling
from registry.onnx.facts import inspect
from registry.onnx.ir import Graph
from registry.onnx.operators import qualified
from registry.onnx.quantize import Calibration, Recipe, quantize
from registry.onnx.quantize.feeds import samples
from registry.onnx.session import build_session
from registry.onnx.tune.latency import ratio_ppm
from registry.onnx.tune.trial import Trial

MADE = "model.onnx"
Quantize = Callable[..., bytes]  # as registry.onnx.quantize.quantize
# Operators with weights; every mode knows how to quantize some of them.
_WEIGHTY = frozenset(
    f"{domain}.{name}"
    for domain, names in {
        "ai.onnx": ("Conv", "ConvTranspose", "Gather", "Gemm", "LSTM", "MatMul"),
        "com.microsoft": ("Attention", "EmbedLayerNormalization"),
    }.items()
    for name in names
)


class Workbench:
    """Tries recipes of one model. Use it in a ``with`` block: it keeps the parent loaded.

    Raises InvalidModel where the source is quantized already, InvalidInput where the data does not fit it.
    ``quantizing`` and ``match`` are replaced in tests.
    """

    def __init__(
        self,
        source: Source,
        validation: Calibration,
        calibration: Calibration | None,
        *,
        quantizing: Quantize = quantize,
        match: Match | None = None,
    ) -> None:
        self._source, self._validation, self._calibration = source, validation, calibration
        self._quantizing, self._match = quantizing, match
        if inspect(*source).mode != "float":
            raise InvalidModel("the model is quantized already", on=source[1], hint="tune its float parent")
        self._frame = Measurement(source, source, validation)
        if calibration is not None:
            samples(calibration, self._frame.parent.model)
        self._last: tuple[Recipe, bytes] | None = None
        self._holding = ExitStack()

    def __enter__(self) -> Workbench:
        with ExitStack() as stack:
            self._parent = Recalling(stack.enter_context(build_session(*self._source)))
            self._timed = stack.enter_context(build_session(*self._source, threads=1))
            self._holding = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._holding.close()

    @property
    def samples(self) -> int:
        """Of the validation data."""
        return self._frame.samples

    @property
    def parent_size(self) -> int:
        """Bytes of the parent: the ONNX file and its external data."""
        return self._frame.parent_size

    def try_out(self, recipe: Recipe) -> Trial:
        """Make the recipe's model and measure it."""
        try:
            made = self.make(recipe)
            return self._measured(recipe, made)
        except (InvalidModel, InvalidInput) as error:
            return Trial(recipe, failed=str(error))

    def make(self, recipe: Recipe) -> bytes:
        """The recipe's model, one ONNX file. Raises InvalidModel, InvalidInput."""
        if self._last is None or self._last[0] != recipe:
            files, path = self._source
            data = self._calibration if recipe.needs_calibration else None
            self._last = recipe, self._quantizing(files, path, recipe, data)
        return self._last[1]

    def noisy(self, recipe: Recipe) -> tuple[str, ...]:
        """The values of the parent whose layers, of those with weights, add noise in the recipe's model."""
        child: Source = ({MADE: self.make(recipe)}, MADE)
        measurement = Measurement(child, self._source, self._validation, self._match)
        ranked = added_noise(measurement.layers().layers, measurement.parent)
        may = _products(measurement.parent.model.graph, of_constants=recipe.mode != "static")
        return tuple(layer.parent for layer, noise in ranked if noise > 0 and layer.parent in may)

    def _measured(self, recipe: Recipe, made: bytes) -> Trial:
        files = {MADE: made}
        with build_session(files, MADE) as child:
            outputs = compare(child, self._parent.again(), self._frame.batches)
        with build_session(files, MADE, threads=1) as child:
            feeds: Any = next(iter(self._frame.batches.smaller(1)))
            latency = ratio_ppm(child, self._timed, feeds)
        return Trial(
            recipe=recipe,
            sha256=hashlib.sha256(made).hexdigest(),
            size=len(made),
            agreement_ppm=agreement(outputs),
            sqnr_mdb=min((one.sqnr_mdb for one in outputs if one.sqnr_mdb is not None), default=0),
            latency_ppm=latency,
        )


def _products(graph: Graph, *, of_constants: bool) -> frozenset[str]:
    """The values that operators with weights make; ``of_constants``: that do multiply by a constant."""
    constants = {tensor.name for tensor in graph.initializers}
    constants |= {name for node in graph.nodes if node.op_type == "Constant" for name in node.outputs}
    return frozenset(
        name
        for node in graph.nodes
        if qualified((node.domain, node.op_type)) in _WEIGHTY
        and (not of_constants or constants.intersection(node.inputs))
        for name in node.outputs
    )


def agreement(outputs: tuple[Output, ...]) -> int:
    """Of the output that agrees least, in parts per million; its cosine where no output has classes."""
    classes = [one.agreement_ppm for one in outputs if one.agreement_ppm is not None]
    cosines = [one.cosine_ppm for one in outputs if one.cosine_ppm is not None]
    return min(classes or cosines, default=0)
