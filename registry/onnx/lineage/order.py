"""In which order a graph's nodes can be taken, and which of them its outputs depend on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from registry.onnx.ir import Graph, Node


def taken(node: Node) -> tuple[str, ...]:
    """The names of the enclosing graph that a node uses, those used only inside its subgraphs included."""
    names = [name for name in node.inputs if name]
    for _, graph in node.subgraphs:
        names.extend(_free(graph))
    return tuple(names)


def _free(graph: Graph) -> set[str]:
    """The names that a subgraph takes from outside."""
    own = {tensor.name for tensor in graph.initializers}
    own |= {sparse.values.name for sparse in graph.sparse_initializers}
    own |= {value.name for value in graph.inputs}
    used = {value.name for value in graph.outputs}
    for node in graph.nodes:
        used.update(taken(node))
        own.update(node.outputs)
    return used - own


class Order:
    """The nodes of one graph: ``sorted`` so that each comes behind what it takes, ``stuck`` those that
    wait for one another, ``live`` the places of those that an output depends on."""

    def __init__(self, nodes: Sequence[Node], outputs: Iterable[str]) -> None:
        self.nodes = nodes
        self._taken = [taken(node) for node in nodes]
        self._makers = {name: at for at, node in enumerate(nodes) for name in node.outputs if name}
        self.sorted, self.stuck = self._sort()
        self.live = self._live(outputs)
        self.used = {name for at in self.live for name in self._taken[at]} | set(outputs)

    def _sort(self) -> tuple[list[int], list[int]]:
        waits = [0] * len(self.nodes)
        users: dict[int, list[int]] = {}
        for at, names in enumerate(self._taken):
            for maker in {self._makers[name] for name in names if name in self._makers}:
                waits[at] += 1
                users.setdefault(maker, []).append(at)
        ready = deque(at for at, count in enumerate(waits) if not count)
        done: list[int] = []
        while ready:
            at = ready.popleft()
            done.append(at)
            for user in users.get(at, ()):
                waits[user] -= 1
                if not waits[user]:
                    ready.append(user)
        return done, [at for at, count in enumerate(waits) if count]

    def _live(self, outputs: Iterable[str]) -> set[int]:
        found: set[int] = set()
        names = list(outputs)
        while names:
            at = self._makers.get(names.pop())
            if at is not None and at not in found:
                found.add(at)
                names.extend(self._taken[at])
        return found
