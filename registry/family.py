"""Family trees: which version was made from which, as signed statements say it.

A lineage proof or a recipe names the digest of the parent. What the tables offer is only where to look:
every statement that becomes a line of the tree has been verified like any other attestation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from registry import acts, attesting, catalog, refs
from registry.context import Context
from registry.errors import BadReference, NotFound, Yanked
from registry.records import queries
from registry.records.database import reading
from registry.refs import Reference

KINDS = (acts.LINEAGE, acts.RECIPE)
DEPTH = 64  # generations
SIZE = 1000  # models shown: statements could claim more kinship than anybody can read


@dataclass(frozen=True)
class Origin:
    """What one signed statement says of a version's parent."""

    digest: str  # the parent's OMS root digest, hexadecimal
    reference: str | None  # NAMESPACE/MODEL:VERSION where it lies in this registry
    name: str  # what the parent was called where it does not
    how: str  # of a recipe: "quantized", "tuned", ...
    verdict: str | None  # of a lineage proof
    signer: str


@dataclass(frozen=True)
class Relative:
    """One of a family: a version, or a parent that was never pushed. ``origins`` are about its own parent."""

    name: str  # the reference, or what statements call it
    digest: str
    kind: str  # what its graphs say: "float", "static QDQ INT8"; "" where nothing is known
    asked: bool
    yanked: bool
    origins: tuple[Origin, ...]
    children: tuple[Relative, ...]

    @property
    def how(self) -> str:
        """How it was made, with the verdict of the proof where there is one."""
        made = [one.how for one in self.origins if one.how] or ["quantized"] * bool(self.origins)
        said = dict.fromkeys([*made, *(one.verdict for one in self.origins if one.verdict)])
        return ", ".join(said)

    def walk(self) -> Iterator[Relative]:
        yield self
        for child in self.children:
            yield from child.walk()

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "digest": f"sha256:{self.digest}",
            "kind": self.kind,
            "asked": self.asked,
            "yanked": self.yanked,
            "origins": [{**vars(one), "digest": f"sha256:{one.digest}"} for one in self.origins],
            "children": [child.to_dict() for child in self.children],
        }


def family(context: Context, ref: str) -> tuple[Relative, ...]:
    """The trees that ``ref`` is in, from the oldest known parents down. Raises NotFound or Untrusted."""
    exact, digest = catalog.resolve(context, ref)
    tree = _Tree(context, digest)
    return tuple(tree.relative(root, None, ()) for root in tree.roots(str(exact), digest))


@dataclass(frozen=True)
class _Node:
    """A version by reference and digest; ``reference`` None for what lies elsewhere."""

    digest: str
    reference: str | None
    name: str


class _Tree:
    def __init__(self, context: Context, asked: str) -> None:
        self._context = context
        self._asked = asked
        self._known: dict[str, tuple[Origin, ...]] = {}
        self._left = SIZE

    def roots(self, reference: str, digest: str) -> list[_Node]:
        """The ancestors that have no known parent, the version itself where there is none."""
        found, level, seen = [], [_Node(digest, reference, reference)], {digest}
        for _ in range(DEPTH):
            above: list[_Node] = []
            for node in level:
                parents = {
                    one.digest: _Node(one.digest, self._here(one), one.name) for one in self.origins(node)
                }
                fresh = [parent for parent in parents.values() if parent.digest not in seen]
                seen |= parents.keys()
                above += fresh
                if not parents:
                    found.append(node)
            level = above
        return found or [_Node(digest, reference, reference)]

    def relative(self, node: _Node, parent: str | None, above: tuple[str, ...]) -> Relative:
        """The model and all that was made of it. Kinship may be claimed in a circle: none is walked twice."""
        self._left -= 1
        path = (*above, node.name)
        below = [one for one in self._below(node) if one.name not in path] if len(path) < DEPTH else []
        return Relative(
            name=node.name,
            digest=node.digest,
            kind=_kind(self._context, node.reference),
            asked=node.digest == self._asked,
            yanked=self._yanked(node),
            origins=tuple(one for one in self.origins(node) if one.digest == parent),
            children=tuple(self.relative(child, node.digest, path) for child in below if self._left > 0),
        )

    def _below(self, node: _Node) -> list[_Node]:
        """Versions with a verified statement that this is their parent."""
        names = _children(self._context, node.digest)
        nodes = (_Node(digest, name, name) for name, digest in sorted(names.items()))
        return [child for child in nodes if any(one.digest == node.digest for one in self.origins(child))]

    def origins(self, node: _Node) -> tuple[Origin, ...]:
        if node.reference is None:
            return ()
        if node.reference not in self._known:
            self._known[node.reference] = tuple(_origins(self._context, node.reference))
        return self._known[node.reference]

    def _here(self, origin: Origin) -> str | None:
        """The parent's reference where this registry has that very version."""
        if origin.reference is None:
            return None
        with suppress(NotFound, BadReference):
            exact, _ = catalog.resolve(self._context, f"{origin.reference}@sha256:{origin.digest}")
            return str(Reference(exact.namespace, exact.name, version=exact.version))
        return None

    def _yanked(self, node: _Node) -> bool:
        if node.reference is None:
            return False
        with reading(self._context.engine) as connection:
            return queries.yank_of(connection, refs.parse(node.reference)) is not None


def _origins(context: Context, reference: str) -> Iterator[Origin]:
    """Of a version that was yanked nothing is verified, and nothing said."""
    with suppress(Yanked):
        _, records = attesting.attestations(context, reference)
        for record in records:
            if record["type"] in KINDS:
                yield from _origin(record["type"], record["predicate"], record["signer"])


def _origin(kind: str, predicate: Any, signer: str) -> Iterator[Origin]:
    parent = predicate.get("parent") if isinstance(predicate, dict) else None
    if not isinstance(parent, Mapping) or not isinstance(parent.get("digest"), str):
        return
    reference = parent.get("reference")
    yield Origin(
        digest=parent["digest"].removeprefix("sha256:"),
        reference=reference if isinstance(reference, str) else None,
        name=str(reference or parent.get("path") or parent["digest"]),
        how=str(predicate.get("how") or "quantized") if kind == acts.RECIPE else "",
        verdict=str(predicate["verdict"]) if kind == acts.LINEAGE else None,
        signer=signer,
    )


def _children(context: Context, parent: str) -> dict[str, str]:
    """The versions that some statement calls the children of this digest: reference to digest."""
    with reading(context.engine) as connection:
        rows = queries.children_of(connection, parent)
        return {f"{row['model']}:{row['number']}": row["digest"] for row in rows}


def _kind(context: Context, reference: str | None) -> str:
    """What the recorded facts say, in a few words."""
    if reference is None:
        return ""
    with reading(context.engine) as connection:
        return ", ".join(queries.modes(connection, refs.parse(reference)))
