"""The processes behind the checks: nothing of ours reaches them, nothing of them is left behind."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from registry.errors import Unavailable
from registry.onnx.child import Limits, asking, examination, examine, keeper, prewarm
from registry.onnx.child.confinement import confine
from registry.onnx.child.parcel import Parcel, packed
from support import graphs

MODEL = graphs.mlp().SerializeToString()
SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    examination._remembered.clear()


@pytest.fixture
def zygote() -> int:
    """The process id of a zygote that has started."""
    assert look() == ()
    return _pid()


def look(model: bytes = MODEL) -> tuple[object, ...]:
    """The verdict on a model, asked anew."""
    examination._remembered.clear()
    return examine({"model.onnx": model}, "model.onnx")


def _load(parcel: Parcel) -> asking.Asked:
    return asking.Asked("load", "model.onnx", parcel, Limits())


def _pid() -> int:
    assert keeper._kept.zygote is not None
    return keeper._kept.zygote.process.pid


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _within(seconds: float, met: Callable[[], object]) -> bool:
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_one_zygote_serves_many_files(zygote: int) -> None:
    for _ in range(5):
        assert look() == ()
    assert _pid() == zygote


def test_a_zygote_killed_between_two_files_is_replaced(zygote: int) -> None:
    os.kill(zygote, signal.SIGKILL)
    assert look() == ()
    assert _pid() != zygote


def test_a_zygote_killed_while_it_works_is_replaced() -> None:
    keeper.discard()  # the next one has to start first: it is killed with the request in its queue
    with packed({"model.onnx": MODEL}) as parcel, closing(_load(parcel)) as asked:
        first = _pid()
        os.kill(first, signal.SIGKILL)
        assert asked.wait().code == 0
    assert _pid() != first


def test_where_no_process_starts_the_machine_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper.discard()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(Unavailable, match="no process can be started"):
        look()


def test_where_every_process_dies_at_once_the_machine_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper.discard()
    monkeypatch.setattr(keeper, "_BOOT", "raise SystemExit(3)")
    with pytest.raises(Unavailable, match="does not start"):
        look()
    keeper.discard()


@pytest.mark.parametrize("opened", range(7))
def test_where_no_more_files_can_be_opened_the_machine_is_at_fault(
    opened: int, zygote: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A memfd and six pipes: whichever cannot be had, nothing is left open, and the next file is fine."""
    left = iter(range(opened))

    def scarce(call: Callable[..., object]) -> Callable[..., object]:
        def opening(*arguments: object) -> object:
            if next(left, None) is None:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return call(*arguments)

        return opening

    held = len(os.listdir("/proc/self/fd"))
    examination._remembered.clear()
    with monkeypatch.context() as patched:
        patched.setattr(os, "memfd_create", scarce(os.memfd_create))
        patched.setattr(os, "pipe", scarce(os.pipe))
        with pytest.raises(Unavailable, match="Too many open files"):
            examine({"model.onnx": MODEL}, "model.onnx")
    assert len(os.listdir("/proc/self/fd")) == held
    assert look() == ()
    assert _pid() == zygote


