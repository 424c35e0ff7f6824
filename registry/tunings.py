"""What a search for a recipe has tried, kept in the home, so that the same search goes on where it stopped.

Files lie under ``tunings/``. Each is called by a digest of everything that its numbers depend on: the source,
the data, the recipes to begin with, the tools' versions. They hold recipes, names of layers and numbers; no
weights and no samples. A file only saves work: one that cannot be read is begun anew, and that is said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from registry import disk, strictjson
from registry.errors import InvalidInput, Malformed, NotFound
from registry.onnx.tune.trial import Memory

LIMIT = 8 << 20  # bytes of a file


class Notebook:
    """The file of the search that ``told`` describes: JSON values, the same for the same search."""

    def __init__(self, home: Path, told: Mapping[str, object], say: Callable[[str], None]) -> None:
        name = hashlib.sha256(strictjson.canonical(dict(told))).hexdigest()[:32]
        self.path = home / "tunings" / f"{name}.json"
        self._say = say

    def load(self) -> Memory:
        """What was tried before. Raises DiskTrouble."""
        try:
            return Memory.from_dict(strictjson.parse(disk.read(self.path, LIMIT), limit=LIMIT))
        except NotFound:
            return Memory()
        except (Malformed, InvalidInput) as error:
            self._say(f"the state of an earlier search is damaged; it begins anew: {error}")
            return Memory()

    def save(self, memory: Memory) -> None:
        """Put the file in the place of the old one, whole. Raises DiskTrouble."""
        with disk.translated(self.path):
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
        disk.replace(self.path, json.dumps(memory.to_dict()).encode(), 0o600)
