"""Visits every node in the scope that it runs in: functions where they are called."""

from __future__ import annotations

from collections.abc import Iterator

from registry.onnx.ir import Model, Node
from registry.onnx.scan.collect import shortened
from registry.onnx.scope import Scope


def nodes(model: Model) -> Iterator[tuple[Scope, Node]]:
    """Each node with its scope. Expanding must be known to end. Raises InvalidModel for names given twice."""
    functions = {(one.domain, one.name, one.overload): one for one in model.functions}

    def visit(scope: Scope) -> Iterator[tuple[Scope, Node]]:
        for node in scope.nodes:
            function = functions.get((node.domain, node.op_type, node.overload))
            if function is None:
                yield scope, node
            else:
                yield from visit(Scope.of_call(function, node, scope))
            for name, graph in node.subgraphs:
                yield from visit(Scope.of_graph(graph, shortened(f"{scope.under(node)}.{name}"), scope))

    return visit(Scope.of_graph(model.graph))
