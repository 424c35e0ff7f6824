"""What was found out about a child and its parent, as it is signed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from registry import strictjson
from registry.errors import Malformed
from registry.onnx.lineage.judgement import TENSOR_VERDICTS, Judgement
from registry.onnx.lineage.leaves import Mismatch

VERDICTS: Final = ("replayed", "derived", "non-nearest", "unexplained")  # the best first
SIGNED_TENSORS = 200  # a signed verdict lists so many tensors, the worst, and so many nodes
SIGNED_NODES = 100
_NAME = 160  # characters of a name, so that a signed verdict stays far below its limit of 512 KiB
_REASON = 240


@dataclass(frozen=True)
class TensorVerdict:
    """One constant of the child: ``verdict`` of TENSOR_VERDICTS. ``off`` of its ``elements`` are off their
    nearest integer, the furthest ``largest`` thousandths of a step away; ``saturated`` were cut off."""

    name: str
    scope: str
    verdict: str
    reason: str
    elements: int
    off: int
    largest: int
    saturated: int

    @classmethod
    def of(cls, found: Judgement) -> TensorVerdict:
        return cls(
            name=found.name[:_NAME],
            scope=found.scope[:_NAME],
            verdict=found.verdict,
            reason=found.reason[:_REASON],
            elements=found.elements,
            off=found.off,
            largest=found.largest,
            saturated=found.saturated,
        )

    def to_dict(self) -> dict[str, object]:
        return dict(vars(self))

    @classmethod
    def from_dict(cls, value: object) -> TensorVerdict:
        """Raises Malformed."""
        obj = strictjson.as_object(value, "a tensor's verdict")
        strictjson.only(obj, list(cls.__dataclass_fields__))
        return cls(
            name=strictjson.text(obj, "name"),
            scope=strictjson.text(obj, "scope"),
            verdict=_one_of(obj, TENSOR_VERDICTS),
            reason=strictjson.text(obj, "reason"),
            elements=strictjson.integer(obj, "elements"),
            off=strictjson.integer(obj, "off"),
            largest=strictjson.integer(obj, "largest"),
            saturated=strictjson.integer(obj, "saturated"),
        )

    @property
    def _rank(self) -> tuple[int, int, int]:
        return -TENSOR_VERDICTS.index(self.verdict), -self.largest, -self.off


@dataclass(frozen=True)
class NodeVerdict:
    """Something of the graph that the parent does not explain."""

    name: str
    operator: str
    reason: str

    @classmethod
    def of(cls, found: Mismatch) -> NodeVerdict:
        return cls(found.name[:_NAME], found.operator[:_NAME], found.reason[:_REASON])

    def to_dict(self) -> dict[str, object]:
        return dict(vars(self))

    @classmethod
    def from_dict(cls, value: object) -> NodeVerdict:
        """Raises Malformed."""
        obj = strictjson.as_object(value, "an unexplained node")
        strictjson.only(obj, list(cls.__dataclass_fields__))
        return cls(*(strictjson.text(obj, key) for key in ("name", "operator", "reason")))


@dataclass(frozen=True)
class Lineage:
    """``verdict`` of VERDICTS with its ``reasons``. ``recipe`` is what the weights show, in words;
    ``options`` are those of the recipe that gave the child's content again, None unless "replayed".
    ``variant``: the rewriting of the parent that the child was compared with. ``counts``: tensors by
    verdict, all of them, also where ``tensors`` lists only the worst; ``node_count`` likewise."""

    verdict: str
    reasons: tuple[str, ...]
    recipe: str
    options: dict[str, object] | None
    variant: str
    counts: tuple[tuple[str, int], ...]
    tensors: tuple[TensorVerdict, ...]
    node_count: int
    nodes: tuple[NodeVerdict, ...]

    def to_dict(self, *, every: bool = False) -> dict[str, object]:
        """As it is signed: at most SIGNED_TENSORS tensors, the worst first; all with ``every``."""
        tensors = self.tensors
        if not every and len(tensors) > SIGNED_TENSORS:
            tensors = tuple(sorted(tensors, key=lambda one: one._rank)[:SIGNED_TENSORS])
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "recipe": {"words": self.recipe, "options": self.options},
            "variant": self.variant,
            "counts": [{"verdict": name, "count": count} for name, count in self.counts],
            "tensors": [one.to_dict() for one in tensors],
            "node_count": self.node_count,
            "nodes": [one.to_dict() for one in (self.nodes if every else self.nodes[:SIGNED_NODES])],
        }

    @classmethod
    def from_dict(cls, value: object) -> Lineage:
        """What ``to_dict`` wrote. Raises Malformed."""
        obj = strictjson.as_object(value, "a lineage")
        strictjson.only(obj, [*(set(cls.__dataclass_fields__) - {"options"})])
        recipe = strictjson.nested(obj, "recipe")
        strictjson.only(recipe, ("words", "options"))
        found = cls(
            verdict=_one_of(obj, VERDICTS),
            reasons=tuple(strictjson.texts(obj, "reasons")),
            recipe=strictjson.text(recipe, "words"),
            options=None if recipe["options"] is None else strictjson.nested(recipe, "options"),
            variant=strictjson.text(obj, "variant"),
            counts=tuple(map(_count, strictjson.objects(obj, "counts"))),
            tensors=tuple(map(TensorVerdict.from_dict, strictjson.objects(obj, "tensors"))),
            node_count=strictjson.integer(obj, "node_count"),
            nodes=tuple(map(NodeVerdict.from_dict, strictjson.objects(obj, "nodes"))),
        )
        found._check()
        return found

    def _check(self) -> None:
        """Refuse a verdict that its own list contradicts."""
        listed = Counter(one.verdict for one in self.tensors)
        counts = dict(self.counts)
        if any(count > counts.get(name, 0) for name, count in listed.items()):
            raise Malformed("a lineage lists more tensors than it counts")
        if len(self.nodes) > self.node_count or (self.verdict == "replayed") != (self.options is not None):
            raise Malformed("a lineage contradicts itself", on=self.verdict)
        if VERDICTS.index(self.verdict) < VERDICTS.index(_bound(self)):
            raise Malformed("a lineage is better than its own list", on=self.verdict)


def _bound(found: Lineage) -> str:
    """The best verdict that the list allows; a replay shows in no list."""
    counts = dict(found.counts)
    if found.node_count or counts.get("unexplained"):
        return "unexplained"
    return "non-nearest" if counts.get("non-nearest") else "replayed"


def counted(judgements: Iterable[Judgement]) -> tuple[tuple[str, int], ...]:
    """How many tensors have each verdict, the best first; without those that none has."""
    found = Counter(one.verdict for one in judgements)
    return tuple((verdict, found[verdict]) for verdict in TENSOR_VERDICTS if found[verdict])


def _count(obj: strictjson.Object) -> tuple[str, int]:
    strictjson.only(obj, ("verdict", "count"))
    return _one_of(obj, TENSOR_VERDICTS), strictjson.integer(obj, "count")


def _one_of(obj: strictjson.Object, allowed: tuple[str, ...]) -> str:
    value = strictjson.text(obj, "verdict")
    if value not in allowed:
        raise Malformed("a verdict is not known", on=value[:50])
    return value
