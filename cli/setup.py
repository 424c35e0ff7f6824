"""Making a registry, and bringing its database up to date."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Json, session


def register(app: typer.Typer) -> None:
    """Add ``init`` and ``db upgrade``."""
    app.command()(init)
    database = typer.Typer(help="The registry's database.", no_args_is_help=True)
    database.command("upgrade")(upgrade)
    app.add_typer(database, name="db")


def init(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="The first admin's name.")] = "admin",
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="postgresql+psycopg://...; default: SQLite."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="s3://BUCKET/PREFIX?endpoint_url=...&region=... or a directory; default: the home.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a new registry and print its id.

    The identity is encrypted where REGISTRY_PASSPHRASE is set.

    Example: registry init --name alice
    """
    import os

    from registry.context import utc_now
    from registry.founding import init as found

    from .output import document, pairs, say

    here = session(context)
    secret = os.environ.get("REGISTRY_PASSPHRASE")
    made = found(
        here.home_path(),
        utc_now(),
        name=name,
        database=database,
        store=store,
        passphrase=secret.encode() if secret else None,
    )
    if json:
        document({"registry_id": made.registry_id, "name": made.name, "home": made.home, "keyid": made.keyid})
        return
    pairs(
        [
            ("registry id", made.registry_id),
            ("admin", f"{made.name} (key {made.keyid[:16]})"),
            ("home", made.home),
        ]
    )
    say("The registry id is the one thing that clients pin. Next: registry push model.onnx NAMESPACE/MODEL")


def upgrade(context: typer.Context, json: Json = False) -> None:
    """Bring the database to this program's schema, and derive its tables from the ledger again.

    Example: registry db upgrade
    """
    from registry.fsck import upgrade as bring

    from .output import document, pairs

    with session(context).open() as opened:
        before, after = bring(opened)
    if json:
        document({"from": before, "to": after})
    else:
        pairs([("schema", after), ("was", before if before != after else "the same")])
