"""The tree above the chunks: folded from their roots, held against the stored nodes and the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from registry import ledger
from registry.audit.verify.finding import Finding
from registry.audit.verify.source import Source
from registry.audit.verify.subtree import Node, differing, node_differs
from registry.crypto import merkle
from registry.crypto.checkpoint import Checkpoint


class Tree:
    """Takes the roots of complete subtrees from the left; those it makes of them lie above ``level``."""

    def __init__(self, level: int) -> None:
        self.size = 0
        self._level = level
        self._peaks: list[Node] = []
        self._above: dict[int, list[bytes]] = {}  # by level, in order

    def take(self, nodes: Iterable[Node]) -> None:
        """The next subtrees."""
        for level, position, node in nodes:
            self.size += 1 << level
            while self._peaks and self._peaks[-1][0] == level:
                left = self._peaks.pop()[2]
                level, position, node = level + 1, position // 2, merkle.node_hash(left, node)
                if level > self._level:
                    self._above.setdefault(level, []).append(node)
            self._peaks.append((level, position, node))

    def root(self) -> bytes:
        """The hash of the tree as far as it has come (RFC 9162 section 2.1.1)."""
        if not self._peaks:
            return merkle.EMPTY
        folded = self._peaks[-1][2]
        for _, _, left in reversed(self._peaks[:-1]):
            folded = merkle.node_hash(left, folded)
        return folded

    def compare(self, source: Source, checkpoint: Checkpoint | None) -> Iterator[Finding]:
        """The nodes above the chunks, nodes that are too many, the head, and the checkpoint."""
        for level, hashes in sorted(self._above.items()):
            yield from differing(source, level, 0, hashes)
        yield from self._beside(source)
        yield from self._head(source, checkpoint)

    def _beside(self, source: Source) -> Iterator[Finding]:
        whole = {level: self.size >> level for level in range(self.size.bit_length())}
        if source.rows("SELECT count(*) FROM nodes") == [(sum(whole.values()),)]:
            return
        for level, position in source.stream("SELECT level, position FROM nodes ORDER BY level, position"):
            if not isinstance(position, int) or not 0 <= position < whole.get(level, 0):
                yield node_differs(level, position)

    def _head(self, source: Source, checkpoint: Checkpoint | None) -> Iterator[Finding]:
        heads = source.rows("SELECT id, size FROM head ORDER BY id")
        covered = checkpoint.size if checkpoint else self.size
        if covered != self.size or heads != [(ledger.HEAD, self.size)]:
            says = f"the checkpoint covers {covered}, head {heads}"
            yield Finding("size-differs", f"{self.size} acts", says)
        elif checkpoint is not None and checkpoint.root != self.root():
            yield Finding("root-differs", f"{self.size} acts", "the checkpoint is of another history")
