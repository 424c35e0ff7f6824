"""One recipe tried, and what the search remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from registry import strictjson
from registry.errors import Malformed
from registry.onnx.quantize.recipe import Recipe

MILLION = 1_000_000
MAX_TRIALS = 2000
FORMAT = 1
_CAP = 200_000  # millidecibel
_FIELDS = ("recipe", "sha256", "size", "agreement_ppm", "sqnr_mdb", "latency_ppm", "failed")
OBJECTIVES: Final = ("size", "latency")


@dataclass(frozen=True)
class Trial:
    """A recipe with what its model is like. ``failed`` says why there is none; the numbers are 0 then.

    ``sha256`` is the model's, hexadecimal; ``size`` in bytes. ``agreement_ppm`` with the parent's answers, of
    the output that agrees least (its cosine, where no output has classes). ``latency_ppm`` is the time of one
    run by that of the parent, both on one thread.
    """

    recipe: Recipe
    sha256: str = ""
    size: int = 0
    agreement_ppm: int = 0
    sqnr_mdb: int = 0
    latency_ppm: int = 0
    failed: str | None = None

    def cost(self, objective: str) -> int:
        """What ``objective`` ("size" or "latency") wants to be small."""
        return self.size if objective == "size" else self.latency_ppm

    def to_dict(self) -> dict[str, Any]:
        """The trial as it is kept."""
        return {name: getattr(self, name) for name in _FIELDS} | {"recipe": self.recipe.to_dict()}

    @classmethod
    def from_dict(cls, value: object) -> Trial:
        """Raises Malformed."""
        obj = strictjson.as_object(value, "a trial")
        strictjson.only(obj, _FIELDS)
        return cls(
            recipe=Recipe.from_dict(obj["recipe"]),
            sha256=strictjson.text(obj, "sha256"),
            size=strictjson.integer(obj, "size"),
            agreement_ppm=strictjson.integer(obj, "agreement_ppm", low=-MILLION, high=MILLION),
            sqnr_mdb=strictjson.integer(obj, "sqnr_mdb", low=-_CAP, high=_CAP),
            latency_ppm=strictjson.integer(obj, "latency_ppm"),
            failed=None if obj["failed"] is None else strictjson.text(obj, "failed"),
        )


@dataclass
class Memory:
    """Everything tried so far, and for some recipes the parent's values whose layers add most noise."""

    trials: dict[Recipe, Trial] = field(default_factory=dict)
    noisy: dict[Recipe, tuple[str, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The memory as it is kept."""
        return {
            "format": FORMAT,
            "trials": [trial.to_dict() for trial in self.trials.values()],
            "noisy": [
                {"recipe": recipe.to_dict(), "values": list(values)} for recipe, values in self.noisy.items()
            ],
        }

    @classmethod
    def from_dict(cls, value: object) -> Memory:
        """Raises Malformed."""
        obj = strictjson.as_object(value, "the state of a tuning")
        strictjson.only(obj, ("format", "trials", "noisy"))
        strictjson.integer(obj, "format", low=FORMAT, high=FORMAT)
        trials = [Trial.from_dict(one) for one in strictjson.array(obj, "trials")]
        noisy = {}
        for one in strictjson.objects(obj, "noisy"):
            strictjson.only(one, ("recipe", "values"))
            noisy[Recipe.from_dict(one["recipe"])] = tuple(strictjson.texts(one, "values"))
        if len(trials) > MAX_TRIALS or len({trial.recipe for trial in trials}) < len(trials):
            raise Malformed("the state of a tuning has too many trials, or one twice", on=str(len(trials)))
        return cls({trial.recipe: trial for trial in trials}, noisy)
