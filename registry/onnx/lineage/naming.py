"""Names that stand for two values: readers differ on which one counts, so nothing can be said of the file.

ONNX Runtime takes the first initializer of a name, other readers the last. The ONNX specification ("Names
Within a Graph") wants every value's name once in its graph and in all graphs around it; an initializer may
have the name of an input of its graph, whose default it then is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from registry.onnx.ir import Function, Graph, Model, Node
from registry.onnx.operators import qualified


def ambiguous(model: Model) -> tuple[str, ...]:
    """Each such name, in subgraphs and functions, too; of functions their own."""
    found = dict.fromkeys(_twice(qualified((one.domain, one.name)) + one.overload for one in model.functions))
    found |= dict.fromkeys(_graph(model.graph, ()))
    for one in model.functions:
        found |= dict.fromkeys(_function(one))
    return tuple(found)


def _graph(graph: Graph, around: Sequence[set[str]]) -> Iterator[str]:
    inputs = [value.name for value in graph.inputs]
    dense = [tensor.name for tensor in graph.initializers]
    yield from _twice(dense)
    defaults = {*inputs} & {*dense}
    sparse = [one.values.name for one in graph.sparse_initializers]
    others = (name for name in dense if name not in defaults)
    yield from _body((*inputs, *others, *sparse), graph.nodes, around)


def _function(one: Function) -> Iterator[str]:
    yield from _body(one.inputs, one.nodes, ())


def _body(given: Iterable[str], nodes: Sequence[Node], around: Sequence[set[str]]) -> Iterator[str]:
    """Names of one graph, then those of the graphs below it. An absent output has none."""
    made = [name for node in nodes for name in node.outputs if name]
    names = [*given, *made]
    yield from _twice(names)
    own = {*names}
    for outer in around:
        yield from sorted(own & outer)
    for node in nodes:
        for _, graph in node.subgraphs:
            yield from _graph(graph, (*around, own))


def _twice(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)
