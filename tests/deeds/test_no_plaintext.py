"""Checkout and run write no plaintext to any disk: not to a file, not to a deleted one, not in pieces.

A child process checks a model out and runs it, in a world of directories that is empty before; nothing in it
may hold the weights afterwards, and no file that is as large as they are could have been written at all:
the kernel forbids it (RLIMIT_FSIZE).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.push import push
from support import worlds

MIB = 1 << 20
WIDTH = 1024  # the weights are WIDTH x WIDTH floats: 4 MiB
LIMIT = 3 * MIB  # bytes that one file of the child may have

CHILD = """
import json, os, resource, sys
home, limit, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
import numpy as np
import registry

def files():
    found = set()
    for name in os.listdir('/proc/self/fd'):
        try:
            found.add(os.readlink(f'/proc/self/fd/{name}'))
        except OSError:
            pass
    with open('/proc/self/maps') as maps:
        found |= {line.split(None, 5)[5].strip() for line in maps if len(line.split(None, 5)) == 6}
    return sorted(name for name in found if name.startswith(('/', 'memfd')))

with registry.connect(home) as hallmark:
    model = hallmark.checkout('vision/net')
    during = files()
    with model.session() as session:
        feeds = {'x': np.ones((1, width), np.float32)}
        outputs = session.run(None, feeds)
        running = files()
print(json.dumps({'files': sorted({*during, *running}), 'sum': float(outputs[0].sum())}))
"""


@pytest.fixture
def marked(tmp_path: Path) -> tuple[Path, bytes, float]:
    """A model with one random weight, its external data or none; the weight's bytes; the sum it must give."""
    weight = np.random.default_rng(11).standard_normal((WIDTH, WIDTH), dtype=np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [node],
        "marked",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    path = tmp_path / "marked.onnx"
    onnx.save(model, path)
    return path, weight.tobytes(), float(weight.sum(0).sum())


def _outside(path: Path) -> Path:
    directory = path.parent / "outside"
    directory.mkdir()
    onnx.save(
        onnx.load(path),
        directory / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    return directory


def _child(home: Path, world: Path) -> dict[str, object]:
    """Check the model out and run it, with every place for scratch files in ``world``."""
    world.mkdir()
    names = ("TMPDIR", "TEMP", "TMP", "HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    environment = {**os.environ, **dict.fromkeys(names, str(world)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(home), str(LIMIT), str(WIDTH)],
        cwd=world,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def _holding(places: list[Path], pieces: list[bytes], since: float = 0) -> list[Path]:
    """The files below these places, changed since then, that hold one of the pieces."""
    files = [path for place in places for path in place.rglob("*")]
    return [path for path in files if _holds(path, pieces, since)]


def _holds(path: Path, pieces: list[bytes], since: float) -> bool:
    try:
        fresh = path.is_file() and path.stat().st_mtime >= since
        content = path.read_bytes() if fresh else b""
    except OSError:  # other tests' files come and go in shared memory
        return False
    return any(piece in content for piece in pieces)


@pytest.mark.parametrize("external", [False, True], ids=["one file", "external data"])
def test_a_checkout_and_a_run_leave_no_plaintext(
    marked: tuple[Path, bytes, float], home: Path, tmp_path: Path, external: bool
) -> None:
    path, weight, total = marked
    source = _outside(path) if external else path
    with worlds.open_context(home) as context:
        push(context, source, "vision/net")
    pieces = [weight[at : at + 32] for at in range(0, len(weight), 256 << 10)]
    assert _holding([tmp_path], pieces), "the search can find what it looks for"
    world, begun = tmp_path / "world", time.time()
    answer = _child(home, world)
    assert answer["sum"] == pytest.approx(total, rel=1e-3)
    assert _holding([home, world], pieces) == []
    assert _holding([Path("/dev/shm")], pieces, since=begun) == []
    _only_known_files(answer["files"], home)


def _only_known_files(names: object, home: Path) -> None:
    """Open or mapped are libraries, devices, the database, and ciphertext; nothing deleted, no memfd."""
    assert isinstance(names, list)
    known = ("/dev/", "/proc/", "/usr/", "/lib", "/etc/", sys.prefix, sys.base_prefix, str(home))
    code = tuple(str(Path(entry).resolve()) for entry in sys.path if entry)
    odd = [
        name
        for name in names
        if "(deleted)" in name or not name.startswith((*known, *code)) or name.startswith("memfd")
    ]
    assert odd == []


def test_the_limit_that_the_child_runs_under_is_real(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))\n"
        f"open(sys.argv[1], 'wb').write(bytes({4 * MIB}))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "file"], capture_output=True, check=False)
    assert done.returncode != 0
