"""Bundles against the model-signing command: it verifies ours, we verify its, and both refuse tampering.

It leaves out .git, .github, .gitignore and .gitattributes unless told --no-ignore-git-paths; a registry
keeps every file, so verifying a model that has such files needs that option.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from registry import bundle
from registry.crypto import pkcs8
from registry.crypto.keys import SigningKey
from registry.errors import BadDigest
from registry.manifest import Manifest

TREES = {
    "one-file": ["model.onnx"],
    "nested": ["model.onnx", "a/x.bin", "a-b/x.bin", "a/b/c/d/e/f.bin", "a.b"],
    "spaces": [" model file.onnx", "my weights/part 1 .bin"],
    "unicode": ["größe.onnx", "模型/вес.bin", "\N{GRINNING FACE}.txt", "e\u0301.txt", "\u00e9.txt"],
    "dotfiles": [".hidden", "...", ".config/.x", "model.onnx"],
    "git": [".gitignore", ".gitattributes", ".github/ci.yml", "model.onnx"],
    "odd": ["back\\slash", "semi;colon:colon", "new\nline", 'quote"d', "-dash"],
}


class Workshop:
    """A directory with a model and a key in it, and the command that signs and verifies there."""

    def __init__(self, root: Path, key: SigningKey, files: list[str]) -> None:
        self.key, self.model = key, root / "model"
        self.signature, self.private, self.public = (root / n for n in ("model.sig", "key.pem", "pub.pem"))
        for path in files:
            (self.model / path).parent.mkdir(parents=True, exist_ok=True)
            (self.model / path).write_bytes(path.encode())
        self.private.write_bytes(pkcs8.write(key.private, None))
        self.public.write_bytes(key.verifying.pem)

    def digests(self) -> dict[str, str]:
        files = (path for path in self.model.rglob("*") if path.is_file())
        return {
            path.relative_to(self.model).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    def _run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "model_signing", *map(str, arguments), "--no-ignore-git-paths"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def they_sign(self) -> None:
        done = self._run(
            "sign", "key", self.model, "--signature", self.signature, "--private_key", self.private
        )
        assert done.returncode == 0, done.stderr

    def they_verify(self) -> subprocess.CompletedProcess[str]:
        return self._run(
            "verify", "key", self.model, "--signature", self.signature, "--public_key", self.public
        )

    def we_sign(self) -> Manifest:
        manifest = Manifest.of(self.model.name, self.digests())
        self.signature.write_bytes(bundle.sign(manifest, self.key))
        return manifest

    def we_verify(self) -> Manifest:
        manifest = bundle.verify(self.signature.read_bytes(), self.key.verifying)
        manifest.compare(self.digests())
        return manifest


@pytest.mark.parametrize("tree", TREES)
def test_it_verifies_ours_and_we_verify_its(tree: str, tmp_path: Path) -> None:
    shop = Workshop(tmp_path, SigningKey.generate(), TREES[tree])
    ours = shop.we_sign()
    assert shop.they_verify().returncode == 0
    shop.they_sign()
    theirs = shop.we_verify()
    assert (theirs.name, theirs.files, theirs.digest) == (ours.name, ours.files, ours.digest)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_larger_curves_both_ways(curve: ec.EllipticCurve, tmp_path: Path) -> None:
    shop = Workshop(tmp_path, SigningKey(ec.generate_private_key(curve)), TREES["one-file"])
    shop.we_sign()
    assert shop.they_verify().returncode == 0
    shop.they_sign()
    shop.we_verify()


@pytest.mark.parametrize("signer", ["ours", "theirs"])
def test_both_refuse_a_tampered_file_and_an_added_one(signer: str, tmp_path: Path) -> None:
    shop = Workshop(tmp_path, SigningKey.generate(), TREES["nested"])
    if signer == "ours":
        shop.we_sign()
    else:
        shop.they_sign()
    victim = shop.model / "a/x.bin"
    for path, content in ((victim, b"tampered"), (shop.model / "added", b"")):
        kept = path.read_bytes() if path.exists() else None
        path.write_bytes(content)
        with pytest.raises(BadDigest):
            shop.we_verify()
        refusal = shop.they_verify()
        assert refusal.returncode != 0
        assert "Signature mismatch" in refusal.stderr
        if kept is not None:
            path.write_bytes(kept)


def test_it_refuses_ours_under_another_key(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, SigningKey.generate(), TREES["one-file"])
    shop.we_sign()
    shop.public.write_bytes(SigningKey.generate().verifying.pem)
    assert shop.they_verify().returncode != 0


def test_what_it_left_out_is_kept_as_a_remark(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, SigningKey.generate(), TREES["one-file"])
    shop.signature = shop.model / "model.sig"
    shop.they_sign()
    signed = bundle.verify(shop.signature.read_bytes(), shop.key.verifying)
    assert signed.ignored == ("model.sig",)
    assert [file.path for file in signed.files] == ["model.onnx"]