def test_a_zygote_that_does_not_answer_is_replaced(zygote: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_GRACE", 0.2)
    os.kill(zygote, signal.SIGSTOP)
    examination._remembered.clear()
    assert examine({"model.onnx": MODEL}, "model.onnx", limits=Limits(wall=2.0)) == ()
    assert _pid() != zygote
    assert _gone(zygote)


def test_prewarming_starts_what_examining_uses() -> None:
    keeper.discard()
    prewarm()
    started = _pid()
    prewarm()
    assert look() == ()
    assert _pid() == started


def test_no_secret_of_ours_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper.discard()
    monkeypatch.setenv("REGISTRY_PASSPHRASE", SECRET)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert look() == ()
    seen = Path(f"/proc/{_pid()}/environ").read_bytes()
    assert SECRET.encode() not in seen
    assert {pair.partition(b"=")[0] for pair in seen.split(b"\0") if pair} == {
        b"ORT_DISABLE_TELEMETRY",
        b"OPENBLAS_NUM_THREADS",
        b"LC_ALL",
    }
    assert SECRET.encode() not in Path(f"/proc/{_pid()}/cmdline").read_bytes()


def test_no_open_file_of_ours_is_inherited(tmp_path: Path) -> None:
    keeper.discard()
    with open(tmp_path / "identity.pem", "w") as secret:
        os.set_inheritable(secret.fileno(), True)
        assert look() == ()
        held = [os.readlink(one) for one in Path(f"/proc/{_pid()}/fd").iterdir()]
    assert not any("identity.pem" in place for place in held)
    assert sum(place.startswith("socket:") for place in held) == 1


def test_the_zygote_has_one_thread(zygote: int) -> None:
    """A fork of a process with several would be half a process."""
    assert len(os.listdir(f"/proc/{zygote}/task")) == 1


def test_two_hundred_files_leave_no_descriptor_and_no_process(zygote: int) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd")) + len(os.listdir(f"/proc/{zygote}/fd"))

    before = held()
    for at in range(200):
        assert len(look(MODEL[:-1] if at % 2 else MODEL)) == at % 2
    assert _within(5, lambda: held() <= before)  # the zygote closes the last one after its answer
    assert _pid() == zygote
    assert _within(5, lambda: _children(zygote) == [])


def test_many_threads_at_once_each_get_their_own_verdict(zygote: int) -> None:
    damaged = MODEL[:-1]

    def ask(at: int) -> bytes:
        files = {"model.onnx": MODEL if at % 3 else damaged}
        with packed(files) as parcel, closing(_load(parcel)) as asked:
            return asked.wait().answer

    with ThreadPoolExecutor(8) as pool:
        found = [json.loads(answer)["outcome"] for answer in pool.map(ask, range(48))]
    assert found == ["fine" if at % 3 else "refused" for at in range(48)]
    assert _pid() == zygote


def test_a_fork_of_ours_gets_a_zygote_of_its_own(zygote: int) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert keeper._kept.zygote is None
            os.write(write, str([look() == (), _pid() != zygote]).encode())
            keeper.discard()
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert os.read(read, 100) == b"[True, True]"
    os.close(read)
    assert look() == ()
    assert _pid() == zygote


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), 9)", "os._exit(0)", "pass", "raise SystemExit(1)"])
def test_whatever_ends_the_parent_nothing_is_left(ending: str) -> None:
    """Killed in the middle of a file that hangs, for the first."""
    code = f"""
        import os, sys, threading, time
        from registry.onnx.child import Limits, asking, keeper
        from registry.onnx.child.parcel import packed
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_child_bombs import doubling
        with packed({{"bomb": doubling(24).SerializeToString()}}) as parcel:
            asked = asking.Asked("load", "bomb", parcel, Limits(cpu=30.0))
            pid = keeper._kept.zygote.process.pid
            place = f"/proc/{{pid}}/task/{{pid}}/children"
            while not (children := open(place).read().split()):
                time.sleep(0.01)
            print(pid, *children, flush=True)
            {ending}
    """
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={"PYTHONPATH": paths, "ORT_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    left = [int(pid) for pid in done.stdout.split()]
    assert len(left) == 2, done.stderr
    assert done.stderr == ""
    assert _within(5, lambda: all(_gone(pid) for pid in left)), left


def test_what_the_libraries_print_stays_out_of_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    keeper.discard()
    model = graphs.mlp()
    unused = model.graph.initializer.add()
    unused.CopyFrom(model.graph.initializer[0])
    unused.name = "unused"  # ONNX Runtime warns that it removes it
    assert look(model.SerializeToString()) == ()
    assert capfd.readouterr() == ("", "")


def test_a_confined_process_dies_with_whoever_forked_it() -> None:
    read, write = os.pipe()
    middle = os.fork()
    if middle == 0:
        mine = os.getpid()
        if os.fork() == 0:
            confine(Limits(), mine)
            os.write(write, str(os.getpid()).encode())
            time.sleep(60)
        os.read(read, 0)
        time.sleep(60)
    inner = int(os.read(read, 100))
    os.kill(middle, signal.SIGKILL)
    os.waitpid(middle, 0)
    os.close(read)
    os.close(write)
    assert _within(5, lambda: _gone(inner))
