"""Verdicts that are kept: for the very same bytes, name and limits, and none that depends on the machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.onnx.child import Limits, examination, examine
from registry.onnx.child.limits import DEFAULT
from registry.onnx.child.remembered import SMALL, Remembered, key_of
from registry.onnx.child.rules import RULES, finding
from registry.onnx.findings import Finding


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The paths that were looked at, as often as they were. What a file is called is its verdict."""
    seen: list[str] = []

    def look(files: object, path: str, bound: Limits) -> tuple[Finding, ...]:
        seen.append(path)
        code = path.partition(".")[0]
        return () if code == "fine" else (finding(code, path, "as it says"),)

    examination._remembered.clear()
    monkeypatch.setattr(examination, "_examined", look)
    yield seen
    examination._remembered.clear()


def test_the_same_files_are_looked_at_once(asked: list[str]) -> None:
    for _ in range(3):
        assert examine({"fine.onnx": b"a", "w": b"b"}, "fine.onnx") == ()
        assert examine({"w": b"b", "fine.onnx": bytearray(b"a")}, "fine.onnx") == ()
    assert asked == ["fine.onnx"]


@pytest.mark.parametrize(
    ("files", "path", "limits"),
    [
        ({"fine.onnx": b"c", "w": b"b"}, "fine.onnx", DEFAULT),
        ({"fine.onnx": b"a", "w": b"c"}, "fine.onnx", DEFAULT),
        ({"fine.onnx": b"a", "v": b"b"}, "fine.onnx", DEFAULT),
        ({"fine.onnx": b"a"}, "fine.onnx", DEFAULT),
        ({"fine.onnx": b"ab", "w": b""}, "fine.onnx", DEFAULT),
        ({"fine.onnx": b"a", "w": b"b"}, "w", DEFAULT),
        ({"fine.onnx": b"a", "w": b"b"}, "fine.onnx", Limits(cpu=1.0)),
        ({"fine.onnx": b"a", "w": b"b"}, "fine.onnx", Limits(memory=1)),
    ],
    ids=["model", "weights", "name", "file less", "moved byte", "other path", "time", "memory"],
)
def test_whatever_differs_is_another_file(files: dict[str, bytes], path: str, limits: Limits) -> None:
    first = key_of({"fine.onnx": b"a", "w": b"b"}, "fine.onnx", DEFAULT)
    assert key_of(files, path, limits) != first


@pytest.mark.parametrize("code", [rule.code for rule in RULES])
def test_what_the_machine_may_have_caused_is_asked_again(code: str, asked: list[str]) -> None:
    """A loaded machine must not condemn a file for as long as the process lives."""
    for _ in range(2):
        found = examine({f"{code}.onnx": b"a"}, f"{code}.onnx")
        assert [one.code for one in found] == [code]
    assert len(asked) == (1 if code.endswith("refused") else 2)


def test_a_large_file_is_not_kept(asked: list[str]) -> None:
    for size in (SMALL, SMALL, SMALL + 1, SMALL + 1):
        examine({"fine.onnx": bytes(size)}, "fine.onnx")
    assert len(asked) == 3


def test_only_the_last_are_kept() -> None:
    kept = Remembered()
    for at in range(600):
        kept.put(at.to_bytes(32, "big"), ())
        assert kept.get(bytes(32)) == ()  # used all the time
    found = [at for at in range(600) if kept.get(at.to_bytes(32, "big")) is not None]
    assert found == [0, *range(600 - 511, 600)]
