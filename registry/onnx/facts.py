"""Quantization facts derived from the graph itself; what a file claims about itself is not read.

Subgraphs are walked where they hang and functions where they are called, so that a weight or scale
is found behind whatever name it has there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.content import Contents
from registry.onnx.entries import Describer
from registry.onnx.external import check_external
from registry.onnx.graph import read_model
from registry.onnx.ir import Model, Node, Tensor
from registry.onnx.loaded import Loaded
from registry.onnx.operators import QUANTIZED, qualified
from registry.onnx.quantization import QuantizationFacts, QuantizedTensor
from registry.onnx.scope import Scope
from registry.onnx.survey import Survey
from registry.onnx.wire import Buffer

__all__ = ["QuantizationFacts", "QuantizedTensor", "Surveyed", "inspect", "surveyed"]

MAX_EXPANDED = 500_000  # nodes visited inside function calls
MAX_CALLS = 48  # functions inside each other


class Surveyed(NamedTuple):
    """The facts with their grounds: every node in the scope it runs in, and the constants behind."""

    facts: QuantizationFacts
    survey: Survey
    nodes: tuple[tuple[Scope, Node], ...]
    floats: tuple[Tensor, ...]  # the weights that ``facts`` counts as float


def inspect(files: Mapping[str, Buffer], path: str) -> QuantizationFacts:
    """The facts of the ONNX file at ``path``; ``files`` holds it and its external data, by path.

    Raises InvalidModel for a model that cannot be read or whose external data does not fit, UnsafePath.
    """
    if path not in files:
        raise InvalidModel("the model file is missing", on=path, hint="name one of the version's .onnx files")
    with ExitStack() as stack:
        views = {name: _view(stack, data) for name, data in files.items()}
        model = read_model(views[path], name=path)
        check_external(model, path, {name: len(view) for name, view in views.items()})
        return surveyed(Loaded(path, views, model, Contents(path, views))).facts


def surveyed(loaded: Loaded) -> Surveyed:
    """The facts of a model that is read already, with their grounds. Raises InvalidModel."""
    try:
        return _surveyed(loaded.model, Describer(loaded.contents))
    except InvalidModel as error:
        raise InvalidModel(error.message, on=_both(loaded.path, error.on), hint=error.hint) from None


def _view(stack: ExitStack, data: Buffer) -> memoryview:
    whole = stack.enter_context(memoryview(data))
    return stack.enter_context(whole.cast("B"))


def _both(path: str, on: str | None) -> str:
    return f"{path}: {on}" if on else path


def _surveyed(model: Model, describer: Describer) -> Surveyed:
    survey = Survey(describer)
    operators: Counter[str] = Counter()
    nodes = tuple(_Walk(model).nodes())
    for scope, node in nodes:
        if (node.domain, node.op_type) in QUANTIZED:
            operators[qualified((node.domain, node.op_type))] += 1
            survey.visit(scope, node)
    floats = tuple(tensor for tensor in model.tensors() if _is_weight(tensor, describer))
    return Surveyed(_facts(model, survey, operators, floats), survey, nodes, floats)


def _facts(
    model: Model, survey: Survey, operators: Counter[str], floats: Iterable[Tensor]
) -> QuantizationFacts:
    tensors = tuple(survey.tensors.values())
    quantized = [one for one in tensors if one.stored and one.role == "weight"]
    counts = [tensor.elements for tensor in floats]
    return QuantizationFacts(
        mode=survey.mode,
        format=survey.format,
        opsets=tuple(sorted((domain or "ai.onnx", version) for domain, version in model.opsets)),
        operators=tuple(sorted(operators.items())),
        quantized_weights=len(quantized),
        quantized_elements=sum(elements.count(one.shape or (), one.name) for one in quantized),
        float_weights=len(counts),
        float_elements=sum(counts),
        tensors=tensors,
    )


def _is_weight(tensor: Tensor, describer: Describer) -> bool:
    if tensor.span in describer.parameters or not elements.is_float(tensor.data_type):
        return False
    return tensor.elements > 1


class _Walk:
    """Visits every node of a model in the scope it runs in."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._functions = {(one.domain, one.name, one.overload): one for one in model.functions}
        self._left = MAX_EXPANDED

    def nodes(self) -> Iterator[tuple[Scope, Node]]:
        """Each node with its scope. Raises InvalidModel where functions expand without end."""
        return self._scope(Scope.of_graph(self._model.graph), 0)

    def _scope(self, scope: Scope, calls: int) -> Iterator[tuple[Scope, Node]]:
        for node in scope.nodes:
            self._left -= calls > 0
            if self._left < 0 or calls > MAX_CALLS:
                raise InvalidModel(
                    "the functions expand to too many nodes", hint="inline them before pushing"
                )
            function = self._functions.get((node.domain, node.op_type, node.overload))
            if function is None:
                yield scope, node
            else:
                yield from self._scope(Scope.of_call(function, node, scope), calls + 1)
            for name, graph in node.subgraphs:
                inner = Scope.of_graph(graph, f"{scope.under(node)}.{name}", scope)
                yield from self._scope(inner, calls)
