"""What people use today for the same protection: ``model_signing sign key``, then ``age -r``."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks import process


@dataclass(frozen=True)
class Rival:
    """Both programs, and a key for each."""

    model_signing: str
    age: str
    private_key: Path
    recipient: str
    title: str = "model_signing sign key, then age -r"

    def commands(self, directory: Path, data: Path, signature: Path, sealed: Path) -> list[list[str]]:
        """Sign the model's directory, encrypt its data."""
        key, path = str(self.private_key), str(directory)
        return [
            [self.model_signing, "sign", "key", "--signature", str(signature), "--private_key", key, path],
            [self.age, "-r", self.recipient, "-o", str(sealed), str(data)],
        ]


def find_rival(scratch: Path) -> Rival | str:
    """Both programs ready to work, or the reason why not."""
    model_signing, age, keygen = map(process.beside, ("model_signing", "age", "age-keygen"))
    if model_signing is None:
        return "the PyPI package model-signing is not installed"
    if age is None or keygen is None:
        return "age is not installed (Debian: apt-get install age)"
    made = subprocess.run([keygen], capture_output=True, check=True, text=True).stdout
    recipient = next(line.split()[-1] for line in made.splitlines() if "public key:" in line)
    return Rival(model_signing, age, _signing_key(scratch / "rival.pem"), recipient)


def _signing_key(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(*form))
    return path
