"""SHA-256 of FILE as Python's OpenSSL computes it: no verified copy can take less."""

from __future__ import annotations

import hashlib
import sys

from benchmarks.probes.reading import report


def digest(path: str) -> str:
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    report(lambda: digest(sys.argv[1]))
