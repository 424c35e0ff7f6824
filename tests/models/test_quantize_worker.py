"""The process that quantizes: it may die or be interrupted, and nothing of it reaches anywhere else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import registry
from registry.errors import InvalidModel
from registry.onnx.quantize import Recipe, quantize, workshop
from registry.onnx.quantize import scratch as places
from registry.onnx.quantize.scratch import scratch
from support import graphs, recipes

PATH = "model.onnx"
DYNAMIC = Recipe(mode="dynamic")


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Memory and temporary files of our own, empty before and after, and workers that know of no others."""
    workshop.close()
    folders = [tmp_path / "memory", tmp_path / "temporary"]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr(places, "_MEMORY", folders[0])
    monkeypatch.setenv("TMPDIR", str(folders[1]))
    monkeypatch.setattr(tempfile, "tempdir", str(folders[1]))
    yield
    assert [one for folder in folders for one in folder.iterdir()] == []
    workshop.close()


def mlp() -> dict[str, bytes]:
    return {PATH: graphs.mlp().SerializeToString()}


def killer() -> dict[str, bytes]:
    """A model whose constants ONNX Runtime divides while it loads: INT_MIN by -1, a trap of the processor."""
    model = graphs.mlp()
    for name, value in (("low", -(1 << 31)), ("minus", -1)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([value], np.int32), name))
    model.graph.node.append(helper.make_node("Div", ["low", "minus"], ["q"], "divide"))
    model.graph.output.append(helper.make_tensor_value_info("q", TensorProto.INT32, [1]))
    return {PATH: model.SerializeToString()}


def test_a_model_that_kills_the_process_is_an_answer() -> None:
    with pytest.raises(InvalidModel, match=r"died \(status -8\)") as caught:
        quantize(killer(), PATH, DYNAMIC)
    assert caught.value.on == PATH
    assert quantize(mlp(), PATH, DYNAMIC)


def test_what_the_quantizer_raises_is_told_in_its_words() -> None:
    model = graphs.mlp()
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(InvalidModel, match="NoSuchOperator") as caught:
        quantize({PATH: model.SerializeToString()}, PATH, Recipe(), recipes.calibration(graphs.mlp()))
    assert "--exclude" in str(caught.value.hint)
    assert quantize(mlp(), PATH, DYNAMIC)


def test_a_worker_that_was_killed_in_between_is_replaced() -> None:
    quantize(mlp(), PATH, DYNAMIC)
    (worker,) = workshop._idle
    worker._process.kill()
    worker._process.wait()
    assert quantize(mlp(), PATH, DYNAMIC)


def test_the_worker_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REGISTRY_PASSPHRASE", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a secret")
    quantize(mlp(), PATH, DYNAMIC)
    (worker,) = workshop._idle
    environment = Path(f"/proc/{worker._process.pid}/environ").read_bytes()
    assert b"PYTHONHASHSEED=0" in environment
    assert b"secret" not in environment.lower()


def test_a_fork_has_a_worker_of_its_own() -> None:
    """Two processes that write into one pipe would mix up their jobs."""
    expected = quantize(mlp(), PATH, DYNAMIC)
    (worker,) = workshop._idle
    child = os.fork()
    if not child:
        same = quantize(mlp(), PATH, DYNAMIC) == expected
        (own,) = workshop._idle
        workshop.close()
        os._exit(0 if same and own is not worker else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert quantize(mlp(), PATH, DYNAMIC) == expected
    assert workshop._idle == [worker]


def test_the_worker_is_used_again() -> None:
    first = quantize(mlp(), PATH, DYNAMIC)
    (worker,) = workshop._idle
    assert quantize(mlp(), PATH, DYNAMIC) == first
    assert workshop._idle == [worker]


class Impatient:
    """Presses Ctrl-C at the first sample."""

    def begin(self, label: str, total: int) -> None:
        pass

    def advance(self, amount: int) -> None:
        raise KeyboardInterrupt

    def end(self) -> None:
        pass


def test_an_interrupt_ends_the_worker() -> None:
    with pytest.raises(KeyboardInterrupt):
        quantize(mlp(), PATH, Recipe(), recipes.calibration(graphs.mlp()), progress=Impatient())
    assert workshop._idle == []
    assert quantize(mlp(), PATH, DYNAMIC)


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, list[int]]] = []
        self.ended = 0

    def begin(self, label: str, total: int) -> None:
        self.stages.append((label, total, []))

    def advance(self, amount: int) -> None:
        self.stages[-1][2].append(amount)

    def end(self) -> None:
        self.ended += 1


