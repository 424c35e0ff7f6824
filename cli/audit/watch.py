"""Following the ledger, and telling of what the rules name."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Json, session

if TYPE_CHECKING:
    from registry.audit.watch.reports import Deliver, Report
    from registry.audit.watch.watching import Round, Watch
    from registry.context import Context
    from registry.errors import RegistryError

_SECRET = "REGISTRY_WEBHOOK_SECRET"


def register(audit: typer.Typer) -> None:
    """Add ``watch``."""
    audit.command()(watch)


def watch(
    context: typer.Context,
    rules: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rules in Cedar; by default those that ship."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Post each report there, signed (Standard Webhooks).")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"The webhook's secret, where it is not in {_SECRET}."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Look once at what is new, and end.")] = False,
    interval: Annotated[
        float,
        typer.Option(min=0.1, max=86_400, metavar="SECONDS", help="How long between two looks."),
    ] = 5,
    zone: Annotated[
        str, typer.Option(metavar="TZ", help="The zone in which rules count hours, like Europe/Berlin.")
    ] = "UTC",
    start: Annotated[
        int | None,
        typer.Option("--from", min=0, metavar="SEQ", help="Begin at this entry, and forget the time before."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to keep how far it came, if not in the home."),
    ] = None,
    show_rules: Annotated[bool, typer.Option("--show-rules", help="Print the rules and end.")] = False,
    json: Json = False,
) -> None:
    """Follow the ledger, and report what matches the rules: night pulls, new grants, failures, forks.

    Every entry is verified before it is believed. The first time, the watch begins with the next entry that
    comes; then it goes on where it was. With --json every report is one line of JSON, with --json --once all
    of them are one document.

    Example: registry audit watch --webhook https://alerts.example.com/hallmark --zone Europe/Berlin
    """
    from registry.audit.watch.rules import SHIPPED, Rules
    from registry.audit.watch.state import NAME, alone
    from registry.audit.watch.watching import Watch

    if show_rules:
        _show(rules or SHIPPED, json)
        return
    loaded, hours = Rules.load(rules), _zone(zone)
    with session(context).open() as opened:
        found: list[Report] = []
        deliver = _delivering(_printer(found, once=once, json=json), _hook(opened, webhook, secret_file))
        path = state or opened.paths.home / NAME
        with alone(path):
            watcher = Watch(opened, loaded, deliver, path, zone=hours, start=start)
            if once:
                _once(watcher, found, json=json)
            else:
                _follow(watcher, interval)


def _show(path: Path, json: bool) -> None:
    from registry import disk
    from registry.audit.watch.rules import Rules
    from registry.policy.text import LIMIT

    from ..output import clean, document

    text = disk.read(path, LIMIT).decode("utf-8", "replace")
    loaded = Rules.load(path).rules
    if json:
        named = [{"id": one.name, "severity": one.severity, "say": one.say} for one in loaded]
        document({"rules": named, "text": text})
    else:
        typer.echo(clean(text).rstrip("\n"))


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    from registry.errors import InvalidInput

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise InvalidInput("there is no such time zone", on=repr(name), hint="like Europe/Berlin") from error


def _hook(context: Context, url: str | None, file: Path | None) -> Deliver | None:
    from registry.audit.watch.webhook import Webhook, read_secret, secret_file
    from registry.errors import InvalidInput

    if url is None:
        if file is not None:
            raise InvalidInput("a secret is for a webhook", hint="give its URL with --webhook")
        return None
    given = os.environ.get(_SECRET, "")
    if file is None and not given:
        hint = f"set {_SECRET} (whsec_...), or give --secret-file"
        raise InvalidInput("reports are signed: a webhook needs a secret", hint=hint)
    key = secret_file(file) if file is not None else read_secret(given)
    return Webhook(url, key, context.now, threading.Event().wait)


def _delivering(first: Deliver, then: Deliver | None) -> Deliver:
    def deliver(report: Report) -> None:
        if then is not None:
            then(report)
        first(report)

    return deliver


def _printer(found: list[Report], *, once: bool, json: bool) -> Deliver:
    def collect(report: Report) -> None:
        found.append(report)

    return collect if once and json else _print_json if json else _print


def _print_json(report: Report) -> None:
    import json

    typer.echo(json.dumps(report.to_dict()))


def _print(report: Report) -> None:
    from ..output import clean
    from ..times import short

    entry = f" (entry {report.event.seq})" if report.event.digest else ""
    said = clean(report.say).replace("\n", " ")
    typer.echo(f"{short(report.time)}  {report.severity:<8}  {report.rule}: {said}{entry}")


def _once(watcher: Watch, found: list[Report], *, json: bool) -> None:
    from ..output import document

    done = watcher.round()
    if json:
        document({"ok": done.trouble is None, "entries": done.end - done.begin, **_told(found)})
        if done.trouble is not None:
            raise typer.Exit(done.trouble.exit_code)
    elif done.trouble is not None:
        raise done.trouble


def _told(found: list[Report]) -> dict[str, object]:
    return {"reports": [one.to_dict() for one in found]}


def _follow(watcher: Watch, interval: float) -> None:
    """Round after round, until somebody interrupts. What fails is said once, and tried again."""
    said, wait = "", threading.Event().wait
    try:
        while True:
            said = _round(watcher.round, said)
            wait(interval)
    except KeyboardInterrupt:
        return


def _round(round: Callable[[], Round], said: str) -> str:
    """One round; what was complained of."""
    from registry.errors import Unavailable

    try:
        trouble: RegistryError | None = round().trouble
    except Unavailable as error:
        trouble = error
    complaint = str(trouble) if trouble else ""
    if trouble is not None and complaint != said:
        _complain(trouble)
    return complaint


def _complain(trouble: RegistryError) -> None:
    from ..output import complaint, say

    for line in complaint(trouble):
        say(line)
