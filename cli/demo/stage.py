"""Where the demonstration plays: a throw-away directory, and the commands as a person types them there."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from registry.errors import RegistryError

from .. import audit, catalog, fetch, lineage, publish, setup
from ..options import Session
from ..output import complaint
from . import INPUT, OUTPUT, Samples

if TYPE_CHECKING:
    from registry.context import Context

HOME = Path("home")
_WIDE = 120  # columns: no cell folds, so that a digest is in one piece when it is cut
_DIGEST = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{48}\b")


@dataclass(frozen=True)
class Ran:
    """A command as typed, what it printed on either stream, its exit code, and the error that ended it."""

    command: str
    text: str
    code: int
    error: RegistryError | None = None


def require(holds: bool, what: str) -> None:
    """Make the demonstration fail unless the story is true."""
    if not holds:
        _fail(what)


def _fail(what: str) -> NoReturn:
    raise RegistryError(
        f"the demo does not do what it says: {what}",
        hint="run 'registry --debug demo' and report what it prints",
    )


@contextlib.contextmanager
def stage() -> Iterator[Path]:
    """A new directory to be in; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="hallmark-demo-") as place, contextlib.chdir(place):
        yield Path(place)


def registry(*arguments: str, columns: int = _WIDE) -> Ran:
    """Run a command of the command line, in this process, as ``registry ARGUMENTS`` would.

    An error that the command line would report is in ``error``; its report is in ``text``.
    """
    said, error = io.StringIO(), None
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), _environment(columns):
        try:
            code = _commands()(args=list(arguments), obj=Session(home=HOME), standalone_mode=False) or 0
        except RegistryError as caught:
            error, code = caught, caught.exit_code
            said.write("".join(f"{line}\n" for line in complaint(caught)))
    return Ran(shlex.join(["registry", *arguments]), _tidy(said.getvalue()), code, error)


def done(*arguments: str, columns: int = _WIDE) -> Ran:
    """As ``registry``, for a command that must succeed: its error is raised again."""
    ran = registry(*arguments, columns=columns)
    if ran.error is not None:
        raise ran.error
    require(ran.code == 0, f"'{ran.command}' ended with {ran.code}")
    return ran


def opened() -> Context:
    """The stage's registry, for a look behind the commands."""
    from registry.context import Context

    return Context(HOME)


def _commands() -> Any:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    for family in (setup, publish, fetch, catalog, lineage, audit):
        family.register(app)
    return typer.main.get_command(app)


@contextlib.contextmanager
def _environment(columns: int) -> Iterator[None]:
    """Plain output of this width, and no passphrase: the keys live shorter than scrypt would take."""
    before = dict(os.environ)
    for name in ("REGISTRY_PASSPHRASE", "FORCE_COLOR", "TTY_COMPATIBLE"):
        os.environ.pop(name, None)
    os.environ["COLUMNS"] = str(columns)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _tidy(text: str) -> str:
    """Digests cut to 16 digits, and the rules of tables to what is left of their rows."""
    lines = [_DIGEST.sub(r"\1…", line).rstrip() for line in text.strip("\n").splitlines()]
    for at, line in enumerate(lines):
        if line and not line.strip("─"):
            rows = itertools.takewhile(bool, lines[at + 1 :])
            lines[at] = line[: max(map(len, (lines[at - 1], *rows)))]
    return "\n".join(lines)


def quantize(source: Path, target: Path, samples: Samples) -> None:
    """Static INT8, QDQ, per channel, symmetric: scales from the calibration samples."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime publishes no types
        def __init__(self) -> None:
            self._left = iter([{INPUT: samples.calibration}])

        def get_next(self) -> dict[str, Any] | None:
            return next(self._left, None)

    with _quiet():
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantizer logs advice on the root logger; in a story it is noise."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def plain_scores(model: Path, samples: Samples) -> Any:
    """What ONNX Runtime alone makes of the held-out samples: float32 ``[N, 10]``."""
    import onnxruntime

    return onnxruntime.InferenceSession(model).run([OUTPUT], {INPUT: samples.images})[0]


def flip(path: Path, offset: int) -> None:
    """Change the lowest bit of one byte; the same again puts it back."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def bend(path: Path, target: Path) -> None:
    """Copy a model with one weight moved by one step: an INT8 number in the middle of the largest tensor."""
    import onnx

    model = onnx.load(path)
    int8 = (tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT8)
    weight = max(int8, key=lambda tensor: len(tensor.raw_data))
    numbers = bytearray(weight.raw_data)
    numbers[len(numbers) // 2] ^= 1
    weight.raw_data = bytes(numbers)
    onnx.save(model, target)


def sql(statement: str) -> int:
    """Run one statement on the home's database, behind Hallmark's back; return the rows it changed."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(HOME / "registry.db")) as connection, connection:
        return connection.execute(statement).rowcount
