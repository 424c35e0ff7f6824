"""ONNX Runtime sessions from bytes in memory; nothing is written to a disk.

Weights are used where they lie (``session.use_external_initializer_file_buffers_directly``), so the
buffers must stay alive and unchanged as long as the session: ModelSession holds them, and while it
does, a caller cannot close an mmap or resize a bytearray underneath it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.errors import InvalidInput, InvalidModel
from registry.onnx.graph import read_model
from registry.onnx.skeleton import build_skeleton
from registry.onnx.wire import Buffer

if TYPE_CHECKING:
    import onnxruntime

_DIRECT = "session.use_external_initializer_file_buffers_directly"
_NO_PREPACKING = "session.disable_prepacking"
_QUIET = 3  # ONNX Runtime's severity scale: errors only; they reach the caller as exceptions anyway


class Signature(NamedTuple):
    """An input or output of a model: ``type`` as in ONNX Runtime ("tensor(float)"); ``shape`` holds
    an int, a symbol's name or None for each dimension."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


class ModelSession:
    """An InferenceSession together with the buffers that it reads its weights from."""

    def __init__(self, session: onnxruntime.InferenceSession, holding: ExitStack) -> None:
        self._session: onnxruntime.InferenceSession | None = session
        self._holding = holding
        self.inputs = tuple(map(_signature, session.get_inputs()))
        self.outputs = tuple(map(_signature, session.get_outputs()))

    def run(
        self,
        output_names: Sequence[str] | None,
        feeds: Mapping[str, Any],
        run_options: onnxruntime.RunOptions | None = None,
    ) -> list[Any]:
        """The outputs named (all, in the model's order, for None), as ONNX Runtime returns them.

        Raises InvalidInput where the feeds do not fit the model's inputs or the run fails.
        """
        if self._session is None:
            raise InvalidInput("the session is closed", hint="check the model out again")
        try:
            return list(self._session.run(output_names, dict(feeds), run_options))
        except _foreign() as error:
            wanted = ", ".join(f"{one.name}: {one.type} {list(one.shape)}" for one in self.inputs)
            raise InvalidInput(f"the run failed: {_reason(error)}", hint=f"inputs are {wanted}") from error

    def close(self) -> None:
        """Let go of the session, then of its buffers. Idempotent."""
        self._session = None
        self._holding.close()

    def __enter__(self) -> ModelSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def build_session(
    files: Mapping[str, Buffer],
    path: str,
    *,
    providers: Sequence[str] | None = None,
    prepack: bool = True,
    threads: int = 0,
    configure: Callable[[onnxruntime.SessionOptions], None] | None = None,
) -> ModelSession:
    """A session for the model at ``path`` of ``files`` (version-relative POSIX path to content).

    ``providers`` defaults to the CPU; ``threads`` 0 lets ONNX Runtime choose. ``prepack=False`` loads
    faster and keeps one copy of the weights less, but int8 models then run up to three times slower.
    ``configure`` may change the SessionOptions before they are used. No buffer may change as long as
    the session lives. Raises InvalidModel where the model cannot be read or loaded, with the
    runtime's own reason, and UnsafePath.
    """
    if path not in files:
        raise InvalidModel("the model file is missing", on=path, hint="name one of the version's .onnx files")
    with ExitStack() as reading, ExitStack() as holding:
        views = {name: _view(reading, data) for name, data in files.items()}
        skeleton = build_skeleton(read_model(views[path], name=path), path, views)
        options = _options(prepack, threads)
        used = [_view(holding, files[name]) for name in skeleton.names]
        if used:
            options.add_external_initializers_from_files_in_memory(
                list(skeleton.names.values()), used, list(map(len, used))
            )
        if configure is not None:
            configure(options)
        session = _load(skeleton.model, options, list(providers or ["CPUExecutionProvider"]), path)
        return ModelSession(session, holding.pop_all())


def _view(stack: ExitStack, data: Buffer) -> memoryview:
    whole = stack.enter_context(memoryview(data))
    return stack.enter_context(whole.cast("B"))


def _options(prepack: bool, threads: int) -> onnxruntime.SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    options.intra_op_num_threads = threads
    options.add_session_config_entry(_DIRECT, "1")
    if not prepack:
        options.add_session_config_entry(_NO_PREPACKING, "1")
    return options


def _load(
    model: bytes, options: onnxruntime.SessionOptions, providers: list[str], path: str
) -> onnxruntime.InferenceSession:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except _foreign() as error:
        raise InvalidModel(
            f"ONNX Runtime cannot load the model: {_reason(error)}",
            on=path,
            hint="check the model with `onnx.checker` and load it with ONNX Runtime before pushing it",
        ) from error


def _foreign() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: its own exceptions, which have no common base, and Python's."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    found = vars(state).values()
    own = [one for one in found if isinstance(one, type) and issubclass(one, Exception)]
    return (ValueError, RuntimeError, TypeError, *own)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).removeprefix("[ONNXRuntimeError] : ")


def _signature(argument: onnxruntime.NodeArg) -> Signature:
    return Signature(argument.name, argument.type, tuple(argument.shape))
