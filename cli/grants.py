"""Who may do what: granting, revoking, asking, and new keys for a vault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .changes import Reencrypt
from .options import Json, session
from .times import FORMS

if TYPE_CHECKING:
    from registry.context import Context

Grantee = Annotated[str, typer.Argument(metavar="MEMBER|TEAM", help="Who.")]
Actions = Annotated[
    str, typer.Argument(metavar="ACTIONS", help="pull, push, promote, grant; several with commas between.")
]
Target = Annotated[
    str, typer.Argument(metavar="NAMESPACE/|NAMESPACE/MODEL", help="On all of a namespace, or on one model.")
]


def register(app: typer.Typer) -> None:
    """Add ``grant``, ``revoke``, ``grants`` and ``rotate``."""
    app.command()(grant)
    app.command()(revoke)
    app.command("grants")(list_grants)
    app.command()(rotate)


def grant(
    context: typer.Context,
    grantee: Grantee,
    actions: Actions,
    target: Target,
    until: Annotated[str | None, typer.Option(metavar="TIME", help=f"When it ends: {FORMS}.")] = None,
    json: Json = False,
) -> None:
    """Allow a member or a team to pull, push, promote (move aliases, yank) or grant.

    'pull' and 'grant' come with the keys: whoever may grant can read. A member with
    'push' alone publishes, and reads nothing. A grant on a namespace covers models
    that come later.

    Example: registry grant alice pull,push vision/ --until 30d
    """
    from registry import access
    from registry.acts import timestamp

    from . import changes
    from .output import document, pairs
    from .times import moment, short

    with session(context).open() as opened:
        wanted = _actions(actions)
        end = timestamp(moment(until, opened.now())) if until is not None else None
        done = access.grant(opened, grantee, wanted, target, end)
    if json:
        document({**_said(grantee, wanted, target), "until": end, **changes.fields(done)})
        return
    pairs(
        [
            ("granted", f"{', '.join(wanted)} on {target}"),
            ("to", grantee),
            ("until", f"{short(end)} UTC" if end else None),
            *changes.rows(done),
        ]
    )


def revoke(
    context: typer.Context,
    grantee: Grantee,
    actions: Actions,
    target: Target,
    reencrypt: Reencrypt = False,
    json: Json = False,
) -> None:
    """Take a grant back. Where the grantee could read, the keys of what they could open are replaced.

    Example: registry revoke alice pull vision/
    """
    from registry import access

    from . import changes
    from .output import document, pairs, say

    with session(context).open() as opened:
        wanted = _actions(actions)
        done = access.revoke(opened, grantee, wanted, target, reencrypt=reencrypt)
        still = [one for one in _left(opened, grantee, target) if one["action"] in wanted]
    if json:
        document({**_said(grantee, wanted, target), "still": still, **changes.fields(done)})
        return
    pairs(
        [
            ("revoked", f"{', '.join(wanted)} on {target}"),
            ("from", grantee),
            *changes.rows(done, reencrypt=reencrypt),
        ]
    )
    changes.warn(done)
    for one in still:
        say(f"{one['member']} may still {one['action']} there: {'; '.join(one['why'])}")


def _actions(text: str) -> tuple[str, ...]:
    from registry import access

    return access.ordered(word.strip() for word in text.split(",") if word.strip())


def _said(grantee: str, actions: tuple[str, ...], target: str) -> dict[str, Any]:
    return {"grantee": grantee, "actions": list(actions), "target": target}


def _left(opened: Context, grantee: str, target: str) -> list[dict[str, Any]]:
    """What a grantee may do all the same, as an admin or by another grant."""
    from registry import access

    return access.effective(opened, grantee, target)


def list_grants(
    context: typer.Context,
    member: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this member or team.")] = None,
    on: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Only on this namespace/, or model.")
    ] = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="Who may do what now, and why: roles and teams counted in.")
    ] = False,
    json: Json = False,
) -> None:
    """List the grants that stand; with --effective, answer who may do what, and why.

    Example: registry grants --on vision/resnet50 --effective
    """
    from registry import access

    from .output import document

    place = _place(on) if on is not None else None
    with session(context).open() as opened:
        found = (access.effective if effective else access.grants)(opened, member, place)
    if json:
        document({"effective" if effective else "grants": found})
    elif effective:
        _show_effective(found)
    else:
        _show_standing(found)


def _place(text: str) -> str:
    """A namespace or a model; of a version's reference the model."""
    from registry import refs

    return refs.parse(text).model if ":" in text or "@" in text else text


def _show_standing(found: list[dict[str, Any]]) -> None:
    from .output import say, table
    from .times import short

    if not found:
        say("No such grant. --effective counts in roles, teams, and grants on the whole namespace.")
        return
    rows = [
        (
            one["grantee"] + (" (team)" if one["kind"] == "team" else ""),
            one["action"],
            one["target"],
            short(one["until"] or "") + (" (ended)" if one["state"] == "ended" else ""),
            one["seq"],
        )
        for one in found
    ]
    table(("grantee", "may", "on", "until (UTC)", "entry"), rows, right=("entry",))


def _show_effective(found: list[dict[str, Any]]) -> None:
    from .output import say, table

    if found:
        table(("member", "may", "on", "because"), _together(found))
    else:
        say("Nothing is allowed there.")


def _together(found: list[dict[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """One row for the actions that a member may do at one place for the same reason."""
    from registry.acts import ACTIONS

    from .times import short

    rows: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        because = short("; ".join(one["why"]))
        rows.setdefault((one["member"], one["target"], because), []).append(one["action"])
    for (member, target, because), actions in rows.items():
        yield member, "everything" if len(actions) == len(ACTIONS) else ", ".join(actions), target, because


def rotate(
    context: typer.Context,
    vault: Annotated[str, typer.Argument(metavar="NAMESPACE/|MODEL|TEAM", help="Whose keys begin anew.")],
    reencrypt: Reencrypt = False,
    json: Json = False,
) -> None:
    """Begin a vault anew: a new key pair for those who may read, and everything sealed to it again.

    Example: registry rotate vision/resnet50
    """
    from registry import access

    from . import changes
    from .output import document, pairs

    with session(context).open() as opened:
        done = access.rotate(opened, vault, reencrypt=reencrypt)
    if json:
        document({"vault": vault, **changes.fields(done)})
    else:
        pairs(changes.rows(done, reencrypt=reencrypt))
