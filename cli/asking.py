"""What the policies say, and would say: ``policy test`` and ``policy explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, session
from .times import FORMS

if TYPE_CHECKING:
    from registry.policies import Answer, Question

File = typer.Argument(metavar="FILE.cedar", help="Cedar text under the registry's schema.", readable=False)
Member = Annotated[str, typer.Option("--as", metavar="MEMBER", help="Who would do it.")]
Action = Annotated[str, typer.Option(metavar="ACTION", help="pull, push, promote, attest or grant.")]
On = Annotated[str, typer.Option(metavar="REF", help="The version; for grant a namespace/ or a model.")]
Purpose = Annotated[str | None, typer.Option(metavar="P", help="The purpose of a pull.")]
AliasName = Annotated[str | None, typer.Option("--alias", metavar="A", help="The alias that would move.")]
Time = Annotated[str | None, typer.Option(metavar="T", help=f"When: {FORMS}; default: now.")]
Program = Annotated[str | None, typer.Option("--client", metavar="PROGRAM", help="The program that asks.")]
Host = Annotated[str | None, typer.Option(metavar="HOST", help="The machine that asks.")]
Grantee = Annotated[str | None, typer.Option(metavar="NAME", help="For grant: to whom.")]
Grants = Annotated[str | None, typer.Option(metavar="ACTIONS", help="For grant: which actions.")]


def what_if(
    context: typer.Context,
    member: Member,
    action: Action,
    on: On,
    file: Annotated[Path | None, File] = None,
    purpose: Purpose = None,
    alias: AliasName = None,
    time: Time = None,
    program: Program = None,
    host: Host = None,
    grantee: Grantee = None,
    grants: Grants = None,
    json: Json = False,
) -> None:
    """Ask what would be: grants as they are, with FILE in place of the policies in force.

    Exits with 0 where it would be allowed, with 4 where not.

    Example: registry policy test policies.cedar --as alice --action pull --on vision/resnet50:3
    """
    from registry import policies

    text = policies.read_text(file) if file is not None else None
    question = _question(member, action, on, purpose, alias, time, program, host, grantee, grants)
    answer = _ask(context, question, text)
    _tell(answer, json)
    if not answer.allowed:
        raise typer.Exit(4)


def explain(
    context: typer.Context,
    member: Member,
    action: Action,
    on: On,
    purpose: Purpose = None,
    alias: AliasName = None,
    time: Time = None,
    program: Program = None,
    host: Host = None,
    grantee: Grantee = None,
    grants: Grants = None,
    json: Json = False,
) -> None:
    """Say whether a member may do something, which grants allow it, and which policy decided.

    Exits with 0 whatever the answer is.

    Example: registry policy explain --as alice --action pull --on vision/resnet50:3
    """
    question = _question(member, action, on, purpose, alias, time, program, host, grantee, grants)
    _tell(_ask(context, question, None), json)


def _question(
    member: str,
    action: str,
    on: str,
    purpose: str | None,
    alias: str | None,
    time: str | None,
    program: str | None,
    host: str | None,
    grantee: str | None,
    grants: str | None,
) -> Question:
    from registry import access, policies
    from registry.context import utc_now

    from .times import moment

    return policies.Question(
        member,
        action,
        on,
        purpose=purpose,
        alias=alias,
        time=moment(time, utc_now()) if time is not None else None,
        program=program,
        host=host,
        grantee=grantee,
        grants=frozenset(access.ordered(grants.split(",")) if grants is not None else ()),
    )


def _ask(context: typer.Context, question: Question, text: str | None) -> Answer:
    from registry import policies

    with session(context).open() as opened:
        return policies.ask(opened, question, text)


def _tell(answer: Answer, json: bool) -> None:
    from .output import document, pairs
    from .times import short

    if json:
        document(vars(answer))
        return
    verdict = {True: "allow it", False: "deny it", None: "none in force"}[answer.policy]
    pairs(
        [
            ("answer", "allowed" if answer.allowed else "DENIED"),
            ("on", answer.on),
            ("grants", short("\n".join(map(_granted, answer.grants))) or "none allows it"),
            ("policies", verdict),
            ("decided by", ", ".join(answer.decided_by) or _nobody(answer)),
            ("failed", "\n".join(answer.errors)),
        ]
    )


def _granted(reason: str) -> str:
    return "none needed: an admin may do everything" if reason == "admin" else reason


def _nobody(answer: Answer) -> str | None:
    denied = answer.policy is False and not answer.errors
    return "no policy permits it" if denied else None
