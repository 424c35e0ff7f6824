"""Makes matplotlib's drawings part of a page: colours and letters are the page's, identifiers are their own.

Drawn with stand-in colours, which become CSS variables: one drawing serves light, dark and print.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

# Stand-ins, of one shape, and so unlike each other that no drawing mixes them up.
INK, MUTED, LINE, BAR, ALARM, GOOD, WASH = (f"#0{place}0{place}0{place}" for place in range(1, 8))
_VARIABLES: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    BAR: "var(--bar)",
    ALARM: "var(--alarm)",
    GOOD: "var(--good)",
    WASH: "var(--wash)",
}
_COLOUR = re.compile("|".join(_VARIABLES))
_FAMILY = re.compile(r"font-family: [^;]*; ")
_NUMBER = re.compile(r"-?[0-9]+\.[0-9]{3,}")


def inline(drawing: bytes, label: str, name: str, classes: str) -> str:
    """An SVG element for an HTML page. ``label`` tells whoever cannot see it; ``name`` is the drawing's own.

    No identifier of one drawing meets another's, nothing points outside, and no rule of style leaves it.
    """
    root = ElementTree.fromstring(drawing)
    for parent in root.iter():
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        _adopt(element, name)
    root.attrib = {
        "class": f"chart {classes}",
        "role": "img",
        "aria-label": label,
        "viewBox": root.attrib["viewBox"],
    }
    return ElementTree.tostring(root, encoding="unicode")


def _adopt(element: ElementTree.Element, name: str) -> None:
    element.tag = _local(element.tag)
    element.tail = None
    if element.tag != "text":
        element.text = None
    element.attrib = {_local(key): _own(_local(key), value, name) for key, value in element.attrib.items()}
    if element.tag == "g":
        element.attrib.pop("id", None)


def _own(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return value.replace("#", f"#{name}-", 1)
    if key == "style":
        value = _FAMILY.sub("", _COLOUR.sub(lambda found: _VARIABLES[found[0]], value))
    if key in ("d", "x", "y", "transform", "points"):
        value = _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value)
    return value.replace("url(#", f"url(#{name}-")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
