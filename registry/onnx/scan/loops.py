"""Loops that never end."""

from __future__ import annotations

from typing import Final

from registry.errors import InvalidModel, UnsafePath
from registry.onnx.findings import Rule
from registry.onnx.ir import Node, Tensor
from registry.onnx.scan.subject import Place, Subject

ENDLESS: Final = Rule(
    "endless-loop",
    "high",
    "a loop that never ends",
    "Its condition is constantly true and its trip count absent or astronomical: a run hangs.",
)
RULES: Final = (ENDLESS,)
MOST_TRIPS: Final = 1 << 24  # no loop of a model's own runs that often


def check(subject: Subject) -> None:
    """Report loops whose condition is constantly true and whose trip count does not bound them."""
    rounds: dict[int, int] = {}  # of each place: how often the loops around run it
    for place in subject.places:
        own = rounds.setdefault(id(place), 1)
        for node in place.nodes:
            times = own
            if node.op_type == "Loop" and not node.domain:
                times *= _loop(subject, place, node, own)
            rounds.update((id(body), times) for body in subject.inner.get(id(node), ()))


def _loop(subject: Subject, place: Place, node: Node, around: int) -> int:
    """How often the body runs, as far as that is known."""
    trips, known = _number(subject, place, node, 0)
    first, told = _number(subject, place, node, 1)
    bodies = subject.inner.get(id(node), ())
    ends = not ((told and first is None) or first) or not all(_goes_on(subject, body) for body in bodies)
    if not known or ends:
        return 1
    if trips is None or max(0, trips) * around > MOST_TRIPS:
        count = "no trip count" if trips is None else f"{trips} trips times {around}"
        subject.found.add(ENDLESS, place.at(node), f"{count} and a condition that stays true")
        return 1
    return max(1, trips)


def _number(subject: Subject, place: Place, node: Node, position: int) -> tuple[int | None, bool]:
    """The number at an input, and whether it is known: an absent input is known to be None."""
    name = node.inputs[position] if position < len(node.inputs) else ""
    if not name:
        return None, True
    found = constant_integer(subject, place.constant(name))
    return found, found is not None


def _goes_on(subject: Subject, body: Place) -> bool:
    """Whether the body's own condition is a constant true, or the one that came in."""
    name = body.outputs[0] if body.outputs else ""
    for _ in range(64):
        if len(body.inputs) > 1 and name == body.inputs[1]:
            return True
        made = body.producers.get(name)
        if made is None or made.op_type != "Identity" or made.domain or not made.inputs:
            break
        name = made.inputs[0]
    return bool(constant_integer(subject, body.constant(name)))


def constant_integer(subject: Subject, tensor: Tensor | None) -> int | None:
    """The one number of a constant integer or truth value; None where it is not that."""
    if tensor is None or tensor.dims not in ((), (1,)):
        return None
    try:
        raw = bytes(subject.contents.raw(tensor))
    except (InvalidModel, UnsafePath):
        return None
    return int.from_bytes(raw, "little", signed=tensor.data_type in (3, 5, 6, 7))
