"""The content of a model, whatever its values are called: one fingerprint.

A graph is written down by position: from the outputs back, every node gets its place when it is first met,
and stands there with its operator, attributes, constants and the places of its inputs. Names of nodes and
inner values, doc strings, metadata, the producer, the order of nodes in the file and whether a constant is
an initializer or a Constant node do not count; names of the model's inputs and outputs do, they are its
interface. What no output needs is written down as a sorted
multiset, so that nothing can be added unseen.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.content import Contents
from registry.onnx.ir import Attribute, Function, Graph, Node, SparseTensor, Tensor, Value
from registry.onnx.lineage.naming import ambiguous
from registry.onnx.lineage.positions import Body, Name, Names, plain
from registry.onnx.loaded import Loaded
from registry.onnx.tensors import unpack_varints
from registry.onnx.wire import Span

_VERSION = b"hallmark content 1"
_MAX_LIST = 1 << 24  # numbers in one attribute
_NAME = 160  # characters of a name in an error


def fingerprint(loaded: Loaded) -> bytes:
    """SHA-256 over the model's content.

    Raises InvalidModel for a cycle, a damaged constant, and a name that stands for two values.
    """
    model = loaded.model
    for name in ambiguous(model):
        raise InvalidModel("two values have one name", on=name[:_NAME], hint="export the model again")
    writer = _Writer(loaded)
    functions = sorted(writer.function(one) for one in model.functions)
    graph = writer.graph(model.graph, None, interface=True)
    return _digest(_VERSION, plain(sorted(model.opsets)), graph, *functions)


def _digest(*parts: bytes) -> bytes:
    """The hash of a list of byte strings: lengths first, so that no two lists read alike."""
    state = hashlib.sha256()
    for part in parts:
        state.update(struct.pack("<Q", len(part)))
        state.update(part)
    return state.digest()


class _Writer:
    """Writes graphs and functions of one model down; constants are hashed where they lie."""

    def __init__(self, loaded: Loaded) -> None:
        self._contents: Contents = loaded.contents
        self._view = loaded.views[loaded.path]
        self._hashed: dict[Span, bytes] = {}

    def function(self, one: Function) -> bytes:
        """A function: its body from its outputs back, its inputs by position."""
        names = Names(None)
        for at, name in enumerate(one.inputs):
            names.places[name] = plain(("input", at))
        body = self._body(one.nodes, (), (), one.outputs, names)
        defaults = [self._attribute(one.defaults[name], names) for name in sorted(one.defaults)]
        return _digest(plain((one.domain, one.name, one.overload, len(one.inputs))), body, *defaults)

    def graph(self, graph: Graph, outer: Names | None, *, interface: bool = False) -> bytes:
        """A main graph, whose inputs' and outputs' names count, or a subgraph, whose do not."""
        names = Names(outer)
        defaults = {tensor.name: tensor for tensor in graph.initializers}
        heads = []
        for at, value in enumerate(graph.inputs):
            names.places[value.name] = plain(("input", at))
            default = defaults.get(value.name)
            heads.append(plain(_signature(value, interface)))
            heads.append(self._tensor(default) if default else b"")
        tails = [plain(_signature(value, interface)) for value in graph.outputs]
        inputs = {value.name for value in graph.inputs}
        constants = [tensor for tensor in graph.initializers if tensor.name not in inputs]
        results = [value.name for value in graph.outputs]
        body = self._body(graph.nodes, constants, graph.sparse_initializers, results, names)
        return _digest(_digest(*heads), _digest(*tails), body)

    def _body(
        self,
        nodes: Sequence[Node],
        constants: Iterable[Tensor],
        sparse: Iterable[SparseTensor],
        outputs: Sequence[Name],
        names: Names,
    ) -> bytes:
        work = Body(self, nodes, constants, sparse, names)
        live = work.reached(outputs)
        ends = _digest(*(names.find(name) or plain(("unknown", name)) for name in outputs))
        return _digest(_digest(*live), ends, *sorted(work.left_over()))

    def node(self, node: Node, inputs: Sequence[bytes], names: Names) -> bytes:
        """A node whose inputs have their places."""
        attributes = [self._attribute(node.attributes[key], names) for key in sorted(node.attributes)]
        head = plain((node.op_type, node.domain, node.overload, [bool(name) for name in node.outputs]))
        return _digest(head, _digest(*inputs), *attributes)

    def constant(self, tensor: Tensor) -> bytes:
        """An initializer without its name."""
        return _digest(b"constant", self._tensor(tensor))

    def held(self, node: Node) -> bytes | None:
        """What a Constant node holds, as if it were an initializer: tools move constants between the two."""
        if node.op_type != "Constant" or node.domain or len(node.outputs) != 1 or len(node.attributes) != 1:
            return None
        ((key, one),) = node.attributes.items()
        if one.ref:
            return None
        if one.t is not None:
            return self.constant(one.t)
        if key in ("value_float", "value_floats"):
            data = self._joined((one.f,) if one.f else one.floats)
            dims: tuple[int, ...] = () if key == "value_float" else (len(data) // 4,)
            return _digest(b"constant", _hash(elements.FLOAT, dims, data))
        if key in ("value_int", "value_ints"):
            single = key == "value_int"
            numbers = [one.i or 0] if single else unpack_varints(self._view, one.ints, _MAX_LIST)
            data = struct.pack(f"<{len(numbers)}q", *numbers)
            return _digest(b"constant", _hash(elements.INT64, () if single else (len(numbers),), data))
        return None

    def sparse(self, one: SparseTensor) -> bytes:
        """A sparse tensor, its values without a name."""
        indices = self._tensor(one.indices) if one.indices else b""
        return _digest(b"sparse", plain(one.dims), self._tensor(one.values), indices)

    def _tensor(self, tensor: Tensor) -> bytes:
        if tensor.span not in self._hashed or not tensor.span.length:
            self._hashed[tensor.span] = _hash(tensor.data_type, tensor.dims, *self._pieces(tensor))
        return self._hashed[tensor.span]

    def _pieces(self, tensor: Tensor) -> Iterable[memoryview]:
        """Its elements as they would lie raw; strings, whose lengths differ, one after the other."""
        if tensor.data_type != elements.STRING:
            return (self._contents.raw(tensor),)
        texts = [span.of(self._view) for span in tensor.typed]
        return (memoryview(plain([len(text) for text in texts])), *texts)

    def _attribute(self, one: Attribute, names: Names) -> bytes:
        lists = (
            self._joined(one.floats),
            plain(unpack_varints(self._view, one.ints, _MAX_LIST)),
            _digest(*(bytes(span.of(self._view)) for span in one.strings)),
        )
        single = [bytes(span.of(self._view)) if span else b"" for span in (one.f, one.s)]
        tensors = [self._tensor(tensor) for tensor in (one.t, *one.tensors) if tensor is not None]
        sparse = [self.sparse(tensor) for tensor in one.sparse]
        graphs = [self.graph(graph, names) for graph in (one.g, *one.graphs) if graph is not None]
        head = plain((one.name, one.type, one.ref, one.i or 0, len(tensors), len(graphs)))
        return _digest(head, *single, *lists, *tensors, *sparse, *graphs)

    def _joined(self, spans: Iterable[Span]) -> bytes:
        return b"".join(bytes(span.of(self._view)) for span in spans)


def _hash(data_type: int, dims: tuple[int, ...], *pieces: bytes | memoryview) -> bytes:
    state = hashlib.sha256(plain((data_type, dims)))
    for part in pieces:
        state.update(part)
    return state.digest()


def _signature(value: Value, interface: bool) -> tuple[Any, ...]:
    return (value.name if interface else "", value.elem_type, value.shape)
