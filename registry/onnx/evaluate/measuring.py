"""One child, one parent and one set of samples: what can be measured of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeAlias

from registry.errors import InvalidModel
from registry.onnx.evaluate import layers as inside
from registry.onnx.evaluate.batches import batches
from registry.onnx.evaluate.compare import Advance, compare, silent
from registry.onnx.evaluate.evaluation import Output
from registry.onnx.external import external_files
from registry.onnx.lineage.leaves import Matching
from registry.onnx.loaded import Loaded, load
from registry.onnx.quantize.calibration import Calibration
from registry.onnx.session import build_session
from registry.onnx.wire import Buffer

Source: TypeAlias = tuple[Mapping[str, Buffer], str]  # files, and the ONNX file among them
Match: TypeAlias = Callable[[Loaded, Loaded], Matching]  # of parent and child
INSIDE_ROWS = 4  # of one batch, where values inside the graph are read: all of them are there at once


class Measurement:
    """Compares ``child`` with ``parent`` on ``data``; ``match`` says which values inside belong together.

    Raises InvalidInput where the data does not fit the parent's inputs; InvalidModel, UnsafePath.
    """

    def __init__(self, child: Source, parent: Source, data: Calibration, match: Match | None = None) -> None:
        self._child, self._parent = child, parent
        self._match = match
        self.batches = batches(data, self.parent.model)

    @cached_property
    def child(self) -> Loaded:
        """The child's graph."""
        return load(*self._child)

    @cached_property
    def parent(self) -> Loaded:
        """The parent's graph."""
        return load(*self._parent)

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return self.batches.count

    @property
    def size(self) -> int:
        """Bytes of all samples, as ``advance`` will count them."""
        return self.batches.size

    @property
    def parent_size(self) -> int:
        """Bytes of the parent's ONNX file and its external data."""
        names = {self.parent.path, *external_files(self.parent.model, self.parent.path)}
        return sum(len(self.parent.views[name]) for name in names)

    def outputs(self, advance: Advance = silent) -> tuple[Output, ...]:
        """Output by output. Raises InvalidInput where the models' inputs or outputs differ."""
        with build_session(*self._child) as ours, build_session(*self._parent) as theirs:
            return compare(ours, theirs, self.batches, advance)

    def layers(self, advance: Advance = silent) -> inside.Found:
        """Value by value inside the graphs; nothing where these do not match, or cannot be matched at all."""
        try:
            matching = self._matching()
        except InvalidModel:
            return inside.Found(())
        pairs = inside.links(self.child, self.parent, matching)
        small = self.batches.smaller(INSIDE_ROWS)
        return inside.measure(self.child, self.parent, pairs, small, advance)

    def _matching(self) -> Matching:
        if self._match is None:
            from registry.onnx.lineage.match import match

            self._match = match
        return self._match(self.parent, self.child)
