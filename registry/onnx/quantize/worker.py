"""The process that quantizes: ``python -m registry.onnx.quantize.worker``, jobs in, models out.

ONNX Runtime's quantizers print, log to the root logger, write temporary files under names of their own and
iterate over sets; and loading a hostile model can kill a process. So they run here, where stdout and stderr
lead nowhere, the hash seed is fixed, the temporary directory is the job's, and a death is an answer. What
they raise ends this process as well, after it was told: nothing is known about the state it left.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO

from registry import strictjson
from registry.errors import RegistryError
from registry.onnx.quantize import frames
from registry.onnx.quantize.calibration import parse_calibration
from registry.onnx.quantize.produce import Job, produce
from registry.onnx.quantize.recipe import Recipe


class Reporter:
    """A progress observer on the other side of the pipe."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def begin(self, label: str, total: int) -> None:
        frames.send(self._out, {"kind": "begin", "label": label, "total": total})

    def advance(self, amount: int) -> None:
        frames.send(self._out, {"kind": "advance", "amount": amount})

    def end(self) -> None:
        frames.send(self._out, {"kind": "end"})


def main() -> None:
    """Serve jobs until stdin ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the model
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        reason = " ".join(str(error).split()).encode("utf-8", "replace").decode()[:2000]
        frames.send(out, {"kind": "died", "type": kind.__name__, "message": reason})

    sys.excepthook = told
    while (message := frames.receive(sys.stdin.buffer)) is not None:
        _serve(message, out)


def _serve(message: strictjson.Object, out: IO[bytes]) -> None:
    job = _job(message)
    tempfile.tempdir = str(job.scratch)
    try:
        made = produce(job, Reporter(out))
    except RegistryError as error:
        frames.send(out, {"kind": "refused", "class": type(error).__name__, **_reasons(error)})
    else:
        frames.send(out, {"kind": "made", "size": len(made)}, [made])


def _job(message: strictjson.Object) -> Job:
    """The job with its payload, which follows the message: each file, then the calibration data."""
    sizes = {
        strictjson.text(one, "name"): strictjson.integer(one, "size")
        for one in strictjson.objects(message, "files")
    }
    files = {name: memoryview(frames.take(sys.stdin.buffer, size)) for name, size in sizes.items()}
    data = frames.take(sys.stdin.buffer, strictjson.integer(message, "calibration"))
    return Job(
        files=files,
        path=strictjson.text(message, "path"),
        recipe=None if message["recipe"] is None else Recipe.from_dict(message["recipe"]),
        calibration=parse_calibration(memoryview(data)) if data else None,
        scratch=Path(strictjson.text(message, "scratch")),
        threads=strictjson.integer(message, "threads"),
    )


def _reasons(error: RegistryError) -> dict[str, str | None]:
    return {"message": error.message, "on": error.on, "hint": error.hint}


if __name__ == "__main__":
    main()
