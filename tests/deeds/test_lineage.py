"""Lineage as a deed: what is signed of a child and its parent, and that it is proven again from both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from registry import acts, attesting, catalog, lineage
from registry.context import Context
from registry.errors import BadAttestation, Denied, InvalidInput, NotFound, Untrusted
from registry.family import family
from registry.push import push
from registry.quantizing import quantize
from support import graphs, worlds

PARENT, CHILD = "vision/cnn-fp32", "vision/cnn"


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parent, its calibration data, and a home that holds the parent and an INT8 child of it."""
    folder = tmp_path_factory.mktemp("lineage")
    model = graphs.cnn()
    graphs.save(model, folder / "cnn.onnx")
    images = [graphs.feeds(model, seed=seed)["image"] for seed in range(4)]
    np.savez(folder / "calibration.npz", image=np.stack(images))
    np.savez(folder / "other.npz", image=np.stack(images[:2]))
    with worlds.open_context(worlds.make_home(folder / "home")) as context:
        push(context, folder / "cnn.onnx", PARENT)
        quantize(context, PARENT, CHILD, calibration=folder / "calibration.npz")
    return folder


@pytest.fixture
def context(material: Path) -> Iterator[Context]:
    with worlds.open_context(material / "home") as opened:
        yield opened


def _static(material: Path, into: Path) -> Path:
    return graphs.static(onnx.load(material / "cnn.onnx"), into / "child.onnx", qdq=True, per_channel=True)


def _tampered(path: Path) -> Path:
    """One weight, one step away."""
    model = onnx.load(path)
    weight = next(one for one in model.graph.initializer if one.name == "conv2.w_quantized")
    numbers = numpy_helper.to_array(weight).copy()
    numbers.flat[7] += 1 if numbers.flat[7] < 0 else -1
    weight.CopyFrom(numpy_helper.from_array(numbers, weight.name))
    onnx.save(model, path)
    return path


def test_what_quantize_publishes_is_proven_and_signed_with_the_version(context: Context) -> None:
    _, records = attesting.attestations(context, f"{CHILD}:1")
    (said,) = [one["predicate"] for one in records if one["type"] == acts.LINEAGE]
    _, digest = catalog.resolve(context, f"{PARENT}:1")
    assert said["verdict"] == "replayed"
    assert said["parent"] == {"reference": f"{PARENT}:1", "digest": digest, "model": "cnn.onnx"}


def test_a_proof_is_confirmed_from_both_models(context: Context, material: Path) -> None:
    (found,) = lineage.verify(context, f"{CHILD}:1", calibration=material / "calibration.npz")
    assert (found.verdict, found.parent, found.signer) == ("replayed", f"{PARENT}:1", "alice")


def test_a_replay_is_not_confirmed_without_its_data(context: Context, material: Path) -> None:
    with pytest.raises(InvalidInput, match="calibration data"):
        lineage.verify(context, f"{CHILD}:1")
    with pytest.raises(InvalidInput, match="other calibration data"):
        lineage.verify(context, f"{CHILD}:1", calibration=material / "other.npz")


def test_a_proof_without_data_is_confirmed_by_whoever_has_the_data_too(
    material: Path, tmp_path: Path
) -> None:
    child = _static(material, tmp_path)
    with worlds.open_context(worlds.make_home(tmp_path / "home")) as context:
        push(context, material / "cnn.onnx", PARENT)
        push(context, child, CHILD, proving=lineage.against(context, PARENT))
        (found,) = lineage.verify(context, CHILD, calibration=material / "calibration.npz")
        assert found.verdict == "derived"


def test_what_was_pushed_with_its_parent_carries_the_proof(material: Path, tmp_path: Path) -> None:
    child = _static(material, tmp_path)
    with worlds.open_context(worlds.make_home(tmp_path / "home")) as context:
        done = push(context, child, CHILD, proving=lineage.against(context, str(material / "cnn.onnx")))
        assert done.lineage == "derived"
        with pytest.raises(InvalidInput, match="not in the registry"):
            lineage.verify(context, CHILD)
        (found,) = lineage.verify(context, CHILD, parent=str(material / "cnn.onnx"))
        assert found.verdict == "derived"


