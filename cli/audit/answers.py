"""What the ready questions share: how rows, and what is left out of them, are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ..formats import Column, Form

Row = Mapping[str, Any]
Limit = Annotated[int, typer.Option(min=0, metavar="N", help="How many rows at most; 0 for all.")]
LIMIT = 100  # rows, unless somebody says otherwise
_MINUTE = 16  # characters of a time


def past(text: str | None, now: datetime) -> datetime | None:
    """A time, or a span back from ``now``. Raises InvalidInput."""
    from ..times import moment

    if text is None:
        return None
    found = moment(text, now)
    return now - (found - now) if text[:-1].isdigit() else found


def put(
    columns: Sequence[Column],
    rows: Sequence[Row],
    form: Form,
    output: Path | None,
    *,
    nothing: str,
    more: int = 0,
) -> None:
    """Write the rows of an answer; say on stderr where there are none, or more than these."""
    from ..formats import write
    from ..output import say

    if rows or form is not Form.TABLE or output is not None:
        write(form, columns, rows, output)
    if not rows:
        say(nothing)
    if more:
        say(f"{more} more not shown; --limit 0 shows all.")


def time(name: str) -> Callable[[Row], object]:
    """A recorded time as people read it, to the minute; nothing where there is none."""
    return lambda row: minute(row[name])


def minute(text: str | None) -> str:
    """A recorded time to the minute, in UTC."""
    return (text or "")[:_MINUTE].replace("T", " ")


def event_columns() -> list[Column]:
    """The columns of events. Times are in UTC."""
    return [
        Column("seq", "number", "entry"),
        Column("time", heading="time (UTC)", show=time("time")),
        Column("actor", heading="who"),
        Column("key"),
        Column("action", heading="did", show=deed),
        Column("on", heading="on", show=place),
        Column("version", "number"),
        Column("outcome"),
        Column("code"),
        Column("detail", heading="detail", show=lambda row: _words(row["detail"])),
        Column("purpose"),
        Column("program"),
        Column("host", heading="host", wide=True),
        Column("digest"),
    ]


def deed(row: Row) -> str:
    """What was done; where it was not allowed, what came of it."""
    action = str(row["action"]) or "something"
    return action if row["outcome"] == "allowed" else f"{action} ({row['outcome']})"


def place(row: Row) -> str:
    """On what, with the version where there is one."""
    return f"{row['on']}:{row['version']}" if row["version"] else str(row["on"])


def _words(text: str) -> str:
    from ..times import short

    return short(text)
