"""What the process that loads a file has given up beforehand."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from registry.onnx.child import Limits, confinement, landlock, seccomp, zygote
from registry.onnx.child.confinement import confine


def _confined(attempt: Callable[[], object]) -> str:
    """What becomes of an attempt in a confined process: its result, or the error's name, or the signal."""
    read, write = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            write = os.dup2(write, 3)
            os.closerange(4, 4096)  # as the zygote does: few are left to open
            confine(Limits(cpu=1.0, memory=64 << 20), parent)
            try:
                os.write(write, repr(attempt()).encode())
            except (OSError, MemoryError, RuntimeError) as error:
                os.write(write, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(write)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = os.read(read, 1000).decode()
    os.close(read)
    return signal.Signals(-code).name if code < 0 else said


def _spin() -> None:
    while True:
        pass


@pytest.fixture
def no_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a kernel without it."""
    monkeypatch.setattr(confinement, "shut_in", lambda: None)


needs_seccomp = pytest.mark.skipif(seccomp.machine() is None, reason="no list of calls for this processor")


def needs_landlock(version: int) -> pytest.MarkDecorator:
    return pytest.mark.skipif(landlock.version() < version, reason=f"no Landlock {version} in this kernel")


@pytest.mark.usefixtures("no_landlock")
def test_a_confined_process_cannot_write_a_file(tmp_path: Path) -> None:
    assert _confined(lambda: os.write(os.open(tmp_path / "x", os.O_WRONLY | os.O_CREAT), b"x")) == "OSError"
    assert (tmp_path / "x").read_bytes() == b""


def test_a_confined_process_cannot_take_memory_beyond_its_limit() -> None:
    assert _confined(lambda: len(bytearray(8 << 20))) == str(8 << 20)
    assert _confined(lambda: len(bytearray(128 << 20))) == "MemoryError"


@needs_landlock(1)
def test_a_confined_process_cannot_read_a_file(tmp_path: Path) -> None:
    (tmp_path / "identity.pem").write_text("secret")
    opened = partial(os.open, tmp_path / "identity.pem", os.O_RDONLY)
    assert _confined(opened) == "PermissionError"
    assert _confined(lambda: os.listdir("/")) == "PermissionError"


@pytest.fixture
def no_seccomp(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor that it does not know."""
    monkeypatch.setattr(confinement, "deny_calls", lambda: None)


@needs_landlock(4)
@pytest.mark.usefixtures("no_seccomp")
def test_a_confined_process_cannot_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert _confined(lambda: socket.create_connection(("127.0.0.1", port))) == "PermissionError"


@needs_landlock(6)
@pytest.mark.usefixtures("no_seccomp")
def test_a_confined_process_cannot_signal_who_forked_it() -> None:
    parent = os.getpid()
    assert _confined(lambda: os.kill(parent, 0)) == "PermissionError"


@needs_seccomp
@pytest.mark.usefixtures("no_landlock")
@pytest.mark.parametrize(
    "attempt",
    [
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        lambda: socket.socket(socket.AF_UNIX),
        socket.socketpair,
        os.fork,
        lambda: threading.Thread(target=print).start(),
        lambda: os.execv("/bin/true", ["true"]),
        lambda: os.kill(os.getppid(), 0),
    ],
    ids=["datagrams", "local socket", "pair", "fork", "thread", "program", "signal"],
)
def test_a_confined_process_reaches_nobody_and_starts_nothing(attempt: Callable[[], object]) -> None:
    assert _confined(attempt) in {"PermissionError", "RuntimeError"}


def test_a_confined_process_can_still_abort() -> None:
    """What it dies of stays visible."""
    assert _confined(os.abort) == "SIGABRT"


@pytest.mark.usefixtures("no_landlock")
def test_a_confined_process_cannot_open_many_files() -> None:
    def opened(count: int) -> Callable[[], int]:
        return lambda: len([os.open("/dev/null", os.O_RDONLY) for _ in range(count)])

    assert _confined(opened(8)) == "8"
    assert _confined(opened(64)) == "OSError"


def test_a_confined_process_cannot_compute_for_ever() -> None:
    assert _confined(_spin) in {"SIGXCPU", "SIGKILL"}


def test_a_confined_process_gains_no_privileges() -> None:
    get = 39  # PR_GET_NO_NEW_PRIVS
    assert _confined(lambda: ctypes.CDLL(None).prctl(get, 0, 0, 0, 0)) == "1"


def test_a_confined_process_leaves_no_core() -> None:
    assert _confined(lambda: resource.getrlimit(resource.RLIMIT_CORE)) == "(0, 0)"


def test_a_job_has_five_descriptors_and_no_other() -> None:
    """Nothing, its talk twice, the answer, the parcel: not the socket, not the pipes of other jobs."""
    extra = [os.pipe() for _ in range(20)]
    (answer, answered), (talk, talked), (parcel, _) = extra[:3]
    child = os.fork()
    if child == 0:
        try:
            zygote._arrange(parcel, answered, talked)
            held = sorted(int(one) for one in os.listdir("/proc/self/fd"))
            os.write(zygote._ANSWER, repr(held).encode())
            os.write(2, os.read(0, 100) + b"talk")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(answer, 1000) == b"[0, 1, 2, 3, 4, 5]"  # the last one lists them
    assert os.read(talk, 100) == b"talk"
    for descriptor in (one for pair in extra for one in pair):
        os.close(descriptor)
