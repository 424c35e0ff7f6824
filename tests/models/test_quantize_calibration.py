"""Calibration data: one digest however it is packed, hostile archives refused, samples cut right."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from registry.errors import InvalidInput, Malformed, NotFound
from registry.onnx.graph import read_model
from registry.onnx.ir import Model
from registry.onnx.quantize import calibration as calibrations
from registry.onnx.quantize import calibration_of, load_calibration
from registry.onnx.quantize.calibration import parse_calibration
from registry.onnx.quantize.feeds import samples

Array = np.ndarray[Any, Any]
ARRAYS = {
    "x": np.arange(24, dtype=np.float32).reshape(4, 6),
    "ids": np.array([[1, 2], [3, 4]], np.int64),
    "flag": np.array(True),
}


def described(files: list[dict[str, Array]]) -> str:
    """The digest, written again from the description in the module's docstring alone."""
    text = b"hallmark calibration v1\n"
    for file in files:
        text += b'{"arrays":%d}\n' % len(file)
        for name in sorted(file, key=str.encode):
            told = {"dtype": file[name].dtype.str, "name": name, "shape": list(file[name].shape)}
            text += json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            text += file[name].tobytes()
    return hashlib.sha256(text).hexdigest()


def test_the_digest_is_that_of_the_description(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS)
    assert load_calibration(path).digest == described([ARRAYS])
    # A known value: whoever changes the form changes what signed recipes mean.
    assert described([ARRAYS]) == "ab90404da2dbbd5cf74bb68b78a27d9e7a6912d568636b6403deeaaaef823f6f"


def test_packing_makes_no_difference(tmp_path: Path) -> None:
    plain, packed, turned, swapped = (tmp_path / f"{name}.npz" for name in "abcd")
    np.savez(plain, **ARRAYS)
    np.savez_compressed(packed, **dict(reversed(ARRAYS.items())))
    np.savez(turned, **{name: array.copy(order="F") for name, array in ARRAYS.items()})
    np.savez(swapped, **{name: array.astype(array.dtype.newbyteorder(">")) for name, array in ARRAYS.items()})
    assert {load_calibration(path).digest for path in (plain, packed, turned, swapped)} == {
        described([ARRAYS])
    }


def test_a_directory_is_its_files_in_order_of_their_names(tmp_path: Path) -> None:
    other = {name: array + 1 if name != "flag" else array for name, array in ARRAYS.items()}
    np.savez(tmp_path / "b.npz", **other)
    np.savez(tmp_path / "a.npz", **ARRAYS)
    (tmp_path / "notes.txt").write_text("not one of them")
    assert load_calibration(tmp_path).digest == described([ARRAYS, other])
    assert load_calibration(tmp_path).digest != described([other, ARRAYS])


@pytest.mark.parametrize("change", ["name", "type", "shape", "value"])
def test_what_counts_changes_the_digest(change: str) -> None:
    array = ARRAYS["x"]
    changed = {
        "name": {"y": array},
        "type": {"x": array.view(np.int32)},
        "shape": {"x": array.reshape(6, 4)},
        "value": {"x": np.nextafter(array, np.inf, dtype=np.float32)},
    }
    assert calibration_of([changed[change]]).digest != calibration_of([{"x": array}]).digest


def test_the_canonical_form_is_read_back() -> None:
    made = calibration_of([ARRAYS, {"x": np.zeros((0, 3), np.float16)}])
    again = parse_calibration(memoryview(b"".join(made.canonical())))
    assert again.digest == made.digest
    assert [sorted(file) for file in again.files] == [["flag", "ids", "x"], ["x"]]
    with pytest.raises(Malformed):
        parse_calibration(memoryview(b"nonsense"))


# --- archives from anybody --------------------------------------------------------------------


def member(array: Array) -> bytes:
    data = io.BytesIO()
    np.lib.format.write_array(data, array)
    return data.getvalue()


def claiming(shape: tuple[int, ...], data: bytes = b"", descr: object = "<f4") -> bytes:
    """An .npy whose header says what it likes."""
    header = io.BytesIO()
    told = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, told)
    return header.getvalue() + data


