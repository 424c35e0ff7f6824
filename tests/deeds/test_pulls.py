"""Pull: all files or none, and a directory that any verifier of OpenSSF Model Signing accepts."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from registry import bundle
from registry.context import Context
from registry.crypto.keys import SigningKey
from registry.errors import AlreadyExists, BadDigest, ReferenceNotFound, Untrusted
from registry.pull import pull
from registry.push import push
from support import graphs, worlds

NAMES = (" two words.txt", "größe/模型.bin", ".hidden", ".git/config", ".gitignore", "a/b/c/d/e.txt", "-dash")


@pytest.fixture
def published(context: Context, model: Path) -> Context:
    """vision/net:1, with awkward names."""
    for name in NAMES:
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(name.encode())
    push(context, model, "vision/net")
    return context


def oms(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command of the ``model-signing`` package."""
    command = [sys.executable, "-m", "model_signing", *map(str, arguments), "--no-ignore-git-paths"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def digests(directory: Path) -> dict[str, str]:
    return {path: hashlib.sha256(data).hexdigest() for path, data in graphs.files_of(directory).items()}


def test_what_is_pulled_is_what_was_pushed(published: Context, model: Path, tmp_path: Path) -> None:
    done = pull(published, "vision/net", tmp_path / "out")
    found = graphs.files_of(tmp_path / "out")
    assert found.pop("model.sig") == worlds.dump(published)["versions"][0]["bundle"]
    assert found == graphs.files_of(model)
    assert set(done.paths) == set(found)
    assert done.size == sum(map(len, found.values()))


def test_a_pulled_directory_passes_the_model_signing_command(published: Context, tmp_path: Path) -> None:
    target, key = tmp_path / "out", tmp_path / "key.pub"
    pull(published, "vision/net", target)
    key.write_bytes(published.identity.signing.verifying.pem)
    command = ("verify", "key", target, "--signature", target / "model.sig", "--public_key", key)
    assert oms(*command).returncode == 0
    (target / "weights.bin").write_bytes(b"changed")
    assert oms(*command).returncode != 0


def test_a_directory_that_the_model_signing_command_signed_verifies_here(
    published: Context, tmp_path: Path
) -> None:
    target, key = tmp_path / "out", tmp_path / "key.pem"
    pull(published, "vision/net", target)
    (target / "model.sig").unlink()
    signer = SigningKey.generate()
    key.write_bytes(
        signer.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    signature = tmp_path / "their.sig"
    done = oms("sign", "key", target, "--signature", signature, "--private_key", key)
    assert done.returncode == 0, done.stderr
    manifest = bundle.verify(signature.read_bytes(), signer.verifying)
    manifest.compare(digests(target))
    assert manifest.digest == worlds.dump(published)["versions"][0]["digest"]
    (target / "weights.bin").write_bytes(b"changed")
    with pytest.raises(BadDigest, match=r"weights\.bin"):
        manifest.compare(digests(target))


def test_a_directory_with_content_is_left_alone(published: Context, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    before = len(worlds.dump(published)["acts"])
    with pytest.raises(AlreadyExists) as caught:
        pull(published, "vision/net", tmp_path / "out")
    assert "--force" in (caught.value.hint or "")
    assert graphs.files_of(tmp_path / "out") == {"mine.txt": b"mine"}
    assert len(worlds.dump(published)["acts"]) == before


def test_force_writes_beside_what_is_there(published: Context, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    (out / "model.onnx").write_text("an older one")
    pull(published, "vision/net", out, force=True)
    found = graphs.files_of(out)
    assert found.pop("mine.txt") == b"mine"
    assert {name for name in found if name != "model.sig"} == set(graphs.files_of(model))
    assert found["model.onnx"] == (model / "model.onnx").read_bytes()


def test_force_does_not_write_through_a_link(published: Context, tmp_path: Path) -> None:
    """A link in the target is replaced, not followed to what it names."""
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere.onnx"
    out.mkdir()
    elsewhere.write_text("not the model's business")
    (out / "model.onnx").symlink_to(elsewhere)
    pull(published, "vision/net", out, force=True)
    assert elsewhere.read_text() == "not the model's business"
    assert not (out / "model.onnx").is_symlink()


def test_force_does_not_write_through_a_linked_directory(published: Context, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "a").symlink_to(elsewhere)
    with pytest.raises(AlreadyExists, match="in the way"):
        pull(published, "vision/net", out, force=True)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("flaw", ["a directory for a file", "a file for a directory"])
def test_force_moves_nothing_when_something_else_is_in_the_way(
    published: Context, tmp_path: Path, flaw: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "tokenizer.json").write_text("an older one")
    if flaw == "a directory for a file":
        (out / "weights.bin" / "deep").mkdir(parents=True)
    else:
        (out / "größe").write_text("a file")
    before = graphs.files_of(out)
    with pytest.raises(AlreadyExists, match="in the way"):
        pull(published, "vision/net", out, force=True)
    assert graphs.files_of(out) == before
    assert not (tmp_path / ".out.hallmark-partial").exists()


def test_a_file_in_the_way_of_the_target_is_refused(published: Context, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    for force in (False, True):
        with pytest.raises(AlreadyExists):
            pull(published, "vision/net", tmp_path / "out", force=force)
    assert (tmp_path / "out").read_text() == "a file"


def test_an_empty_directory_and_missing_parents_are_fine(published: Context, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    pull(published, "vision/net", tmp_path / "empty")
    pull(published, "vision/net", tmp_path / "not" / "yet" / "there")
    assert graphs.files_of(tmp_path / "empty") == graphs.files_of(tmp_path / "not/yet/there")


def test_a_failed_pull_leaves_nothing_behind(published: Context, tmp_path: Path) -> None:
    """The last blob is damaged: the files before it were written already."""
    before = {path for path in tmp_path.rglob("*") if "home" not in path.parts}
    rows = worlds.dump(published)
    contents = {row["content"]: row["id"] for row in rows["blobs"]}
    blob = contents[rows["files"][-1]["sha256"]]
    (path,) = [path for path in (published.paths.home / "blobs").rglob("*") if path.name.startswith(blob)]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    for target in (tmp_path / "out", tmp_path / "deep" / "er" / "out"):
        with pytest.raises(Untrusted) as caught:
            pull(published, "vision/net", target)
        assert caught.value.step == "9 (open)"
    assert {path for path in tmp_path.rglob("*") if "home" not in path.parts} == before


def test_a_pull_of_nothing_leaves_nothing_behind(published: Context, tmp_path: Path) -> None:
    with pytest.raises(ReferenceNotFound):
        pull(published, "vision/other", tmp_path / "new" / "out")
    assert not (tmp_path / "new").exists()


def test_what_a_killed_pull_left_is_cleared_by_the_next(published: Context, tmp_path: Path) -> None:
    left = tmp_path / ".out.hallmark-partial" / "deep"
    left.mkdir(parents=True)
    (left / "model.onnx").write_bytes(b"half a file")
    pull(published, "vision/net", tmp_path / "out")
    assert "deep/model.onnx" not in graphs.files_of(tmp_path / "out")
    assert not (tmp_path / ".out.hallmark-partial").exists()


def test_the_files_have_the_modes_that_the_umask_leaves(published: Context, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        pull(published, "vision/net", tmp_path / "out")
    finally:
        os.umask(old)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert modes <= {0o640}
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750


def test_a_pulled_directory_can_be_pushed_again(published: Context, tmp_path: Path) -> None:
    """The bundle beside the files is not one of them: the copy has the same digest."""
    first = pull(published, "vision/net", tmp_path / "out")
    again = push(published, tmp_path / "out", "vision/copy")
    assert again.digest == first.digest
