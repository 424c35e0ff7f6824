"""Questions about a model: who can do what with it, who has pulled it, and what has happened to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from registry import access, acts, catalog, refs
from registry.acts import timestamp
from registry.audit.scope import scope
from registry.audit.tallies import Answer, Condition, Record, cut, did, grouped, shown, times
from registry.context import Context
from registry.errors import ReferenceNotFound
from registry.law import rights
from registry.law.law import Law
from registry.records import queries
from registry.records.database import reading
from registry.records.event_tables import activity, events
from registry.records.events import ALLOWED
from registry.refs import Reference

PULL: Final = acts.Pull.kind


@dataclass(frozen=True)
class WhoCan:
    """Who may do what on a place. ``yanked`` is why nobody is given that version any more."""

    place: str
    rows: list[Record]  # member, actions, until, why
    policies: bool  # whether policies are in force, which may narrow this
    yanked: str | None


@dataclass(frozen=True)
class History:
    """What happened to a model, oldest first, but for its pulls, which are counted."""

    rows: list[Record]
    more: int  # older ones than these
    pulls: int
    pullers: int
    last_pull: str | None


def who_can(context: Context, ref: str) -> WhoCan:
    """Who may do what on ``NS/``, a model or a version now, and why: roles and teams counted in.

    Raises NotPermitted, InvalidReference, ReferenceNotFound or Untrusted.
    """
    namespace = ref.endswith("/")
    place = access.check_target(ref) if namespace else refs.parse(ref).model
    scope(context).require_place(place)
    yanked = None if namespace else _yanked(context, ref)
    law, time = context.law(), timestamp(context.now())
    rows = [row for name in sorted(_candidates(law, place)) for row in _may(law, name, place, time)]
    return WhoCan(place, rows, bool(law.state.policies.at()), yanked)


def _exact(context: Context, ref: str) -> Reference | None:
    """The version that ``ref`` names, None where it names all of a model. Raises NotFound or BadReference."""
    asked = refs.parse(ref)
    if asked.version is None and asked.tag is None and asked.digest is None:
        return None
    return catalog.resolve(context, ref)[0]


def _yanked(context: Context, ref: str) -> str | None:
    """Why the version was withdrawn. A model may be asked about before there is one."""
    exact = _exact(context, ref)
    if exact is None:
        return None
    with reading(context.engine) as connection:
        return (queries.yank_of(connection, exact) or {}).get("reason")


def _candidates(law: Law, place: str) -> set[str]:
    """Everybody who can have a right there: admins, and whoever is granted something, by a team perhaps."""
    found = set(law.state.admins())
    for target in (place, f"{place.partition('/')[0]}/"):
        for grantee in law.state.grants.get(target, ()):
            found |= set(law.state.members_of(grantee)) if grantee in law.state.teams else {grantee}
    return found


def _may(law: Law, name: str, place: str, time: str) -> Iterator[Record]:
    """One row for the actions that the member may do for the same reasons."""
    rows: dict[tuple[str, str | None], list[str]] = {}
    for action in acts.ACTIONS:
        if reasons := rights.why(law.state, name, action, place, time):
            said = "; ".join(_reason(name, reason) for reason in reasons)
            rows.setdefault((said, rights.longest(reasons).until), []).append(action)
    for (because, until), actions in rows.items():
        yield {"member": name, "actions": actions, "on": place, "until": until, "because": because}


def _reason(name: str, reason: rights.Reason) -> str:
    if reason.target == "/":
        return "admin"
    team = f"team {reason.grantee}" if reason.grantee != name else "grant"
    return f"{team}: {reason.action} on {reason.target}"


def who_pulled(context: Context, ref: str, limit: int = 0) -> Answer:
    """Who was given a model, or one version of it: one row for each member and version, newest pull first.

    ``limit`` is how many rows at most, 0 for all. Raises NotPermitted, ReferenceNotFound or InvalidReference.
    """
    model = refs.parse(ref).model
    scope(context).require_place(model)
    of = _of(context, ref)
    with reading(context.engine) as connection:
        found = grouped(connection, ("member", "number"), *of, *did(PULL))
        kept, more = cut(sorted(found, key=lambda row: -row["last"]), limit)
        return Answer(list(_pulls(connection, model, kept)), more)


def _pulls(connection: sa.Connection, model: str, groups: list[Record]) -> Iterator[Record]:
    began = times(connection, (group["first"] for group in groups))
    last = shown(connection, [group["last"] for group in groups])
    for group, newest in zip(groups, last, strict=True):
        yield {
            "member": group["member"],
            "version": f"{model}:{group['number']}",
            "pulls": group["acts"],
            "first": began[group["first"]],
            "last": newest["time"],
            "purpose": newest["purpose"],
            "host": newest["host"],
            "entry": group["last"],
        }


def _of(context: Context, ref: str) -> list[Condition]:
    """The rows of ``activity`` about a model, or about the one version. Raises NotFound or BadReference."""
    model, exact = refs.parse(ref).model, _exact(context, ref)
    if exact is not None:
        return [activity.c.place == model, activity.c.number == exact.version]
    with reading(context.engine) as connection:
        if not _known(connection, model):
            raise ReferenceNotFound(
                "there is no such model", on=model, hint="'registry list' shows what there is"
            )
    return [activity.c.place == model]


def _known(connection: sa.Connection, model: str) -> bool:
    """Whether anything was ever done, or tried, about the model: grants may come before it does."""
    return (
        connection.execute(sa.select(events.c.seq).where(events.c.place == model).limit(1)).first()
        is not None
    )


def history(context: Context, ref: str, limit: int = 0) -> History:
    """Everything that was done, or tried, about a model or a version, oldest first; pulls are counted only.

    For a model what was granted on its namespace is there, too. ``limit`` is how many of the newest to tell,
    0 for all. Raises NotPermitted, ReferenceNotFound or InvalidReference.
    """
    asked = refs.parse(ref)
    scope(context).require_place(asked.model)
    of = _of(context, ref)
    about = [sa.and_(*of)]
    if len(of) == 1:
        about.append(activity.c.place == f"{asked.namespace}/")
    with reading(context.engine) as connection:
        seqs, more = _newest(connection, [*_but_pulls(connection, about)], limit)
        pulled = [*grouped(connection, ("member",), *of, *did(PULL))]
        last = max((one["last"] for one in pulled), default=None)
        return History(
            shown(connection, sorted(seqs)),
            more,
            sum(one["acts"] for one in pulled),
            len(pulled),
            times(connection, [last]).get(last) if last is not None else None,
        )


def _but_pulls(connection: sa.Connection, about: Iterable[Condition]) -> Iterator[Record]:
    """The groups of acts that are no pulls, or were refused: each a range of the index, none of them long."""
    kinds = (
        activity.c.action < PULL,
        activity.c.action > PULL,
        sa.and_(activity.c.action == PULL, activity.c.outcome != ALLOWED),
    )
    names = ("place", "member", "action", "outcome", "number", "acts", "first", "last")
    columns = [activity.c[name] for name in names]
    for place in about:
        for kind in kinds:
            for row in connection.execute(sa.select(*columns).where(place, kind)):
                yield dict(row._mapping)


def _newest(connection: sa.Connection, groups: list[Record], limit: int) -> tuple[list[int], int]:
    """The newest entries of these groups, and how many older ones there are."""
    total = sum(group["acts"] for group in groups)
    found: set[int] = set()
    for group in sorted(groups, key=lambda one: -one["last"]):
        if limit and len(found) >= limit and sorted(found)[-limit] > group["last"]:
            break
        found |= {group["first"], group["last"]} if group["acts"] <= 2 else _each(connection, group)
    newest, _ = cut(sorted(found, reverse=True), limit)
    return newest, total - len(newest)


def _each(connection: sa.Connection, group: Record) -> set[int]:
    """The entries that are counted in a group of more than two."""
    same = [events.c[name] == group[name] for name in ("place", "member", "action", "outcome", "number")]
    between = events.c.seq.between(group["first"], group["last"])
    return set(connection.execute(sa.select(events.c.seq).where(between, *same)).scalars())
