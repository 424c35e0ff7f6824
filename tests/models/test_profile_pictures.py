"""Pictures of weights: valid files, the same bytes again, and names that cannot steer what draws them."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from registry.errors import InvalidInput
from registry.onnx.loaded import load
from registry.onnx.profile import drawing
from registry.onnx.profile.drawing import draw, shortened
from registry.onnx.profile.profiling import profile
from registry.onnx.profile.values import Profile
from support import graphs

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "$x^{2",
    r"\frac{1}{0}$",
    "$$",
    "<script>alert(1)</script>",
    "]]> -- &amp; \"'",
    "line\nbreak\ttab",
    "\x1b[31mred\x07\x9b",
    "\u202eright to left",
    "漢字かな交じり文",
    "😀" * 5,
    "x" * 5000,
    " ",
]


def _weights(numbers: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int8]]]) -> Profile:
    nodes, constants = [], [numpy_helper.from_array(np.float32(0.5), "scale of all")]
    for at, (name, values) in enumerate(numbers.items()):
        constants.append(numpy_helper.from_array(values, name))
        nodes.append(helper.make_node("DequantizeLinear", [name, "scale of all"], [f"out{at}"], f"dq{at}"))
    graph = helper.make_graph(nodes, "g", [], [], constants)
    opsets = [helper.make_opsetid("", 21)]
    data = helper.make_model(graph, opset_imports=opsets).SerializeToString()
    return profile(load({"m": data}, "m"), "some $x^{$/m.onnx\x1b[0m", "00")


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    path = graphs.static(graphs.cnn(), tmp_path_factory.mktemp("child") / "m.onnx", qdq=True)
    return profile(load({"m": path.read_bytes()}, "m"), str(path.name), "00")


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG file, each checked (ISO/IEC 15948, 5.3)."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = {}, 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0]
        found[kind] = body
        at += 12 + size
    return found


def test_png(child: Profile) -> None:
    chunks = _chunks(draw(child, "png"))
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    assert 1000 < width < 2000
    assert 200 < height < 600
    assert b"tEXt" not in chunks  # no release, no date


def test_svg(child: Profile) -> None:
    root = ElementTree.fromstring(draw(child, "svg"))
    assert root.tag == f"{SVG}svg"
    groups = [one.get("id") or "" for one in root.iter(f"{SVG}g")]
    assert len([one for one in groups if one.startswith("axes_")]) == 3  # conv1, conv2, fc
    assert b"<dc:date>" not in draw(child, "svg")


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_same_profile_gives_the_same_bytes_in_another_process(kind: str, tmp_path: Path) -> None:
    path = graphs.save(graphs.mlp(), tmp_path / "float.onnx")
    path = graphs.dynamic(onnx.load(path), tmp_path / "m.onnx")
    code = (
        "import sys\n"
        "from registry.onnx.loaded import load\n"
        "from registry.onnx.profile.drawing import draw\n"
        "from registry.onnx.profile.profiling import profile\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "sys.stdout.buffer.write(draw(profile(load({'m': data}, 'm')), sys.argv[2]))\n"
    )
    run = [sys.executable, "-c", code, str(path), kind]
    other = subprocess.run(run, capture_output=True, check=True).stdout
    assert draw(profile(load({"m": path.read_bytes()}, "m")), kind) == other


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_names_are_drawn_as_they_are(kind: str) -> None:
    """No mathematics, no markup, no control characters; one letter that a font lacks is no failure."""
    numbers = np.arange(-8, 8, dtype=np.int8)
    found = _weights(dict.fromkeys(HOSTILE, numbers))
    picture = draw(found, kind)
    if kind == "svg":
        root = ElementTree.fromstring(picture)
        assert {one.tag for one in root.iter() if isinstance(one.tag, str)} & {
            f"{SVG}script",
            "script",
        } == set()
        assert b"\x1b" not in picture
    else:
        _chunks(picture)


def test_a_user_s_own_settings_change_nothing(child: Profile) -> None:
    import matplotlib

    before = draw(child, "svg")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.hashsalt": "own"}):
        assert draw(child, "svg") == before
        assert matplotlib.rcParams["font.size"] == 30


def test_the_largest_weights_are_drawn_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "PANELS", 4)
    sizes = {f"weight{at}": np.zeros(at + 1, np.int8) for at in range(9)}
    text = draw(_weights(sizes), "svg").decode()
    root = ElementTree.fromstring(text)
    groups = [one.get("id") or "" for one in root.iter(f"{SVG}g")]
    assert len([one for one in groups if one.startswith("axes_")]) == 4
    assert "4 of 9 quantized weights" in text
    assert [at for at in range(9) if f"weight{at}" in text] == [5, 6, 7, 8]


def test_a_model_without_quantized_weights_says_so() -> None:
    data = graphs.mlp().SerializeToString()
    text = draw(profile(load({"m": data}, "m")), "svg").decode()
    assert "no quantized weights" in text


@pytest.mark.parametrize("numbers", [[], [0], [-128] * 9, [-128, 127]], ids=["none", "zero", "low", "ends"])
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_weights_of_few_levels(kind: str, numbers: list[int]) -> None:
    assert draw(_weights({"w": np.array(numbers, np.int8)}), kind)


def test_another_type_of_picture(child: Profile) -> None:
    with pytest.raises(InvalidInput, match=r"no picture of type 'pdf'"):
        draw(child, "pdf")


def test_long_names_lose_their_middle() -> None:
    assert shortened("encoder.layer.0.attention.query.weight_quantized", 24) == "encoder…weight_quantized"
    assert len(shortened("x" * 100, 24)) == 24
    assert shortened("short\x00", 24) == "short\N{REPLACEMENT CHARACTER}"
