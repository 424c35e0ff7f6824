"""What a refused checkout leaves behind: no plaintext anywhere, and no VerifiedModel."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry import acts
from registry.checkout import VerifiedModel, checkout, verify
from registry.errors import RegistryError
from registry.pull import pull
from registry.push import push
from support.attacks import admit_push, attested, crafted, flipped, push_body
from support.crafting import mislabelled
from support.marked import MARKER, write_model
from support.victim import MODEL, REF, Victim


def _last_byte_of_the_weights(victim: Victim) -> str:
    blob = victim.blob("weights.data")
    victim.write_blob(blob, flipped(victim.blobs[blob], -1))
    return REF


def _other_content_than_signed(victim: Victim) -> str:
    """Everything decrypts; one file is another."""
    mislabelled(victim, crafted(push_body(victim), 4), "labels/a.txt", "labels/b.txt", 2)
    return f"{MODEL}:4"


def _admitted(victim: Victim, body: acts.Push) -> str:
    admit_push(victim, body)
    return f"{MODEL}:{body.number}"


def _facts_of_another_graph(victim: Victim) -> str:
    """Every file is the signed one; the attestation is another model's, signed for this one."""
    with victim.open() as context:
        key = context.identity.signing
    mode = {"mode": "dynamic"}
    body = crafted(push_body(victim), 4)
    return _admitted(victim, attested(body, key, lambda s: s["predicate"]["models"][0].update(mode)))


LATE: dict[str, Callable[[Victim], str]] = {
    "step-9": _last_byte_of_the_weights,
    "step-10": _other_content_than_signed,
    "step-11": _facts_of_another_graph,
}


def _holding_plaintext(*places: Path) -> list[Path]:
    found = []
    for place in places:
        for path in place.rglob("*"):
            if path.is_file() and not path.is_symlink() and MARKER in path.read_bytes():
                found.append(path)
    return found


@pytest.fixture
def places(victim: Victim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every place that a checkout may write to: home, store, temporary directory, the target's parent."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
    return [victim.home, victim.scratch, tmp_path]


def test_a_pull_that_passes_writes_the_marker(victim: Victim, places: list[Path]) -> None:
    """The control: the search finds plaintext where there is some."""
    assert _holding_plaintext(*places) == []
    with victim.open() as context:
        pull(context, REF, victim.scratch / "pulled")
    paths = {path.relative_to(victim.scratch / "pulled").as_posix() for path in _holding_plaintext(*places)}
    assert paths == {file.path for file in push_body(victim).files}


def test_the_marker_is_in_no_blob(victim: Victim) -> None:
    assert not any(MARKER in data for data in victim.blobs.values())


@pytest.mark.parametrize("attack", LATE)
def test_a_refused_checkout_leaves_no_plaintext(victim: Victim, places: list[Path], attack: str) -> None:
    ref, number = LATE[attack](victim), int(attack.removeprefix("step-"))
    for deed in (checkout, lambda context, ref: pull(context, ref, victim.scratch / "pulled")):
        with victim.open() as context, pytest.raises(RegistryError) as caught:
            deed(context, ref)
        assert (caught.value.step or "").startswith(f"{number} ")
    with victim.open() as context:
        assert verify(context, ref)[-1].number == number
    assert _holding_plaintext(*places) == []
    assert list(victim.scratch.iterdir()) == []


@pytest.mark.parametrize("attack", LATE)
def test_a_refused_pull_leaves_what_was_there(victim: Victim, places: list[Path], attack: str) -> None:
    ref, target = LATE[attack](victim), victim.scratch / "pulled"
    target.mkdir()
    (target / "model.onnx").write_bytes(b"mine")
    with victim.open() as context, pytest.raises(RegistryError):
        pull(context, ref, target, force=True)
    assert [path.name for path in victim.scratch.rglob("*")] == ["pulled", "model.onnx"]
    assert (target / "model.onnx").read_bytes() == b"mine"


def test_a_checkout_that_passes_leaves_no_plaintext_either(victim: Victim, places: list[Path]) -> None:
    with victim.open() as context:
        model = checkout(context, REF)
        model.session().close()
    assert _holding_plaintext(*places) == []


def test_a_push_leaves_no_plaintext(victim: Victim, places: list[Path]) -> None:
    source = write_model(victim.scratch / "source", seed=9)
    with victim.open() as context:
        push(context, source, "vision/late")
        for info in [info for info in context.store.list() if info.id not in victim.blobs]:
            context.store.delete(info.id)
    assert {path for path in _holding_plaintext(*places) if not path.is_relative_to(source)} == set()


# --- VerifiedModel ------------------------------------------------------------------------------


@pytest.fixture
def model(victim: Victim) -> VerifiedModel:
    with victim.open() as context:
        return checkout(context, REF)


def test_a_verified_model_cannot_be_made_by_hand() -> None:
    make: Any = VerifiedModel
    for passed in (None, True, object()):
        with pytest.raises(TypeError, match=r"checkout\(\) only"):
            make(passed, None, None, {}, {})
    with pytest.raises(TypeError):
        make()


def test_a_verified_model_cannot_be_changed(model: VerifiedModel) -> None:
    changing: Any = model
    with pytest.raises(dataclasses.FrozenInstanceError):
        changing.files = {}
    with pytest.raises(TypeError):
        changing.files["model.onnx"] = memoryview(b"forged")
    with pytest.raises(TypeError):
        changing.files["model.onnx"][0] = 0
    with pytest.raises(TypeError):
        changing.facts["model.onnx"] = None
    with pytest.raises(TypeError):
        changing.metadata["dataset"] = "forged"


def test_a_verified_model_cannot_be_made_from_another(model: VerifiedModel) -> None:
    with pytest.raises(TypeError):
        dataclasses.replace(model, files={})
    with pytest.raises(TypeError):
        pickle.dumps(model)
    with pytest.raises(TypeError):
        copy.deepcopy(model)


def test_a_refused_checkout_makes_no_verified_model(victim: Victim) -> None:
    gc.collect()
    before = sum(isinstance(thing, VerifiedModel) for thing in gc.get_objects())
    ref = _facts_of_another_graph(victim)
    with victim.open() as context, pytest.raises(RegistryError):
        checkout(context, ref)
    assert sum(isinstance(thing, VerifiedModel) for thing in gc.get_objects()) == before
