"""Ready questions to the ledger: about models, members, refusals and rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..formats import Column, Form, Format, Output
from ..options import Json, session
from . import people, radius
from .answers import LIMIT, Limit, event_columns, past, put, time

if TYPE_CHECKING:
    from registry.audit.questions import History

_ALL = 4  # actions
_BEGINNING = "a date or time, or a span back from now such as 30d"

Place = Annotated[
    str, typer.Argument(metavar="REF|NAMESPACE/", help="A model, a version of it, or a whole namespace.")
]
Model = Annotated[str, typer.Argument(metavar="REF", help="A model, or one version of it.")]


def register(app: typer.Typer) -> None:
    """Add the questions."""
    app.command("who-can")(who_can)
    app.command("who-pulled")(who_pulled)
    app.command()(history)
    app.command()(people.member)
    app.command()(denied)
    app.command("stale-grants")(stale_grants)
    app.command("blast-radius")(radius.blast_radius)


def who_can(
    context: typer.Context,
    ref: Place,
    form: Format = Form.TABLE,
    output: Output = None,
    json: Json = False,
) -> None:
    """Who may do what with a model now, and why: as an admin, by a grant, or by a team's.

    Example: registry audit who-can vision/resnet50
    """
    from registry.audit.questions import who_can as ask

    from ..output import document, say

    with session(context).open() as opened:
        found = ask(opened, ref)
    if json:
        named = {"policies": found.policies, "yanked": found.yanked}
        document({"place": found.place, **named, "who": found.rows})
        return
    columns = [
        Column("member", heading="member"),
        Column("actions", "texts", "may", _actions),
        Column("on", heading="on"),
        Column("because", heading="because"),
        Column("until", heading="until (UTC)", show=time("until")),
    ]
    put(columns, found.rows, form, output, nothing="Nobody may do anything there.")
    if found.yanked is not None:
        say(f"The version is yanked, and is given to nobody: {found.yanked}")
    if found.policies:
        say("Policies are in force, and may forbid some of it: 'registry policy explain' asks them.")


def _actions(row: Any) -> str:
    return "everything" if len(row["actions"]) == _ALL else ", ".join(row["actions"])


def who_pulled(
    context: typer.Context,
    ref: Model,
    limit: Limit = LIMIT,
    form: Format = Form.TABLE,
    output: Output = None,
    json: Json = False,
) -> None:
    """Who was given a model's keys: how often, which version, first and last, what for and where.

    Purpose and host are those of the last pull, as the member's program said.

    Example: registry audit who-pulled vision/resnet50:3
    """
    from registry.audit.questions import who_pulled as ask

    from ..output import document

    with session(context).open() as opened:
        found = ask(opened, ref, limit)
    if json:
        document({"pulls": found.rows, "more": found.more})
        return
    columns = [
        Column("member", heading="member"),
        Column("version", heading="version"),
        Column("pulls", "number", "pulls"),
        Column("first", heading="first (UTC)", show=time("first"), wide=True),
        Column("last", heading="last (UTC)", show=time("last")),
        Column("purpose", heading="purpose", wide=True),
        Column("host", heading="host", wide=True),
        Column("entry", "number", "entry"),
    ]
    put(columns, found.rows, form, output, nothing="Nobody has pulled it.", more=found.more)


def history(
    context: typer.Context,
    ref: Model,
    limit: Limit = LIMIT,
    form: Format = Form.TABLE,
    output: Output = None,
    json: Json = False,
) -> None:
    """What happened to a model, oldest first: pushes, aliases, grants, refusals. Pulls are counted only.

    For a whole model what was granted on its namespace is there, too.

    Example: registry audit history vision/resnet50
    """
    from registry.audit.questions import history as ask

    from ..output import document, say

    with session(context).open() as opened:
        found = ask(opened, ref, limit)
    if json:
        pulls = {"count": found.pulls, "members": found.pullers, "last": found.last_pull}
        document({"history": found.rows, "more": found.more, "pulls": pulls})
        return
    put(event_columns(), found.rows, form, output, nothing="Nothing but pulls.")
    if found.more:
        say(f"{found.more} older not shown; --limit 0 shows all.")
    (typer.echo if form is Form.TABLE and output is None else say)(_pulls(found))


def _pulls(found: History) -> str:
    from ..times import short

    if not found.pulls:
        return "pulls: none"
    return f"pulls: {found.pulls}, by {found.pullers} member(s), the last {short(found.last_pull or '')} UTC"


def denied(
    context: typer.Context,
    since: Annotated[str, typer.Option(metavar="TIME", help=f"From when on: {_BEGINNING}.")] = "30d",
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before when.")] = None,
    member: Annotated[str | None, typer.Option(metavar="NAME", help="Only attempts of this member.")] = None,
    on: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Only on this namespace/, model, version or member.")
    ] = None,
    code: Annotated[str | None, typer.Option(metavar="CODE", help="Only with this error code.")] = None,
    limit: Limit = LIMIT,
    form: Format = Form.TABLE,
    output: Output = None,
    json: Json = False,
) -> None:
    """What was refused, newest first: one row for all attempts of one member at the same thing.

    Example: registry audit denied --since 30d
    """
    from registry.audit.denials import Refused
    from registry.audit.denials import denied as ask

    from ..output import document

    with session(context).open() as opened:
        now = opened.now()
        asked = Refused(past(since, now), past(until, now), member, on, code)
        found = ask(opened, asked, limit)
    if json:
        document({"denied": found.rows, "more": found.more})
        return
    columns = [
        Column("member", heading="who", show=lambda row: row["member"] or "(unknown)"),
        Column("action", heading="tried"),
        Column("on", heading="on"),
        Column("code", heading="refused as", show=lambda row: row["code"] or "(counted only)"),
        Column("attempts", "number", "times"),
        Column("first", heading="first (UTC)", show=time("first"), wide=True),
        Column("last", heading="last (UTC)", show=time("last")),
        Column("why", heading="why", wide=True),
        Column("entry", "number", "entry", wide=True),
    ]
    put(columns, found.rows, form, output, nothing="Nothing was refused.", more=found.more)


def stale_grants(
    context: typer.Context,
    days: Annotated[
        int, typer.Option(min=1, max=36_500, metavar="N", help="Unused for so many days at least.")
    ] = 90,
    limit: Limit = LIMIT,
    form: Format = Form.TABLE,
    output: Output = None,
    json: Json = False,
) -> None:
    """Rights that stand and that nobody used for long, the longest unused first; admins who did nothing, too.

    A team's right is used by any of its members.

    Example: registry audit stale-grants --days 90
    """
    from registry.audit.stale import stale_grants as ask

    from ..output import document

    with session(context).open() as opened:
        found = ask(opened, days, limit)
    if json:
        document({"unused": found.rows, "days": days, "more": found.more})
        return
    columns = [
        Column("grantee", heading="who", show=_grantee),
        Column("kind"),
        Column("action", heading="may"),
        Column("on", heading="on", show=lambda row: "everything" if row["on"] == "/" else row["on"]),
        Column("granted", heading="since (UTC)", show=time("granted"), wide=True),
        Column("granted_by", heading="by", wide=True),
        Column("until", heading="until (UTC)", show=time("until")),
        Column("last_used", heading="last used (UTC)", show=lambda row: time("last_used")(row) or "never"),
        Column("last_used_by"),
        Column("days", "number", "days"),
        Column("entry", "number"),
    ]
    put(columns, found.rows, form, output, nothing="No right is unused for so long.", more=found.more)


def _grantee(row: Any) -> str:
    return f"{row['grantee']} (team)" if row["kind"] == "team" else str(row["grantee"])
