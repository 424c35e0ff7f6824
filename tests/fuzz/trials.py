"""What becomes of one mutant: every reader of ours looks at it, and none may fall over.

A reader comes to an end with a result, InvalidModel or UnsafePath; the scan and the child with findings. All
else is a failure: any other exception, more than a few seconds, more than a few hundred megabytes.
"""

from __future__ import annotations

import resource
import signal
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from fuzz.mutants import Mutant
from fuzz.seeds import PATH
from registry.errors import InvalidModel, UnsafePath
from registry.onnx.arrays import array
from registry.onnx.child import Limits, examine
from registry.onnx.child.hollow import hollow
from registry.onnx.child.lean import lean
from registry.onnx.facts import inspect
from registry.onnx.findings import Finding, at_least
from registry.onnx.graph import read_model
from registry.onnx.lineage.content import fingerprint
from registry.onnx.lineage.prove import prove
from registry.onnx.loaded import Loaded, load
from registry.onnx.profile.profiling import profile
from registry.onnx.scan import scan
from registry.onnx.skeleton import build_skeleton

SLOW = 5.0  # seconds, for one reader
HANGS = 30.0  # seconds: then it is interrupted
FAT = 300  # MiB that one mutant may cost
LIMITS = Limits(cpu=2.0, wall=30.0)
FATAL = frozenset(f"{who}-{how}" for who in ("checker", "runtime") for how in ("crash", "hang", "memory"))


class Hangs(BaseException):
    """Raised in the middle of a reader that takes too long; no reader may catch it."""


def _load(one: Mutant) -> Loaded:
    return load(one.files, PATH)


def _skeleton(one: Mutant) -> object:
    views = {name: memoryview(data) for name, data in one.files.items()}
    return build_skeleton(read_model(one.files[PATH]), PATH, views)


def _arrays(one: Mutant) -> object:
    loaded = _load(one)
    for tensor in loaded.model.tensors():
        try:
            array(loaded.contents, tensor)
        except (InvalidModel, UnsafePath):
            continue
    return loaded


READERS: dict[str, Callable[[Mutant], object]] = {
    "load": _load,
    "facts": lambda one: inspect(one.files, PATH),
    "skeleton": _skeleton,
    "arrays": _arrays,
    "profile": lambda one: profile(_load(one)),
    "fingerprint": lambda one: fingerprint(_load(one)),
    "prove": lambda one: prove(_load(one), load(one.origin, PATH)),
    "prove parent": lambda one: prove(load(one.origin, PATH), _load(one)),
    "hollow": lambda one: hollow(one.files[PATH]),
    "lean": lambda one: lean(one.files, PATH),
    "scan": lambda one: scan(one.files, PATH),
    "child": lambda one: examine(one.files, PATH, limits=LIMITS),
}
COSTLY = ("child", "prove", "prove parent")
_FINDERS = ("scan", "child")  # they never raise


@dataclass(frozen=True)
class Failure:
    """``site`` tells one cause from another: the exception, and the line of ours that raised it."""

    reader: str
    site: str
    text: str

    def __str__(self) -> str:
        return f"{self.reader}: {self.text}"


@dataclass
class Trial:
    """Per reader: the outcome ("fine", the refusal's name or the findings' codes) and the seconds it took."""

    mutant: Mutant
    outcomes: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    missed: str = ""  # what only the child found, and should not have been let through to it


def attempt(mutant: Mutant, *, without: Collection[str] = ()) -> Trial:
    """Show the mutant to every reader, but for those left out: some cost far more than others."""
    trial = Trial(mutant)
    before = _megabytes()
    for name, reader in READERS.items():
        if name not in without:
            _show(trial, name, reader)
    if (grown := _megabytes() - before) > FAT:
        trial.failures.append(Failure("all", "memory", f"{mutant} costs {grown} MiB"))
    _compare(trial)
    return trial


def _show(trial: Trial, name: str, reader: Callable[[Mutant], object]) -> None:
    began = time.perf_counter()
    try:
        with _alarm():
            trial.outcomes[name] = _outcome(reader(trial.mutant))
    except (InvalidModel, UnsafePath) as error:
        trial.outcomes[name] = type(error).__name__
        if name in _FINDERS:
            trial.failures.append(_failure(name, trial.mutant, error))
    except (Exception, Hangs) as error:
        trial.outcomes[name] = f"FAILED {type(error).__name__}"
        trial.failures.append(_failure(name, trial.mutant, error))
    trial.seconds[name] = time.perf_counter() - began
    allowed = SLOW + (LIMITS.wall if name == "child" else 0.0)
    if (took := trial.seconds[name]) > allowed:
        trial.failures.append(Failure(name, "slow", f"{trial.mutant} took {took:.1f} s"))


def _failure(reader: str, mutant: Mutant, error: BaseException) -> Failure:
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "registry" in one.filename]
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "nowhere of ours"
    told = "".join(traceback.format_exception(error))
    return Failure(reader, f"{type(error).__name__} at {where}", f"{mutant}\n{told}")


def _outcome(result: object) -> str:
    """Findings that would stop a push, by their codes; everything else has simply worked."""
    if not isinstance(result, tuple) or not all(isinstance(one, Finding) for one in result):
        return "fine"
    return " ".join(sorted({one.code for one in result if at_least(one)})) or "fine"


def _compare(trial: Trial) -> None:
    """What kills the runtime should not have passed the static rules."""
    fatal = FATAL & set(trial.outcomes.get("child", "").split())
    if fatal and trial.outcomes["scan"] == "fine":
        trial.missed = f"{trial.mutant}: {' '.join(sorted(fatal))}"


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(_: int, frame: FrameType | None) -> None:
        raise Hangs(f"after {HANGS:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _megabytes() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
