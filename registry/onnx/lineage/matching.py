"""Two graphs as terms, walked together from their outputs: position decides, never a name.

Each pair of terms is looked at once, so the walk is linear; it keeps its own stack, so depth does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable

from registry.errors import InvalidModel
from registry.onnx.lineage import constants, recovery
from registry.onnx.lineage.dequantizing import tensor_of
from registry.onnx.lineage.folding import integers
from registry.onnx.lineage.frames import Built
from registry.onnx.lineage.kinds import Kinds
from registry.onnx.lineage.leaves import Activation, FloatLeaf, Mismatch, Pair
from registry.onnx.lineage.removed import implied
from registry.onnx.lineage.rewriting import Rewriter
from registry.onnx.lineage.shapes import Shapes
from registry.onnx.lineage.terms import CONST, FAKE, QUANT, Params, Term, commutes, leaves

_VISITS = 8  # pairs looked at for each term, on average
_REWRITES = 16  # of one term


class Walk:
    """The state of one comparison; ``of_child`` says which parent's term a child's term is."""

    def __init__(self, child: Built, parent: Built) -> None:
        self.child, self.parent = child, parent
        self.of_child: dict[int, int] = {}
        self.of_parent: set[int] = set()
        self.pairs: dict[tuple[int, int], Pair | None] = {}
        self.activations: dict[tuple[int, int], Activation] = {}
        self.values: dict[tuple[str, str], None] = {}
        self.faults: dict[tuple[str, str, str], Mismatch] = {}
        self.variants: dict[str, None] = {}
        self._shapes = Shapes(parent.terms)
        self._rewriter = Rewriter(parent.terms, self._shapes, Kinds(parent.terms))
        self._work: list[tuple[Term, Term]] = []
        self._seen: set[tuple[int, int]] = set()

    def compare(self, pairs: Iterable[tuple[Term, Term]]) -> None:
        """Match terms and all that goes into them. Raises InvalidModel."""
        self._work.extend(reversed(list(pairs)))
        most = _VISITS * (len(self.child.terms.all) + len(self.parent.terms.all))
        while self._work:
            child, parent = self._work.pop()
            if len(self._seen) > most:  # two graphs that differ everywhere: enough is known
                self._work.clear()
                self.fault(child, "too much differs to go on")
            elif (child.id, parent.id) not in self._seen:
                self._seen.add((child.id, parent.id))
                self._visit(child, parent)

    def fault(self, term: Term, reason: str) -> None:
        """List what made a term as unexplained."""
        name = term.node or term.name or term.op
        operator = term.operator or term.op
        self.faults.setdefault((name, operator, reason), Mismatch(name, operator, reason))

    def _visit(self, child: Term, parent: Term) -> None:
        marks: list[Params] = []
        while child.op == FAKE and parent.op != FAKE:
            self._mark(child, parent)
            marks.append(child.payload)
            child = child.first
        while child.op != parent.op and implied(parent, marks):
            self._take(child, parent)
            parent = parent.first
        if child.constant and parent.constant:
            self._constants(child, parent)
        elif child.constant and self._told(child, parent):
            self._take(child, parent)
        elif not self._same(child, parent) and not self._rewritten(child, parent):
            if marks and parent.op in ("Relu", "Clip") and recovery.like(child, parent):
                self._dropped(child, parent)
            else:
                self._recover(child, parent)

    def _dropped(self, child: Term, parent: Term) -> None:
        """An activation that is gone, though the integers behind it reach beyond its bounds."""
        self.fault(parent, "is not in the child, whose integers reach beyond its bounds")
        self._take(child, parent)
        self._work.append((child, parent.first))

    def _told(self, child: Term, parent: Term) -> bool:
        """Whether a constant of the child is what the parent computes from shapes that it knows."""
        numbers, shape = self._shapes.vector(parent), self._shapes.of(parent)
        return numbers is not None and numbers == integers(child) and shape == constants.shape_of(child)

    def _same(self, child: Term, parent: Term) -> bool:
        """Take two terms of one operator; their arguments come next."""
        if not self._alike(child, parent):
            return False
        self._take(child, parent)
        self._queue(child, parent)
        return True

    def _alike(self, child: Term, parent: Term) -> bool:
        if (child.op, child.output) != (parent.op, parent.output) or len(child.args) != len(parent.args):
            return False
        if any((one is None) != (other is None) for one, other in zip(child.args, parent.args, strict=True)):
            return False
        if child.op == FAKE:
            return recovery.same_marks(child.payload, parent.payload)
        return (child.attrs == parent.attrs and self._leaf(child, parent)) or self._same_axis(child, parent)

    def _leaf(self, child: Term, parent: Term) -> bool:
        """Leaves other than inputs are equal only as constants, which are compared elsewhere."""
        return bool(child.args) or child.op in ("input", "bound") or child.op not in (CONST, QUANT)

    def _same_axis(self, child: Term, parent: Term) -> bool:
        """An axis counted from the end is the one counted from the start."""
        one, other = dict(child.attrs), dict(parent.attrs)
        axes = [one.pop("axis", None), other.pop("axis", None)]
        source = parent.arg(0) if parent.args else None
        if one != other or source is None or not all(isinstance(axis, int) for axis in axes):
            return False
        rank = self._shapes.rank(source)
        return rank is not None and len({axis + rank if axis < 0 else axis for axis in axes}) == 1

    def _queue(self, child: Term, parent: Term) -> None:
        args = list(child.args)
        if commutes(child.op) and len(args) == 2 and recovery.crossed(child, parent):
            args.reverse()
        for one, other in zip(reversed(args), reversed(parent.args), strict=True):
            if one is not None and other is not None:
                self._work.append((one, other))

    def _take(self, child: Term, parent: Term) -> None:
        self.of_child.setdefault(child.id, parent.id)
        self.of_parent.add(parent.id)
        if child.name and parent.name and not child.scope and not parent.scope:
            self.values.setdefault((child.name, parent.name))

    def _mark(self, child: Term, parent: Term) -> None:
        """Quantization parameters that the child puts on a value."""
        mark, source = child.payload, child.arg(0)
        self._take(child, parent)
        self.activations[(child.id, parent.id)] = Activation(
            value=child.name or (source.name if source is not None else ""),
            integers=child.integers,
            parent=parent.name,
            scale=tensor_of(mark.scale),
            zero=tensor_of(mark.zero),
            kind=mark.kind,
            operator=mark.operator,
            axis=mark.axis,
            dynamic=mark.dynamic,
            weight=constants.float_leaf(source.payload)
            if source is not None and source.op == CONST
            else None,
            contents=self.child.loaded.contents,
        )

    def _rewritten(self, child: Term, parent: Term) -> bool:
        """Try what an optimizer makes of the parent's term, the fewest steps first."""
        tried = {parent.id}
        queue: list[tuple[tuple[str, ...], Term]] = [((), parent)]
        for labels, at in queue:
            for label, found in self._rewriter.alternatives(at, child):
                if found.id in tried or len(tried) > _REWRITES:
                    continue
                tried.add(found.id)
                if self._alike(child, found) or (child.constant and found.constant):
                    self._replace(child, parent, found, (*labels, label))
                    return True
                queue.append(((*labels, label), found))
        return False

    def _replace(self, child: Term, parent: Term, found: Term, labels: tuple[str, ...]) -> None:
        """Go on with what the parent's term was rewritten to."""
        self.variants.update(dict.fromkeys(label for label in labels if label != "raw"))
        self.of_parent.update(term.id for term in recovery.absorbed(parent, found))
        found.name = found.name or parent.name
        found.node, found.operator = found.node or parent.node, found.operator or parent.operator
        self._work.append((child, found))

    def _constants(self, child: Term, parent: Term) -> None:
        """Constants: undo what only moves elements in the child, then pair its leaf."""
        while child.op not in (CONST, QUANT):
            self._take(child, parent)
            inner = child.arg(0) if child.args else None
            if self._alike(child, parent):
                self._queue(child, parent)
                return
            undone = (
                constants.undone(self.parent.terms, child, parent) if child.op in constants.MOVES else None
            )
            if undone is None or inner is None:
                self._computed(child, parent)
                return
            child, parent = inner, undone
        if child.op == CONST or child.op == QUANT:
            self._leaves(child, parent)

    def _computed(self, child: Term, parent: Term) -> None:
        """Shapes may be computed another way than in the parent; weights may not."""
        try:
            if not constants.whole(child):
                raise constants.Differs("by other operators")
            constants.same(child, parent)
        except (constants.Differs, InvalidModel) as error:
            self.fault(child, f"computes a constant that is not the parent's: {error}")

    def _leaves(self, child: Term, parent: Term) -> None:
        self.of_parent.update(leaf.id for leaf in leaves(parent))
        try:
            found = constants.pair(self.parent.terms, child, parent)
        except (constants.Differs, InvalidModel) as error:
            self.fault(child, f"constant {child.name!r}: {error}")
            return
        self._take(child, parent)
        self.pairs[(child.id, parent.id)] = found
        if found is not None and not found.exact:
            self.variants.setdefault("folded")

    def _recover(self, child: Term, parent: Term) -> None:
        """Say what is wrong, and go on behind it where that can be found."""
        for term, reason in recovery.reasons(child, parent):
            self.fault(term, reason)
        for one, other in recovery.onward(child, parent):
            self._work.append((one, other))


def _weight(source: Term | None) -> FloatLeaf | None:
    """The float constant that is quantized as the model runs."""
    found = constants.leaf_of(source) if source is not None else None
    return found if isinstance(found, FloatLeaf) else None