def test_a_tampered_child_is_not_called_derived(context: Context, material: Path, tmp_path: Path) -> None:
    child = _tampered(_static(material, tmp_path))
    proved = lineage.prove(context, str(child), f"{PARENT}:1")
    assert proved.lineage.verdict not in ("replayed", "derived")
    assert proved.seq is None
    odd = [one.name for one in proved.lineage.tensors if one.verdict in ("non-nearest", "unexplained")]
    assert odd == ["conv2.w_quantized"]


def test_a_false_proof_is_found_out(context: Context, material: Path, tmp_path: Path) -> None:
    """Its publisher says of a tampered child what is true of the honest one."""
    honest = lineage.prove(None, str(_static(material, tmp_path)), str(material / "cnn.onnx"))
    child = _tampered(tmp_path / "child.onnx")
    said = {**honest.predicate, "parent": _parent(context)}
    ref = push(context, child, "vision/false", statements=[(acts.LINEAGE, said)]).ref
    with pytest.raises(BadAttestation, match="says derived, proving it again says"):
        lineage.verify(context, str(ref))


def _parent(context: Context) -> dict[str, object]:
    _, digest = catalog.resolve(context, f"{PARENT}:1")
    return {"reference": f"{PARENT}:1", "digest": digest, "model": "cnn.onnx"}


def test_another_parent_than_the_proofs_is_refused(context: Context, material: Path, tmp_path: Path) -> None:
    twin = onnx.load(material / "cnn.onnx")
    twin.graph.initializer[0].raw_data = bytes(len(twin.graph.initializer[0].raw_data))
    onnx.save(twin, tmp_path / "twin.onnx")
    with pytest.raises(InvalidInput, match="not the parent"):
        lineage.verify(
            context,
            f"{CHILD}:1",
            parent=str(tmp_path / "twin.onnx"),
            calibration=material / "calibration.npz",
        )


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param({"verdict": "proven"}, id="an-unknown-verdict"),
        pytest.param({"verdict": "derived", "node_count": 3}, id="better-than-its-own-list"),
        pytest.param({"tensors": "none"}, id="tensors-that-are-no-list"),
    ],
)
def test_the_door_refuses_a_proof_that_contradicts_itself(
    context: Context, material: Path, tmp_path: Path, spoilt: dict[str, object]
) -> None:
    proved = lineage.prove(None, str(_static(material, tmp_path)), str(material / "cnn.onnx"))
    with pytest.raises((Untrusted, Denied)):
        attesting.attest_value(context, f"{CHILD}:1", acts.LINEAGE, {**proved.predicate, **spoilt})


def test_a_version_without_a_proof_says_so(context: Context) -> None:
    with pytest.raises(NotFound, match="no lineage proof"):
        lineage.verify(context, f"{PARENT}:1")


def test_a_family_is_shown_from_any_of_its_members(context: Context) -> None:
    for asked in (f"{PARENT}:1", f"{CHILD}:1"):
        (root,) = family(context, asked)
        assert (root.name, root.kind) == (f"{PARENT}:1", "float")
        below = {child.name: child for child in root.children}
        assert below[f"{CHILD}:1"].how == "quantized, replayed"
        assert [one.name for one in root.walk() if one.asked] == [asked]


def test_a_parent_that_was_never_pushed_is_named_by_its_digest(material: Path, tmp_path: Path) -> None:
    with worlds.open_context(worlds.make_home(tmp_path / "home")) as context:
        done = quantize(context, str(material / "cnn.onnx"), CHILD)
        (root,) = family(context, CHILD)
        assert (root.kind, [child.name for child in root.children]) == ("", [str(done.pushed.ref)])
        assert len(root.digest) == 64


def test_kinship_that_runs_in_a_circle_ends(tmp_path: Path, material: Path) -> None:
    """Anybody may sign that a child is its own grandparent."""
    with worlds.open_context(worlds.make_home(tmp_path / "home")) as context:
        push(context, material / "cnn.onnx", "a/one")
        push(context, material / "cnn.onnx", "a/two", metadata={"n": "2"})
        for ref, parent in (("a/one:1", "a/two:1"), ("a/two:1", "a/one:1")):
            _, digest = catalog.resolve(context, parent)
            said = {"recipe": {}, "parent": {"reference": parent, "digest": digest, "model": "cnn.onnx"}}
            attesting.attest_value(context, ref, acts.RECIPE, said)
        assert sum(1 for root in family(context, "a/one:1") for _ in root.walk()) <= 1000