def archive(path: Path, members: dict[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


HOSTILE: dict[str, dict[str, bytes]] = {
    "a terabyte that is not there": {"x.npy": claiming((1 << 38,))},
    "a negative dimension": {"x.npy": claiming((-1, 4))},
    "overflowing dimensions": {"x.npy": claiming((1 << 62, 1 << 62))},
    "more bytes than the shape has": {"x.npy": claiming((1,), bytes(400))},
    "fewer bytes than the shape has": {"x.npy": claiming((100,), bytes(4))},
    "strings": {"x.npy": member(np.array(["a"]))},
    "complex numbers": {"x.npy": member(np.array([1j]))},
    "dates": {"x.npy": member(np.array(["2026-01-01"], "datetime64[D]"))},
    "records": {"x.npy": claiming((1,), bytes(8), [("a", "<f4"), ("b", "<f4")])},
    "booleans of two": {"x.npy": claiming((1,), b"\2", "|b1")},
    "no array at all": {"readme.txt": b"hello"},
    "an array beside something else": {"x.npy": member(np.zeros(1)), "run.py": b"import os"},
    "no header": {"x.npy": b""},
    "a header of nonsense": {"x.npy": b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': '<f4', "},
    "a header that calls": {"x.npy": b"\x93NUMPY\x01\x00\x20\x00" + b"__import__('os').getcwd()".ljust(32)},
    "a header without end": {"x.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b" " * 64},
    "nothing": {},
}


@pytest.mark.parametrize("flaw", HOSTILE)
def test_a_hostile_archive_is_refused(tmp_path: Path, flaw: str) -> None:
    path = archive(tmp_path / "x.npz", HOSTILE[flaw])
    with pytest.raises(InvalidInput, match="calibration data is refused"):
        load_calibration(path)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "x.npz"
    np.savez(path, x=np.array([Trap()], dtype=object))
    with pytest.raises(InvalidInput):
        load_calibration(path)
    assert not (tmp_path / "sprung").exists()


def test_a_bomb_is_refused_before_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrations, "LIMIT", 1 << 20)
    path = archive(
        tmp_path / "x.npz",
        {"x.npy": claiming((1 << 24,), bytes(1 << 26))},
        compression=zipfile.ZIP_DEFLATED,
    )
    assert path.stat().st_size < 1 << 17
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput, match="larger than"):
            load_calibration(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


def test_the_limit_holds_for_a_directory_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrations, "LIMIT", 6000)
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", x=np.zeros(1000, np.float32))
    load_calibration(tmp_path / "a.npz")
    with pytest.raises(InvalidInput, match="larger than"):
        load_calibration(tmp_path)


def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", member(np.array([1])))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("x.npy", member(np.array([2])))
    with pytest.raises(InvalidInput, match="one name"):
        load_calibration(path)


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=np.zeros(1000, np.float32))
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match="CRC"):
        load_calibration(path)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    for path in (tmp_path / "x.npz", tmp_path):
        with pytest.raises(InvalidInput, match="regular"):
            load_calibration(path)
    with pytest.raises(NotFound):
        load_calibration(tmp_path / "absent.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=r"0 \.npz files"):
        load_calibration(tmp_path / "empty")


# --- samples of a model -----------------------------------------------------------------------


def model(**inputs: tuple[int, list[int | str]]) -> Model:
    values = [helper.make_tensor_value_info(name, kind, dims) for name, (kind, dims) in inputs.items()]
    graph = helper.make_graph([], "g", values, [])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return read_model(made.SerializeToString())


FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def shapes(made: Model, **arrays: Array) -> list[dict[str, tuple[int, ...]]]:
    found = samples(calibration_of([arrays]), made)
    listed = [{name: array.shape for name, array in feed.items()} for feed in found]
    assert found.count == len(listed)
    return listed


def test_one_axis_more_counts_samples() -> None:
    assert shapes(model(x=(FLOAT, ["n", 6])), x=np.zeros((3, 2, 6), "f")) == [{"x": (2, 6)}] * 3


def test_the_inputs_own_rank_is_one_sample() -> None:
    assert shapes(model(x=(FLOAT, ["n", 6])), x=np.zeros((5, 6), "f")) == [{"x": (5, 6)}]


def test_a_fixed_first_dimension_cuts_the_rows() -> None:
    assert shapes(model(x=(FLOAT, [1, 6])), x=np.zeros((5, 6), "f")) == [{"x": (1, 6)}] * 5
    assert shapes(model(x=(FLOAT, [2, 6])), x=np.zeros((4, 6), "f")) == [{"x": (2, 6)}] * 2


def test_a_negative_dimension_is_open() -> None:
    assert shapes(model(x=(FLOAT, [-1, 6])), x=np.zeros((5, 6), "f")) == [{"x": (5, 6)}]


def test_what_is_there_once_goes_with_every_sample() -> None:
    made = model(x=(FLOAT, [1, 6]), mask=(INT, [6]))
    found = shapes(made, x=np.zeros((3, 6), "f"), mask=np.zeros(6, np.int64))
    assert found == [{"x": (1, 6), "mask": (6,)}] * 3


def test_numbers_become_the_inputs_type_where_they_stay_the_same() -> None:
    made = model(x=(FLOAT, [1, 2]), i=(INT, [1]))
    (feed,) = samples(calibration_of([{"x": np.zeros((1, 2)), "i": np.array([7], np.int8)}]), made)
    assert (feed["x"].dtype, feed["i"].dtype) == (np.float32, np.int64)
    narrow = model(i=(TensorProto.INT8, [1]))
    with pytest.raises(InvalidInput, match="INT8, its data int64"):
        samples(calibration_of([{"i": np.array([300])}]), narrow)
    with pytest.raises(InvalidInput, match="FLOAT, its data int64"):
        samples(calibration_of([{"x": np.array([[1, 2]])}]), model(x=(FLOAT, [1, 2])))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": np.zeros((1, 5), "f")}, "takes"),
        ({"x": np.zeros((6,), "f")}, "takes"),
        ({"x": np.zeros((1, 1, 1, 6), "f")}, "takes"),
        ({"x": np.zeros((0, 1, 6), "f")}, "different numbers"),
        ({"y": np.zeros((1, 6), "f")}, "does not name"),
        ({"x": np.zeros((1, 6), "f"), "y": np.zeros(1)}, "does not name"),
    ],
    ids=["width", "too few axes", "too many axes", "no samples", "another name", "one too many"],
)
def test_data_that_does_not_fit_is_refused(arrays: dict[str, Array], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        samples(calibration_of([arrays]), model(x=(FLOAT, [1, 6])))


def test_different_numbers_of_samples_are_refused() -> None:
    made = model(x=(FLOAT, [1, 6]), z=(FLOAT, [1, 6]))
    with pytest.raises(InvalidInput, match="different numbers"):
        samples(calibration_of([{"x": np.zeros((3, 6), "f"), "z": np.zeros((4, 6), "f")}]), made)
