"""Facts as one self-contained HTML page: no program, no request; every name in it is inert."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from registry.audit.report import charts, sentences, words
from registry.audit.report.estate import Coverage, Gap, Ranked
from registry.audit.report.facts import Facts, Finding
from registry.audit.report.findings import LEVELS, findings, in_order

if TYPE_CHECKING:
    from jinja2 import Environment

SECTIONS = {
    "activity": "What happened",
    "denied": "Refused attempts",
    "holdings": "Who holds what",
    "unused": "Rights that nobody uses",
    "versions": "Where versions come from, and how good they are",
    "health": "The ledger",
}


_LONG = re.compile(r"[^/:]{1,24}[/:]?|[/:]")  # what stays in one piece


def render(facts: Facts) -> str:
    """The page."""
    found = findings(facts)
    return (
        _environment()
        .get_template("page.html")
        .render(
            facts=facts,
            findings=found,
            levels=LEVELS,
            in_order=in_order(facts),
            headline=_headline(found),
            sections=SECTIONS,
            span=words.span(facts.period.first, facts.period.last),
            nobody=words.NOBODY,
            charts=_charts(facts),
            **sentences.all_of(facts),
        )
    )


def _headline(found: Sequence[Finding]) -> str:
    count = {level: sum(one.level == level for one in found) for level in LEVELS}
    if count["act"]:
        needs = "needs" if count["act"] == 1 else "need"
        rest = f", {_spelled(count['look']).lower()} a look" if count["look"] else ""
        return f"{_spelled(count['act'])} {'thing' if count['act'] == 1 else 'things'} {needs} action{rest}"
    if count["look"]:
        things = "thing" if count["look"] == 1 else "things"
        return f"Nothing urgent; {_spelled(count['look']).lower()} {things} to look into"
    return "All in order"


def _spelled(count: int) -> str:
    names = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
    return names[count] if count < len(names) else str(count)


def _charts(facts: Facts) -> dict[str, Any]:
    """Each drawing as an SVG element. Names in them are escaped where they are drawn."""
    from markupsafe import Markup

    drawn = {
        "activity": charts.activity(facts.period, facts.activity.series),
        "refused": charts.refused(facts.period, facts.denied.members),
        "unused": charts.parts(facts.unused.by_action, "unused", SECTIONS["unused"]),
        "used": charts.parts(_coverage(facts.versions.used), "used", "Quantized versions in use"),
        "versions": charts.parts(_coverage(facts.versions.everything), "versions", "All quantized versions"),
        "growth": charts.growth(facts.health.growth),
    }
    return {name: Markup(drawing) for name, drawing in drawn.items()}


def _coverage(of: Coverage) -> list[tuple[str, int, int]]:
    return [("With lineage", of.lineage, of.quantized), ("With an evaluation", of.evaluation, of.quantized)]


@cache
def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    sources = {
        one.name: one.read_text("utf-8") for one in files(__package__).iterdir() if one.name.endswith(".html")
    }
    made = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
    )
    made.filters["name"] = _name
    made.filters |= {
        name: getattr(words, name) for name in ("number", "several", "reason", "day", "moment", "instant")
    }
    made.globals |= {
        "style": Markup(files(__package__).joinpath("page.css").read_text("utf-8")),
        "share": _share,
        "percent": _percent,
        "missing": _missing,
    }
    return made


def _shown(value: object) -> object:
    """What an expression of a template comes to, as it is written out."""
    from markupsafe import Markup

    return words.inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _name(text: str) -> object:
    """A name, escaped, that a narrow column breaks after its parts; within them only where they are long."""
    from markupsafe import Markup, escape

    parts = _LONG.findall(words.inert(text))
    return Markup("<wbr>").join(escape(part) for part in parts)


def _share(count: int, rows: Sequence[Ranked]) -> str:
    """How long a bar is beside the longest, in percent."""
    return _percent(count, max((row.count for row in rows), default=0))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "0"


def _missing(gap: Gap) -> str:
    return " and ".join(
        what for what, there in (("lineage", gap.lineage), ("evaluation", gap.evaluation)) if not there
    )