def test_progress_counts_samples_and_names_stages() -> None:
    model, watcher = graphs.mlp(), Watcher()
    data = recipes.calibration(model, 5)
    quantize(mlp(), PATH, Recipe(calibration="Percentile"), data, progress=watcher)
    assert [label for label, _, _ in watcher.stages] == [
        "preparing",
        "calibrating",
        "making histograms",
        "quantizing",
        "trying",
    ]
    assert watcher.ended == len(watcher.stages)
    for _, total, amounts in watcher.stages[1:3]:
        assert (total, len(amounts), sum(amounts)) == (data.size, 5, data.size)


def test_threads_get_workers_of_their_own() -> None:
    model = graphs.cnn()
    files, data = {PATH: model.SerializeToString()}, recipes.calibration(model)
    wanted = [Recipe(), DYNAMIC, Recipe(format="QOperator"), Recipe(per_channel=False)]
    found: dict[int, bytes] = {}

    def work(at: int) -> None:
        found[at] = quantize(files, PATH, wanted[at], data)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(wanted))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {at: quantize(files, PATH, recipe, data) for at, recipe in enumerate(wanted)}
    workshop.close()


_QUIET = """
import logging, sys
sys.path.insert(0, sys.argv[1])
from registry.onnx.quantize import Recipe, load_calibration, quantize
from pathlib import Path
folder = Path(sys.argv[2])
files = {"model.onnx": (folder / "model.onnx").read_bytes()}
data = load_calibration(folder / "data.npz")
for recipe in (Recipe(calibration="Percentile"), Recipe(mode="weight-only"), Recipe(mode="dynamic")):
    quantize(files, "model.onnx", recipe, data)
assert logging.root.handlers == []
assert not {"onnx", "onnxruntime"} & sys.modules.keys()
"""


def test_nothing_is_printed_logged_or_imported_here(tmp_path: Path) -> None:
    """Nor from here: a file in the working directory is no module of the worker's."""
    graphs.save(graphs.mlp(), tmp_path / PATH)
    np.savez(tmp_path / "data.npz", **graphs.feeds(graphs.mlp()))
    (tmp_path / "onnx.py").write_text("raise SystemExit('taken for a module')")
    home = str(Path(registry.__file__).parents[1])
    command = [sys.executable, "-P", "-c", _QUIET, home, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_scratch_directory_is_private_in_memory_and_gone(tmp_path: Path) -> None:
    with scratch(1000) as place:
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert place.parent == tmp_path / "memory"
        (place / "file").write_text("x")
    assert not place.exists()
    with pytest.raises(FileExistsError), scratch(1000) as place:
        (place / "..").mkdir()
    assert not place.exists()


def test_without_room_in_memory_it_is_where_temporary_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scratch(1 << 50) as place:
        assert place.parent == tmp_path / "temporary"
    monkeypatch.setattr(places, "_MEMORY", tmp_path / "absent")
    with scratch(1000) as place:
        assert place.parent == tmp_path / "temporary"
    assert quantize(mlp(), PATH, Recipe(optimize=True), recipes.calibration(graphs.mlp()))


def test_a_large_model_is_written_beside_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """As models of more than a gibibyte are, for the calibrator and the optimizer."""
    from registry.onnx.quantize import hollow

    model = graphs.cnn()
    before = model.SerializeToString()
    monkeypatch.setattr(hollow, "_ONE_FILE", 100)
    with scratch(1000) as place:
        hollow.save(model, place / "a.onnx")
        assert {one.name for one in place.iterdir()} == {"a.onnx", "a.bin"}
        assert model.SerializeToString() == before
        onnx.checker.check_model(str(place / "a.onnx"))
