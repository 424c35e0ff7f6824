"""Members and teams."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .changes import Reencrypt
from .options import Json, session

Name = Annotated[str, typer.Argument(metavar="MEMBER", help="The member's name.")]
Team = Annotated[str, typer.Argument(metavar="TEAM", help="The team's name.")]


def register(app: typer.Typer) -> None:
    """Add ``member`` and ``team`` with their commands."""
    member = typer.Typer(help="The members of the registry.", no_args_is_help=True)
    member.command()(add)
    member.command("list")(list_members)
    member.command()(show)
    member.command()(disable)
    app.add_typer(member, name="member")
    team = typer.Typer(help="Members together: each has what the team is granted.", no_args_is_help=True)
    team.command("create")(create_team)
    team.command("add")(join)
    team.command("remove")(leave)
    team.command("list")(list_teams)
    app.add_typer(team, name="team")


def add(
    context: typer.Context,
    public: Annotated[
        Path, typer.Argument(metavar="FILE.pub", help="The public identity they gave you.", readable=False)
    ],
    role: Annotated[
        str,
        typer.Option(metavar="ROLE", help="member, admin (may do all), or auditor (reads no model)."),
    ] = "member",
    json: Json = False,
) -> None:
    """Enroll whoever made a public identity file. They can do nothing until they are granted something.

    Example: registry member add alice.pub --role member
    """
    from registry import members

    from . import changes
    from .output import document, pairs, say

    with session(context).open() as opened:
        done, found = members.add(opened, public, role)
    keyid = found.signing.keyid
    if json:
        who = {"name": found.name, "role": role, "keyid": keyid, "fingerprint": found.fingerprint}
        document({**who, **changes.fields(done)})
        return
    pairs(
        [
            ("member", found.name),
            ("role", role),
            ("key id", keyid),
            ("fingerprint", found.fingerprint),
            *changes.rows(done),
        ]
    )
    say(f"Compare the fingerprint with {found.name}, by a way that you trust, before you grant anything.")


def list_members(context: typer.Context, json: Json = False) -> None:
    """List everybody who was ever enrolled.

    Example: registry member list
    """
    from registry import members

    from .output import document, table

    with session(context).open() as opened:
        found = members.list_members(opened)
    if json:
        document({"members": found})
        return
    rows = [
        (one["name"], one["role"], one["state"], ", ".join(one["teams"]), (one["keyid"] or "")[:16])
        for one in found
    ]
    table(("member", "role", "state", "teams", "key"), rows)


def show(context: typer.Context, name: Name, json: Json = False) -> None:
    """Show a member, with every key they had.

    Example: registry member show alice
    """
    from registry import members

    from .output import document, pairs

    with session(context).open() as opened:
        found = members.show(opened, name)
    if json:
        document(found)
        return
    pairs(
        [
            ("member", found["name"]),
            ("role", found["role"]),
            ("state", found["state"]),
            ("teams", ", ".join(found["teams"])),
            ("enrolled", f"entry {found['enrolled']}"),
            ("disabled", f"entry {found['disabled']}" if found["disabled"] is not None else None),
        ]
    )
    for one in reversed(found["keys"]):
        typer.echo()
        counts = "" if one["keyid"] == found["keyid"] else ", counts no more"
        pairs(
            [
                ("key id", one["keyid"]),
                ("fingerprint", one["fingerprint"]),
                ("since", f"entry {one['since']}{counts}"),
            ]
        )


def disable(
    context: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    reencrypt: Reencrypt = False,
    json: Json = False,
) -> None:
    """End a member's access everywhere, at once and for good. What they signed before stays valid.

    Example: registry member disable alice --reason "left the company"
    """
    from registry import members

    from . import changes
    from .output import document, pairs

    with session(context).open() as opened:
        done = members.disable(opened, name, reason, reencrypt=reencrypt)
    if json:
        document({"name": name, "reason": reason, **changes.fields(done)})
        return
    pairs([("disabled", name), ("reason", reason), *changes.rows(done, reencrypt=reencrypt)])
    changes.warn(done)


def create_team(context: typer.Context, team: Team, json: Json = False) -> None:
    """Make a team, with nobody in it yet.

    Example: registry team create vision-team
    """
    from registry import members

    from . import changes
    from .output import document, pairs

    with session(context).open() as opened:
        done = members.create_team(opened, team)
    if json:
        document({"team": team, **changes.fields(done)})
    else:
        pairs([("team", team), *changes.rows(done)])


def join(context: typer.Context, team: Team, name: Name, json: Json = False) -> None:
    """Take a member into a team: they may do, and can open, what the team may.

    Example: registry team add vision-team alice
    """
    from registry import members

    from . import changes
    from .output import document, pairs

    with session(context).open() as opened:
        done = members.join_team(opened, team, name)
    if json:
        document({"team": team, "name": name, **changes.fields(done)})
    else:
        pairs([("team", team), ("has now", name), *changes.rows(done)])


def leave(
    context: typer.Context, team: Team, name: Name, reencrypt: Reencrypt = False, json: Json = False
) -> None:
    """Take a member out of a team; every vault that the team can open begins anew.

    Example: registry team remove vision-team alice
    """
    from registry import members

    from . import changes
    from .output import document, pairs

    with session(context).open() as opened:
        done = members.leave_team(opened, team, name, reencrypt=reencrypt)
    if json:
        document({"team": team, "name": name, **changes.fields(done)})
        return
    pairs([("team", team), ("without", name), *changes.rows(done, reencrypt=reencrypt)])
    changes.warn(done)


def list_teams(context: typer.Context, json: Json = False) -> None:
    """List the teams, and who is in them.

    Example: registry team list
    """
    from registry import members

    from .output import document, say, table

    with session(context).open() as opened:
        found = members.list_teams(opened)
    if json:
        document({"teams": found})
    elif found:
        table(("team", "members"), [(one["team"], ", ".join(one["members"])) for one in found])
    else:
        say("No teams yet. Next: registry team create TEAM")
