"""Policies: setting them, showing them, and their history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from . import asking
from .options import Json, session

_NAMED = 3  # policies of a text that the history names


def register(app: typer.Typer) -> None:
    """Add ``policy`` with its commands."""
    policy = typer.Typer(help="Policies in Cedar: they narrow what grants allow.", no_args_is_help=True)
    policy.command("set")(put)
    policy.command()(show)
    policy.command()(history)
    policy.command("test")(asking.what_if)
    policy.command()(asking.explain)
    app.add_typer(policy, name="policy")


def put(context: typer.Context, file: Annotated[Path, asking.File], json: Json = False) -> None:
    """Set the policies, in place of all before; an empty file takes them all away.

    Example: registry policy set policies.cedar
    """
    from registry import policies

    from .output import document, pairs, say

    text = policies.read_text(file)
    with session(context).open() as opened:
        done = policies.put(opened, text)
    names = _names(text)
    if json:
        document({"policies": names, "seq": done.seq})
        return
    pairs([("in force", ", ".join(names) or "no policies"), ("ledger", f"entry {done.seq}")])
    if not names:
        say("The file holds no policy: what grants allow is allowed.")


def _names(text: str) -> list[str]:
    """The policies in a text. A text that an older program accepted may hold some that this one does not."""
    from registry.errors import InvalidPolicy
    from registry.policy.engine import Policies

    try:
        return list(Policies.parse(text).names)
    except InvalidPolicy:
        return ["(not valid any more)"]


def show(
    context: typer.Context,
    entry: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="The text that this ledger entry set.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the policies in force, or an earlier text, as they were set.

    Example: registry policy show
    """
    from registry import policies

    from .output import clean, document, say

    with session(context).open() as opened:
        text = policies.show(opened) if entry is None else _earlier(policies.history(opened), entry)
    if json:
        document({"policies": _names(text), "text": text})
    elif not text:
        say("No policies: what grants allow is allowed.")
    else:
        # A terminal must not be steered by it; a file gets it as it is, to be set again.
        sys.stdout.write("\t".join(map(clean, text.split("\t"))) if sys.stdout.isatty() else text)


def _earlier(found: list[dict[str, Any]], entry: int) -> str:
    from registry.errors import NotFound

    for one in found:
        if one["seq"] == entry:
            return str(one["text"])
    raise NotFound(
        "this entry of the ledger sets no policies", on=f"entry {entry}", hint="see 'registry policy history'"
    )


def history(context: typer.Context, json: Json = False) -> None:
    """List every text that was ever set, newest first; 'policy show --entry N' prints one.

    Example: registry policy history
    """
    from registry import policies

    from .output import document, say, table
    from .times import short

    with session(context).open() as opened:
        found = policies.history(opened)
    if json:
        document({"history": found})
        return
    if not found:
        say("No policies were ever set. Next: registry policy set FILE.cedar")
        return
    rows = [
        (
            one["seq"],
            short(one["time"])[:16],
            one["by"],
            _few(_names(one["text"])),
            "yes" if one["in_force"] else "",
        )
        for one in found
    ]
    table(("entry", "set (UTC)", "by", "policies", "in force"), rows, right=("entry",))


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more or "none"
