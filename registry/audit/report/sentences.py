"""The running text of the report: what the numbers of a section say, in a sentence or two."""

from __future__ import annotations

from typing import NamedTuple

from registry.audit.report.facts import Facts
from registry.audit.report.words import change, listed, number, percent, several


class Figure(NamedTuple):
    """One of the large numbers at the head."""

    name: str
    number: int
    note: str


def all_of(facts: Facts) -> dict[str, object]:
    """The texts by the names that the templates know them by."""
    return {
        "lead": _lead(facts),
        "figures": _figures(facts),
        "denied_says": _denied(facts),
        "holdings_says": _holdings(facts),
        "unused_says": _unused(facts),
        "versions_says": _versions(facts),
        "health_says": _health(facts),
    }


def _lead(facts: Facts) -> str:
    activity, refused, days = facts.activity, facts.denied.total, facts.period.days
    time = f"In these {days} days" if days > 1 else "On this day"
    if not activity.acts + refused:
        return f"{time} nothing happened in this registry."
    who = several(activity.members, "person or service", "people and services")
    told = f"{time} {who} acted {several(activity.acts, 'time')}, on {several(activity.models, 'model')}."
    if not refused:
        return f"{told} Nobody was refused anything."
    share = percent(refused, activity.acts + refused)
    return (
        f"{told} {several(refused, 'attempt')} {'was' if refused == 1 else 'were'} refused, {share} of all."
    )


def _figures(facts: Facts) -> list[Figure]:
    activity, versions, unused = facts.activity, facts.versions, facts.unused
    pushed = sum(one.total for one in activity.series if one.key == "push")
    gaps = f"of {number(versions.used.quantized)} quantized"
    return [
        Figure("Acts", activity.acts, _change(facts)),
        Figure("Refused", facts.denied.total, f"{several(facts.denied.people, 'member')}"),
        Figure("Versions published", pushed, f"{number(versions.everything.total)} in all"),
        Figure("Rights unused", unused.count, f"for {unused.days} days or more"),
        Figure("Versions with a gap", versions.gap_count, gaps),
    ]


def _change(facts: Facts) -> str:
    days = facts.period.days
    before = f"the {days} days" if days > 1 else "the day"
    if not facts.activity.before:
        return f"none in {before} before"
    return f"{change(facts.activity.acts, facts.activity.before)} {before} before"


def _denied(facts: Facts) -> str:
    denied = facts.denied
    people = several(denied.people, "member")
    told = f"{several(denied.total, 'attempt')} of {people} {'was' if denied.total == 1 else 'were'} refused."
    if denied.uncounted:
        told += (
            f" Of {number(denied.uncounted)} of them only the number is on record: beyond twenty an hour of "
            "one member the registry counts, and does not tell each."
        )
    return told


def _holdings(facts: Facts) -> str:
    held = facts.holdings
    told = [
        f"{several(held.members, 'active member')}, in {several(held.teams, 'team')}, hold "
        f"{several(held.grants, 'granted right')}; {number(held.handing)} of these can be handed on.",
        f"{several(len(held.admins), 'admin')} may do everything: {listed(held.admins, 8)}.",
    ]
    if held.auditors:
        seers = several(len(held.auditors), "auditor")
        told.append(f"{seers} may see everything and open no model: {listed(held.auditors, 8)}.")
    if held.new_members:
        told.append(f"{several(held.new_members, 'member')} joined in this period.")
    return " ".join(told)


def _unused(facts: Facts) -> str:
    unused = facts.unused
    if not unused.count:
        return f"Every right that has stood for {unused.days} days was used within them."
    standing = sum(whole for _, _, whole in unused.by_action)
    return (
        f"{number(unused.count)} of {several(standing, 'right')} that have stood for {unused.days} days were "
        f"not used within them, {number(unused.never)} never. A team's right counts as used when one of its "
        "members used it."
    )


def _versions(facts: Facts) -> str:
    used, every = facts.versions.used, facts.versions.everything
    told = f"{several(used.total, 'version')} of {number(every.total)} {_are(used.total)} in use"
    if not used.quantized:
        return f"{told}, none of them quantized: of those nobody asks for lineage or an evaluation."
    lineage, evaluation = (percent(part, used.quantized) for part in (used.lineage, used.evaluation))
    neither = f"; {several(used.neither, 'says', 'say')} neither" if used.neither else ""
    return (
        f"{told}, {number(used.quantized)} of them quantized. Of these {lineage} say what they were made "
        f"from, {evaluation} how near they are to it{neither}. The others are where lineages begin, and are "
        "asked for neither."
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _health(facts: Facts) -> str:
    health = facts.health
    if health.broken:
        return "What follows does not hold together. See what needs attention."
    recent = (facts.activity.acts + facts.denied.told) / facts.period.days
    return f"The ledger holds {several(health.size, 'act')} and grows by about {number(round(recent))} a day."
