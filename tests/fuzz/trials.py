"""What becomes of one mutant: every reader of ours looks at it, and none may fall over.

A reader comes to an end with a result, InvalidModel or UnsafePath; the scan and the child with findings. All
else is a failure: any other exception, more than a few seconds, more than a few hundred megabytes.
"""

from __future__ import annotations

import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from fuzz.mutants import Mutant
from fuzz.seeds import PATH
from registry.errors import InvalidModel, UnsafePath
from registry.onnx.arrays import array
from registry.onnx.child import Limits, examine
from registry.onnx.child.hollow import hollow
from registry.onnx.facts import inspect
from registry.onnx.findings import Finding, at_least
from registry.onnx.graph import read_model
from registry.onnx.loaded import load
from registry.onnx.scan import scan
from registry.onnx.skeleton import build_skeleton

Files = Mapping[str, bytes]

SLOW = 5.0  # seconds, for one reader
HANGS = 30.0  # seconds: then it is interrupted
FAT = 300  # MiB that one mutant may cost
LIMITS = Limits(cpu=2.0, wall=30.0, memory=1 << 30)
FATAL = frozenset(f"{who}-{how}" for who in ("checker", "runtime") for how in ("crash", "hang", "memory"))


class Hangs(BaseException):
    """Raised in the middle of a reader that takes too long; no reader may catch it."""


def _skeleton(files: Files) -> object:
    views = {name: memoryview(data) for name, data in files.items()}
    return build_skeleton(read_model(files[PATH]), PATH, views)


def _arrays(files: Files) -> object:
    loaded = load(files, PATH)
    for tensor in loaded.model.tensors():
        try:
            array(loaded.contents, tensor)
        except (InvalidModel, UnsafePath):
            continue
    return loaded


def _profile(files: Files) -> object:
    from registry.onnx.profile.profiling import profile

    return profile(load(files, PATH))


def _fingerprint(files: Files) -> object:
    from registry.onnx.lineage.content import fingerprint

    return fingerprint(load(files, PATH))


READERS: dict[str, Callable[[Files], object]] = {
    "load": lambda files: load(files, PATH),
    "facts": lambda files: inspect(files, PATH),
    "skeleton": _skeleton,
    "arrays": _arrays,
    "profile": _profile,
    "fingerprint": _fingerprint,
    "hollow": lambda files: hollow(files[PATH]),
    "scan": lambda files: scan(files, PATH),
    "child": lambda files: examine(files, PATH, limits=LIMITS),
}
_FINDERS = ("scan", "child")  # they never raise


@dataclass
class Trial:
    """Per reader: the outcome ("fine", the refusal's name or the findings' codes) and the seconds it took."""

    mutant: Mutant
    outcomes: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    missed: str = ""  # what only the child found, and should not have been let through to it


def attempt(mutant: Mutant, *, child: bool) -> Trial:
    """Show the mutant to every reader; to the child only where asked: it costs most."""
    trial = Trial(mutant)
    before = _megabytes()
    for name, reader in READERS.items():
        if child or name != "child":
            _show(trial, name, reader)
    if (grown := _megabytes() - before) > FAT:
        trial.failures.append(f"{mutant}: {grown} MiB")
    _compare(trial)
    return trial


def _show(trial: Trial, name: str, reader: Callable[[Files], object]) -> None:
    began = time.perf_counter()
    try:
        with _alarm():
            trial.outcomes[name] = _outcome(reader(trial.mutant.files))
    except (InvalidModel, UnsafePath) as error:
        trial.outcomes[name] = type(error).__name__
        if name in _FINDERS:
            trial.failures.append(f"{trial.mutant}: {name} raised {error!r}")
    except (Exception, Hangs) as error:
        trial.outcomes[name] = f"FAILED {type(error).__name__}"
        trial.failures.append(f"{trial.mutant}: {name}\n{traceback.format_exc()}")
    trial.seconds[name] = time.perf_counter() - began
    if trial.seconds[name] > SLOW and (name != "child" or trial.seconds[name] > SLOW + LIMITS.wall):
        trial.failures.append(f"{trial.mutant}: {name} took {trial.seconds[name]:.1f} s")


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
