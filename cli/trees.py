"""Family trees for people: in the terminal, and as an SVG picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from .output import clean, console

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from registry.family import Relative

_ROW, _COLUMN, _WIDTH, _HEIGHT, _MARGIN = 84, 330, 250, 56, 24  # pixels
_LETTERS, _SMALL = 32, 42  # of a name inside its box, of the smaller line below it
_COLOURS = {  # of the line to the parent, by verdict
    "replayed": "#1a7f37",
    "derived": "#0969da",
    "non-nearest": "#9a6700",
    "unexplained": "#cf222e",
}


def show(roots: tuple[Relative, ...]) -> None:
    """Print the trees."""
    from rich.tree import Tree

    for root in roots:
        tree = Tree(_label(root), guide_style="dim")
        _grow(tree, root)
        console().print(tree)


def _grow(tree: Tree, relative: Relative) -> None:
    for child in relative.children:
        _grow(tree.add(_label(child)), child)


def _label(one: Relative) -> Text:
    from rich.text import Text

    label = Text(clean(one.name).replace("\n", " "), style="bold" if one.asked else "")
    about = [word for word in (one.kind, one.how, "yanked" if one.yanked else "") if word]
    label.append(f"  {clean('; '.join(about))}", style="dim")
    label.append(f"  sha256:{one.digest[:12]}", style="dim")
    return label


def draw(roots: tuple[Relative, ...], path: Path) -> None:
    """Write the trees as SVG, from the left to the right. Raises DiskTrouble."""
    from registry import disk

    canvas = ElementTree.Element("svg", xmlns="http://www.w3.org/2000/svg")
    canvas.set("font-family", "system-ui, sans-serif")
    rows, depth = _Drawing(canvas).trees(roots)
    width, height = (
        _MARGIN * 2 + depth * _COLUMN - (_COLUMN - _WIDTH),
        _MARGIN * 2 + rows * _ROW - (_ROW - _HEIGHT),
    )
    canvas.set("viewBox", f"0 0 {width} {height}")
    canvas.set("width", str(width))
    canvas.set("height", str(height))
    with disk.translated(path):
        path.write_bytes(ElementTree.tostring(canvas))


class _Drawing:
    def __init__(self, canvas: ElementTree.Element) -> None:
        self._lines = ElementTree.SubElement(canvas, "g", fill="none")  # below the boxes
        self._boxes = ElementTree.SubElement(canvas, "g")
        self._row = 0
        self._depth = 0

    def trees(self, roots: tuple[Relative, ...]) -> tuple[int, int]:
        """Draw all; return how many rows and columns they take."""
        for root in roots:
            self._place(root, 0)
        return self._row, self._depth

    def _place(self, one: Relative, column: int) -> float:
        """Draw the model and what was made of it; return the row of its box."""
        self._depth = max(self._depth, column + 1)
        if one.children:
            below = [(child, self._place(child, column + 1)) for child in one.children]
            row = (below[0][1] + below[-1][1]) / 2
            for child, other in below:
                self._line(column, row, other, child)
        else:
            row = self._row
            self._row += 1
        self._box(one, _MARGIN + column * _COLUMN, _MARGIN + row * _ROW)
        return row

    def _line(self, column: int, row: float, other: float, child: Relative) -> None:
        start, end = _MARGIN + column * _COLUMN + _WIDTH, _MARGIN + (column + 1) * _COLUMN
        high, low = (_MARGIN + at * _ROW + _HEIGHT / 2 for at in (row, other))
        middle = (start + end) / 2
        verdicts = [one.verdict for one in child.origins if one.verdict]
        colour = _COLOURS.get(verdicts[-1], "#57606a") if verdicts else "#57606a"
        path = f"M{start},{high} C{middle},{high} {middle},{low} {end},{low}"
        ElementTree.SubElement(self._lines, "path", {"d": path, "stroke": colour, "stroke-width": "2"})

    def _box(self, one: Relative, left: float, top: float) -> None:
        shape = {"x": str(left), "y": str(top), "width": str(_WIDTH), "height": str(_HEIGHT), "rx": "6"}
        colour = {
            "fill": "#ddf4ff" if one.asked else "#f6f8fa",
            "stroke": "#0969da" if one.asked else "#8c959f",
        }
        ElementTree.SubElement(self._boxes, "rect", shape | colour)
        dash = {"text-decoration": "line-through"} if one.yanked else {}
        self._text(
            _short(one.name, _LETTERS), left + 10, top + 23, {"font-size": "13", "font-weight": "600", **dash}
        )
        about = "; ".join(word for word in (one.kind, one.how) if word) or f"sha256:{one.digest[:16]}"
        self._text(_short(about, _SMALL), left + 10, top + 43, {"font-size": "11", "fill": "#57606a"})

    def _text(self, text: str, left: float, top: float, style: dict[str, str]) -> None:
        ElementTree.SubElement(self._boxes, "text", {"x": str(left), "y": str(top), **style}).text = text


def _short(text: str, letters: int) -> str:
    """One line that fits its box: what tells names apart is often at their end."""
    line = clean(text).replace("\n", " ")
    return line if len(line) <= letters else f"{line[: letters // 2 - 1]}…{line[-letters // 2 :]}"
