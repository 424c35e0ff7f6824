"""The ritual of checkout: every step has a number, a name, and the attack that it stops.

This list is what ``registry verify`` prints and what the documentation explains. The owner of each
step is the one function that runs inside ``Ritual.step`` with its number (``judge``, ``checkout``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from registry.errors import Denied, Untrusted


@dataclass(frozen=True)
class Step:
    """One step of the ritual."""

    number: int
    name: str
    stops: str


STEPS = (
    Step(1, "pin", "a database or server that is not this registry"),
    Step(2, "checkpoint", "a ledger that was rewritten, forked or rolled back since it was last seen"),
    Step(3, "inclusion", "an act that was never admitted, or was changed afterwards"),
    Step(4, "authority", "an act by a stranger, or by a member without the right to it"),
    Step(5, "reference", "another version passed off as the one asked for; rows edited behind the door"),
    Step(6, "signature", "a manifest that the publisher did not sign"),
    Step(7, "policy", "a version that was yanked, or that lacks a required attestation"),
    Step(8, "release", "a read without a right to it, and a read that leaves no trace"),
    Step(9, "open", "ciphertext that was changed, cut, reordered or swapped in the store"),
    Step(10, "digest", "a plaintext that is not the signed one, whatever key opened it"),
    Step(11, "content", "a file whose graph is not what its attestation says"),
    Step(12, "run", "a model that ONNX Runtime cannot build from those very bytes"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one step."""

    number: int
    name: str
    ok: bool
    detail: str


Observer = Callable[[Outcome], None]


class Ritual:
    """One walk through the steps. A step that fails ends it: the error carries the step's number."""

    def __init__(self, observer: Observer | None = None) -> None:
        self.outcomes: list[Outcome] = []
        self._observer = observer

    @contextmanager
    def step(self, number: int) -> Iterator[list[str]]:
        """Run one step; what is appended to the list becomes its detail."""
        said: list[str] = []
        with self.blame(number):
            yield said
        self._note(number, True, "; ".join(said))

    @contextmanager
    def blame(self, number: int) -> Iterator[None]:
        """Count a failure as the step's; say nothing of a success."""
        try:
            yield
        except (Untrusted, Denied) as error:
            error.step = error.step or f"{number} ({STEPS[number - 1].name})"
            self._note(number, False, str(error))
            raise

    def _note(self, number: int, ok: bool, detail: str) -> None:
        outcome = Outcome(number, STEPS[number - 1].name, ok, detail)
        self.outcomes.append(outcome)
        if self._observer:
            self._observer(outcome)
