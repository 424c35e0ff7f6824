"""One member, with all that is on record about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..formats import Column, Form, Format, Output
from ..options import Json, session
from .answers import deed, minute, put, time

if TYPE_CHECKING:
    from registry.audit.dossier import Dossier

_SHOWN = 15  # rows of a section, for people

Name = Annotated[str, typer.Argument(metavar="MEMBER", help="The member's name.")]


def member(
    context: typer.Context, name: Name, form: Format = Form.TABLE, output: Output = None, json: Json = False
) -> None:
    """All about a member: keys, teams, what they may do, what they did and from where, what was done to them.

    The other formats write what they did, counted; --json has everything.

    Example: registry audit member alice
    """
    from registry.audit.dossier import member as ask

    from ..output import document

    with session(context).open() as opened:
        found = ask(opened, name)
    if json:
        document(_told(found))
    elif form is Form.TABLE and output is None:
        _show(found)
    else:
        put(_did(), found.did, form, output, nothing="They did nothing yet.")


def _told(found: Dossier) -> dict[str, Any]:
    may = [vars(one) for one in found.may]
    named = {name: getattr(found, name) for name in ("keys", "teams", "did", "hosts", "about", "recent")}
    return {**found.member, **named, "may": may, "acts": found.acts}


def _did() -> list[Column]:
    return [
        Column("action", heading="did", show=deed),
        Column("on", heading="on"),
        Column("outcome"),
        Column("acts", "number", "times"),
        Column("first", heading="first (UTC)", show=time("first"), wide=True),
        Column("last", heading="last (UTC)", show=time("last")),
        Column("entry", "number", "entry"),
    ]


def _show(found: Dossier) -> None:
    from ..output import pairs

    one = found.member
    pairs(
        [
            ("member", one["name"]),
            ("role", one["role"]),
            ("state", one["state"]),
            ("teams", ", ".join(one["teams"])),
            ("acts", f"{found.acts} on record"),
        ]
    )
    _section("keys", ("key", "from (UTC)", "to (UTC)"), [_key(key) for key in found.keys])
    stays = [
        (stay["team"], *_bounds(stay))
        for stay in found.teams
        if stay["until"] is not None or not one["teams"]
    ]
    _section("teams they left", ("team", "from (UTC)", "to (UTC)"), stays)
    may = [(one.action, _everything(one.target), one.grantee, minute(one.until)) for one in found.may]
    _section("may", ("may", "on", "by a grant to", "until (UTC)"), may)
    did = [
        (deed(row), row["on"], row["acts"], minute(row["first"]), minute(row["last"])) for row in found.did
    ]
    _section("did", ("did", "on", "times", "first (UTC)", "last (UTC)"), did)
    hosts = [(row["host"], row["program"], row["acts"], minute(row["last"])) for row in found.hosts]
    _section(f"from (last {len(found.recent)} acts)", ("host", "program", "acts", "last (UTC)"), hosts)
    about = [
        (row["seq"], minute(row["time"]), row["actor"], deed(row), row["on"], row["detail"])
        for row in found.about
    ]
    _section("what others did about them", ("entry", "time (UTC)", "who", "did", "on", "detail"), about)


def _key(key: dict[str, Any]) -> tuple[str, str, str]:
    return (key["keyid"], *_bounds(key))


def _bounds(one: dict[str, Any]) -> tuple[str, str]:
    return minute(one["since"]), minute(one["until"])


def _everything(target: str) -> str:
    return "everything" if target == "/" else target


def _section(title: str, headings: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A headed table of the newest rows, where there are any."""
    from ..output import say, table
    from ..times import short

    if not rows:
        return
    typer.echo(f"\n{title}:")
    shown = [tuple(short(cell) if isinstance(cell, str) else cell for cell in row) for row in rows[:_SHOWN]]
    table(headings, shown, right=("entry", "times", "acts"))
    if len(rows) > _SHOWN:
        say(f"{len(rows) - _SHOWN} more in '{title}'; --json has all.")
