"""What a stolen key reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..formats import Column, Form, Format, Output
from ..options import Json, session
from .answers import minute, past, put, time
from .people import Name

if TYPE_CHECKING:
    from rich.tree import Tree

    from registry.audit.blast import Blast, Reached

_SHOWN = 25  # rows of a section, for people
_LINES = 200  # of the family trees
_DEPTH = 64  # generations


def blast_radius(
    context: typer.Context,
    name: Name,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When the key may have been stolen: a time, or 30d; else ever."),
    ] = None,
    form: Format = Form.TABLE,
    output: Output = None,
    json: Json = False,
) -> None:
    """What a member's stolen key reaches: what they signed, could open, and what descends from those.

    The other formats write one row for each version and way to reach it. For admins and auditors.

    Example: registry audit blast-radius alice
    """
    from registry.audit.blast import blast_radius as ask

    from ..output import document

    with session(context).open() as opened:
        found = ask(opened, name, past(since, opened.now()))
    if json:
        document(_told(found))
    elif form is Form.TABLE and output is None:
        _show(found)
    else:
        rows = [one.to_dict() for one in found.reached]
        put(_columns(), rows, form, output, nothing="No version is within reach.")


def _columns() -> list[Column]:
    return [
        Column("how", heading="how"),
        Column("version", heading="version"),
        Column("pushed", heading="pushed (UTC)", show=time("pushed"), wide=True),
        Column("publisher", heading="by", wide=True),
        Column("yanked", "truth", "yanked", lambda row: "yes" if row["yanked"] else ""),
        Column("pulls", "number", "pulled"),
        Column("because", heading="because"),
        Column("entry", "number", "entry"),
    ]


def _told(found: Blast) -> dict[str, Any]:
    from registry.audit import blast

    ways = (blast.SIGNED, blast.ATTESTED, blast.OPENED, blast.DESCENDS)
    return {
        **found.member,
        "keys": found.keys,
        "rights": [right.to_dict() for right in found.rights],
        **{way: [one.to_dict() for one in found.of(way)] for way in ways},
        "law": found.law,
    }


def _show(found: Blast) -> None:
    from registry.audit import blast

    from ..output import pairs

    signed, attested, opened, descends = (
        found.of(way) for way in (blast.SIGNED, blast.ATTESTED, blast.OPENED, blast.DESCENDS)
    )
    pulled = sum(1 for one in opened if one.pulls)
    pairs(
        [
            ("member", f"{found.member['name']}, {found.member['role']}, {found.member['state']}"),
            ("keys", "\n".join(_key(key) for key in found.keys)),
            ("signed", f"{len(signed)} version(s): each may be forged"),
            ("attested", f"{len(attested)} version(s): what they say of these may be false"),
            ("could open", f"{len(opened)} version(s), of which they pulled {pulled}"),
            ("descend", f"{len(descends)} version(s) made from those"),
            ("changed rights", ", ".join(f"{kind} {count}" for kind, count in sorted(found.law.items()))),
        ]
    )
    _rights(found)
    _versions("signed", signed)
    _versions("attested", attested)
    _versions("could open, and pulled", [one for one in opened if one.pulls])
    _descent([*signed, *opened], descends)


def _key(key: dict[str, Any]) -> str:
    until = f"until {minute(key['until'])} UTC" if key["until"] else "still valid"
    return f"{key['keyid'][:16]} from {minute(key['since'])} UTC, {until}"


def _rights(found: Blast) -> None:
    from ..output import table

    rows = [
        (
            one.held.action,
            "everything" if one.held.target == "/" else one.held.target,
            one.held.grantee,
            minute(one.since),
            minute(one.end),
            one.models or "",
        )
        for one in found.rights
    ]
    _headed("rights they held", rows)
    if rows:
        table(("might", "on", "by a grant to", "from (UTC)", "to (UTC)", "models"), rows[:_SHOWN])


def _versions(title: str, rows: list[Reached]) -> None:
    from ..formats import write

    _headed(title, rows)
    if rows:
        brief = [column for column in _columns() if column.name not in ("how", "because")]
        write(Form.TABLE, brief, [one.to_dict() for one in rows[:_SHOWN]])


def _headed(title: str, rows: list[Any]) -> None:
    from ..output import say

    if rows:
        typer.echo(f"\n{title}:")
    if len(rows) > _SHOWN:
        say(f"{len(rows) - _SHOWN} more in '{title}'; --json, or --format csv, has all.")


def _descent(roots: list[Reached], descends: list[Reached]) -> None:
    """The descent as trees, from the versions that something was made from."""
    from rich.tree import Tree

    from ..output import clean, console, say

    children: dict[tuple[str, int], list[Reached]] = {}
    for one in descends:
        assert one.parent is not None
        children.setdefault(one.parent, []).append(one)
    below = {one.version.version for one in descends}
    tops = {one.version.version: str(one.version) for one in roots if one.version.version in children}
    trees = _Trees(children)
    if tops:
        typer.echo("\nmade from these:")
    for version, name in tops.items():
        if version not in below and trees.left > 0:
            console().print(trees.grown(Tree(clean(name)), version, _DEPTH))
    if trees.left <= 0:
        say("More descends from these; --json has all.")


class _Trees:
    """Trees of descent, as many lines as somebody reads."""

    def __init__(self, children: Mapping[tuple[str, int], list[Reached]]) -> None:
        self._children = children
        self.left = _LINES

    def grown(self, tree: Tree, version: tuple[str, int], depth: int) -> Tree:
        """The tree with what was made from the version, down to so many generations."""
        from ..output import clean

        self.left -= 1
        for one in self._children.get(version, ()):
            if self.left <= 0 or not depth:
                self.left = 0
                break
            self.grown(tree.add(clean(str(one.version))), one.version.version, depth - 1)
        return tree
