"""Searching the audit ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..formats import Column, Form, Format, Output, Row
from ..options import Json, session
from ..times import FORMS

if TYPE_CHECKING:
    from registry.audit.query import Query
    from registry.audit.search import Page
    from registry.context import Context

_LIMIT = 50  # acts on a page
_UNKNOWN = "(unknown)"
_PLACES = "NS/, NS/MODEL[:VERSION|:LABEL|:ALIAS], a member or a team."


def register(app: typer.Typer) -> None:
    """Add ``search``."""
    app.command()(search)


def search(
    context: typer.Context,
    actor: Annotated[
        str, typer.Option(metavar="NAME", help="Who acted; '-' for callers whom no signature proves.")
    ] = "",
    team: Annotated[str, typer.Option(metavar="NAME", help="By whoever was in this team then.")] = "",
    action: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Such as pull or grant; may be given again.")
    ] = None,
    on: Annotated[str, typer.Option(metavar="PLACE", help=f"On what: {_PLACES}")] = "",
    outcome: Annotated[str, typer.Option(metavar="allowed|refused|failed|CODE", help="How it ended.")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help=f"From then on: {FORMS} (so long ago).")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Before then.")] = "",
    digest: Annotated[
        str, typer.Option(metavar="HEX", help="Of an act, a version or a file; 8 digits or more.")
    ] = "",
    version: Annotated[int | None, typer.Option(min=1, metavar="N", help="The version's number.")] = None,
    text: Annotated[
        str, typer.Option(metavar="TEXT", help="In names, reasons, purposes, metadata, programs and hosts.")
    ] = "",
    sort: Annotated[
        Literal["time", "actor", "action", "on"],
        typer.Option(help="By time is the ledger's order, newest first: clocks may be wrong."),
    ] = "time",
    reverse: Annotated[bool, typer.Option("--reverse", help="Backwards: the oldest first.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="N", help=f"At most so many, 0 for all; by default {_LIMIT}.")
    ] = None,
    after: Annotated[str, typer.Option(metavar="CURSOR", help="Go on where a page ended.")] = "",
    count: Annotated[bool, typer.Option("--count", help="Only how many there are.")] = False,
    group_by: Annotated[
        Literal["actor", "action", "model", "day"] | None,
        typer.Option("--group-by", help="Count them by this."),
    ] = None,
    form: Format = Form.TABLE,
    output: Output = None,
    json: Json = False,
) -> None:
    """Search the audit ledger; all filters given must hold.

    Auditors and admins see every act, everybody else those that concern them and their
    own models. A page ends with a cursor on stderr: with --after and the same filters
    the next one follows, whatever happened meanwhile.

    Example: registry audit search --action pull --on vision/ --outcome refused --since 30d
    """
    from registry.audit.query import Query

    _agree(json, form, output, after, count, group_by)
    with session(context).open() as opened:
        now = opened.now()
        query = Query(
            actor=actor,
            team=team,
            actions=tuple(action or ()),
            on=on,
            outcome=outcome,
            since=_past(since, now),
            until=_past(until, now),
            digest=digest,
            version=version,
            text=text,
            sort=sort,
            reverse=reverse,
            spoken=f"{since} {until}" if since or until else "",
        )
        if count:
            _count(opened, query, form, output, json)
        elif group_by is not None:
            _groups(opened, query, group_by, limit or 0, form, output, json)
        else:
            _acts(opened, query, _LIMIT if limit is None else limit, after, form, output, json)


def _agree(
    json: bool, form: Form, output: Path | None, after: str, count: bool, group_by: str | None
) -> None:
    if json and (form is not Form.TABLE or output):
        raise typer.BadParameter("--json is a form of its own; use --format jsonl", param_hint="--json")
    if count and group_by:
        raise typer.BadParameter("--group-by counts already", param_hint="--count")
    if after and (count or group_by):
        raise typer.BadParameter("there are no pages of counts", param_hint="--after")


def _past(text: str, now: datetime) -> datetime | None:
    """A time; a span is so long ago."""
    from ..times import moment

    if not text:
        return None
    found = moment(text, now)
    return now - (found - now) if text[:-1].isdigit() and text[-1].isalpha() else found


def _count(opened: Context, query: Query, form: Form, output: Path | None, json: bool) -> None:
    from registry.audit.search import count

    from .. import formats
    from ..output import document

    found = {"acts": count(opened, query)}
    if json:
        document(found)
    elif form is Form.TABLE and output is None:
        typer.echo(found["acts"])
    else:
        formats.write(form, [Column("acts", "number", "acts")], [found], output)


def _groups(
    opened: Context, query: Query, by: Any, limit: int, form: Form, output: Path | None, json: bool
) -> None:
    from registry.audit.search import group

    from .. import formats
    from ..output import document, say

    groups = group(opened, query, by)
    found = [{by: one.value, "acts": one.acts, "not_allowed": one.not_allowed} for one in groups]
    found = found[:limit] if limit else found
    if json:
        document({"by": by, "groups": found})
        return
    nothing = "(no model)" if by == "model" else _UNKNOWN
    columns = [
        Column(by, heading=by, show=lambda row: row[by] or nothing),
        Column("acts", "number", "acts"),
        Column("not_allowed", "number", "not allowed"),
    ]
    if not formats.write(form, columns, found, output):
        say("No act matches.")


def _acts(
    opened: Context, query: Query, limit: int, after: str, form: Form, output: Path | None, json: bool
) -> None:
    from registry.audit.search import stream

    from .. import formats
    from ..output import document, say

    pages = _Pages(stream(opened, query, limit=limit, after=after))
    if json:
        acts = list(pages)
        document({"acts": acts, "next": pages.next or None, "size": pages.size})
        return
    if not formats.write(form, _columns(), pages, output):
        say("No act matches.")
    if pages.next:
        say(f"More: add --after {pages.next}")


class _Pages:
    """The acts of pages as they come, and the cursor after the last one."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = pages
        self.next, self.size = "", 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for page in self._pages:
            self.next, self.size = page.next, page.size
            for one in page.events:
                yield one.to_dict()


def _columns() -> list[Column]:
    """All that is known of an act, and what of it a table shows."""
    return [
        Column("seq", "number", "entry"),
        Column("time", heading="time (UTC)", show=lambda row: row["time"][:16].replace("T", " ")),
        Column("actor", heading="actor", show=lambda row: row["actor"] or _UNKNOWN),
        Column("key"),
        Column("action", heading="action", show=_action),
        Column("on", heading="on", show=_place),
        Column("version", "number"),
        Column("outcome"),
        Column("code"),
        Column("host", heading="from", wide=True),
        Column("program"),
        Column("purpose"),
        Column("detail", heading="detail"),
        Column("digest"),
    ]


def _action(row: Row) -> str:
    """What was done, or tried, and how that ended where it did not go well."""
    if row["outcome"] == "allowed":
        return str(row["action"])
    return f"{row['action'] or 'an act'} ({row['code'] or row['outcome']})"


def _place(row: Row) -> str:
    return f"{row['on']}:{row['version']}" if row["version"] else row["on"]
