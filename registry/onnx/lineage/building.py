"""Reads a model's graphs into terms: main graph, subgraphs, and the functions that are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from registry.errors import InvalidModel
from registry.onnx.ir import Function, Graph, Node, Tensor
from registry.onnx.lineage import attributes
from registry.onnx.lineage.calls import Call
from registry.onnx.lineage.frames import Built, Frame, Spare
from registry.onnx.lineage.order import Order
from registry.onnx.lineage.terms import BOUND, INPUT, Constant, Term
from registry.onnx.loaded import Loaded
from registry.onnx.operators import qualified

Normalise = Callable[[Call], list[Term]]
_OWN = ("ai.onnx", "com.microsoft")  # and "": domains whose operators are the runtime's
_EXTRA = 50_000  # nodes that functions may expand to, however small the file
_EACH = 16  # and for each node in it
_LISTS = {"value_int": "<i8", "value_ints": "<i8", "value_float": "<f4", "value_floats": "<f4"}


class Builder:
    """Turns one model into terms; ``normalise`` says what a node stands for."""

    def __init__(self, loaded: Loaded, normalise: Normalise) -> None:
        self.built = Built(loaded)
        self._loaded = loaded
        self._normalise = normalise
        self._functions = {(one.domain, one.name, one.overload): one for one in loaded.model.functions}
        self._called: set[tuple[str, str, str]] = set()
        self._spoken = dict(loaded.model.opsets)
        held = len(loaded.model.graph.nodes) + sum(len(one.nodes) for one in loaded.model.functions)
        self._left = _EXTRA + _EACH * held

    def build(self) -> Built:
        """The main graph's outputs, and all that goes into them. Raises InvalidModel."""
        graph, frame, built = self._loaded.model.graph, Frame(""), self.built
        held = {tensor.name for tensor in graph.initializers}
        held |= {sparse.values.name for sparse in graph.sparse_initializers}
        for value in graph.inputs:
            if value.name not in held:
                term = built.terms.make(
                    INPUT, attrs={"at": len(built.inputs)}, payload=(value.elem_type, value.shape)
                )
                term.name, term.node, term.operator = value.name, value.name, "input"
                frame.names[value.name] = term
                built.inputs.append((value.name, value.elem_type))
        found = self._graph(graph, frame)
        built.outputs = [(value.name, term) for value, term in zip(graph.outputs, found, strict=True)]
        built.shadows = [
            qualified((domain, name))
            for domain, name, _ in self._functions
            if not domain or domain.startswith(_OWN)
        ]
        built.idle = [
            qualified((domain, name))
            for domain, name, overload in self._functions
            if (domain, name, overload) not in self._called
        ]
        return built

    def _graph(self, graph: Graph, frame: Frame) -> list[Term]:
        """The terms of a graph's outputs."""
        for tensor in graph.initializers:
            self._define(frame, tensor.name, self._leaf(tensor, frame))
        for sparse in graph.sparse_initializers:
            held = (sparse.values, *(() if sparse.indices is None else (sparse.indices,)))
            parts = tuple(attributes.tensor(self._loaded, part) for part in held)
            made = self.built.terms.make("sparse", attrs={"dims": sparse.dims, "parts": parts})
            self._define(frame, sparse.values.name, made)
        names = [value.name for value in graph.outputs]
        self._nodes(graph.nodes, names, frame)
        used = self._used
        for tensor in graph.initializers:
            if tensor.name not in used:
                self.built.unused.append(Constant(tensor.name, frame.label, tensor, self._loaded.contents))
        return [self._known(frame, name) for name in names]

    def _nodes(self, nodes: tuple[Node, ...], outputs: Iterable[str], frame: Frame) -> None:
        order = Order(nodes, outputs)
        for at in order.stuck:
            node = nodes[at]
            self.built.stuck.append(Spare(node.name, qualified((node.domain, node.op_type)), None))
            for name in node.outputs:
                frame.names[name] = self.built.terms.make("cycle", key=(frame.label, name))
        for at in order.sorted:
            self._node(nodes[at], frame)
            if at in order.live:
                made = (frame.names.get(name) for name in nodes[at].outputs)
                self.built.live.update(term.id for term in made if term is not None)
            else:
                self._dead(nodes[at], frame)
        self._used = order.used

    def _define(self, frame: Frame, name: str, term: Term) -> None:
        if frame.names.get(name, term) is not term:
            self.built.twice.append(name)
        frame.names[name] = term

    def _dead(self, node: Node, frame: Frame) -> None:
        named = next((name for name in node.outputs if name), "")
        spare = Spare(node.name or named, qualified((node.domain, node.op_type)), frame.find(named))
        self.built.dead.append(spare)

    def _node(self, node: Node, frame: Frame) -> None:
        self._left -= 1
        if self._left < 0:
            raise InvalidModel("the graph expands to too many operators", hint="export the model again")
        terms, operator = self.built.terms, qualified((node.domain, node.op_type))
        before = len(terms.all)
        found = self._outputs(node, frame)
        named = node.name or next((name for name in node.outputs if name), "")
        for made in terms.all[before:]:
            if not made.node:
                made.node, made.operator, made.scope = named, operator, frame.label
        for name, term in zip(node.outputs, found, strict=False):
            if name:
                self._define(frame, name, term)
                if not term.name:
                    term.name, term.scope = name, frame.label

    def _outputs(self, node: Node, frame: Frame) -> list[Term]:
        if node.op_type == "Constant" and not node.domain:
            return [self._constant(node, frame)]
        key = (node.domain, node.op_type, node.overload)
        if key in self._functions:
            return self._function(self._functions[key], node, frame)
        graphs = dict(node.subgraphs)
        if node.op_type == "If" and not node.domain:
            return self._branches(node, graphs, frame)
        args = [self._known(frame, name) if name else None for name in node.inputs]
        for label, graph in node.subgraphs:
            args.extend(self._body(graph, frame.inner(f"{node.name or node.op_type}.{label}")))
        return self._normalise(self._call(node, tuple(args), frame))

    def _call(self, node: Node, args: tuple[Term | None, ...], frame: Frame) -> Call:
        attrs = attributes.written(self._loaded, node, frame.given)
        if (
            node.op_type == "ConstantOfShape"
            and (held := node.attributes.get("value")) is not None
            and held.t
        ):
            args = (*args[:1], self._leaf(held.t._replace(name=node.name), frame))
            attrs.pop("value", None)
        version, opset = self._spoken.get(node.domain, 1), self._spoken.get("", 1)
        return Call(
            self.built.terms, node.op_type, node.domain, version, args, attrs, len(node.outputs), opset
        )

    def _branches(self, node: Node, graphs: Mapping[str, Graph], frame: Frame) -> list[Term]:
        """Each output of an If as its own choice between two values."""
        condition = self._known(frame, node.inputs[0]) if node.inputs else None
        label = node.name or node.op_type
        sides = [
            self._body(graphs[side], frame.inner(f"{label}.{side}")) if side in graphs else []
            for side in ("then_branch", "else_branch")
        ]
        if len(sides[0]) != len(sides[1]) or len(sides[0]) < len(node.outputs):
            raise InvalidModel("the branches of an If differ in outputs", on=node.name)
        return [self.built.terms.make("If", (condition, *pair)) for pair in zip(*sides, strict=True)]

    def _body(self, graph: Graph, frame: Frame) -> list[Term]:
        """A subgraph's outputs; its own inputs are told apart by depth and position."""
        for at, value in enumerate(graph.inputs):
            frame.names[value.name] = self.built.terms.make(BOUND, attrs={"depth": frame.depth, "at": at})
        return self._graph(graph, frame)

    def _function(self, function: Function, node: Node, frame: Frame) -> list[Term]:
        """The body of a model-local function in place of its call."""
        self._called.add((node.domain, node.op_type, node.overload))
        inner = frame.inner(node.name or node.op_type)
        passed = {
            name: frame.given[held.ref] if held.ref else held
            for name, held in node.attributes.items()
            if not held.ref or held.ref in frame.given
        }
        inner.outer, inner.given = None, {**function.defaults, **passed}
        for at, name in enumerate(function.inputs):
            given = node.inputs[at] if at < len(node.inputs) else ""
            if given:
                inner.names[name] = self._known(frame, given)
        self._nodes(function.nodes, function.outputs, inner)
        return [self._known(inner, name) for name in function.outputs]

    def _known(self, frame: Frame, name: str) -> Term:
        found = frame.find(name)
        return found if found is not None else self.built.terms.make("undefined", key=(frame.label, name))

    def _leaf(self, tensor: Tensor, frame: Frame) -> Term:
        return self.built.terms.constant(Constant(tensor.name, frame.label, tensor, self._loaded.contents))

    def _constant(self, node: Node, frame: Frame) -> Term:
        """What a Constant node holds."""
        import numpy as np

        for name, written in node.attributes.items():
            held = frame.given.get(written.ref) if written.ref else written
            if held is None:
                continue
            if held.t is not None:
                return self._leaf(held.t._replace(name=node.outputs[0]), frame)
            value = attributes.value(self._loaded, held)
            if name in _LISTS:
                data = np.array(value, _LISTS[name])
                made = self.built.terms.constant(Constant(node.outputs[0], frame.label, None, None, data))
                return made
            return self.built.terms.make("text", attrs={name: value})
        raise InvalidModel("a Constant without a value", on=node.name, hint="export the model again")
