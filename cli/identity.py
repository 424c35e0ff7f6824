"""Who acts: making an identity, showing it, changing its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .changes import Reencrypt
from .options import Json, session


def register(app: typer.Typer) -> None:
    """Add ``identity create``, ``identity show`` and ``identity rotate``."""
    identity = typer.Typer(help="Who acts.", no_args_is_help=True)
    identity.command()(create)
    identity.command()(show)
    identity.command()(rotate)
    app.add_typer(identity, name="identity")


def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(metavar="NAME", help="The member's name.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The private file.")],
    json: Json = False,
) -> None:
    """Make an identity: a private file, which never leaves you, and a public one for an admin to enroll.

    Needs no registry. The private file is encrypted with REGISTRY_PASSPHRASE, or
    with what you type.

    Example: registry identity create --name alice -o alice.pem
    """
    from registry.identities import create as make

    from .output import document, pairs, say

    made = make(name, output, session(context).new_passphrase(output))
    if json:
        document(vars(made))
        return
    pairs(
        [
            ("name", made.name),
            ("key id", made.keyid),
            ("fingerprint", made.fingerprint),
            ("private", made.private),
            ("public", made.public),
        ]
    )
    say(f"Next: give {made.public} to an admin, and tell them the fingerprint by another way.")


def show(context: typer.Context, json: Json = False) -> None:
    """Show the name, key id and fingerprint of the identity in use; never a private key.

    Example: registry identity show
    """
    from .output import document, pairs

    with session(context).open() as opened:
        public, keyid = opened.identity.public, opened.keyid
        where = opened.identity_file or opened.paths.identity
    if json:
        document({**public.to_dict(), "keyid": keyid, "fingerprint": public.fingerprint, "file": where})
        return
    pairs(
        [
            ("name", public.name),
            ("key id", keyid),
            ("fingerprint", public.fingerprint),
            ("seals with", public.sealing.suite),
            ("file", where),
        ]
    )


def rotate(
    context: typer.Context,
    public: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE.pub", help="With --member: the member's new public identity.", readable=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write your new private file."),
    ] = None,
    member: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another member, who lost a key (admins only).")
    ] = None,
    reencrypt: Reencrypt = False,
    json: Json = False,
) -> None:
    """Replace keys: your own, or as an admin those of a member who lost theirs. Grants follow.

    Your new private file takes the place of the one in use (the home's, or that
    of --identity), with the same passphrase. With -o it is written there, and
    the old file stays.

    If somebody else may have your old key, let an admin replace it with --member:
    that also begins anew every vault which the old key could open.

    Example: registry identity rotate
    """
    if member is None:
        if public is not None or reencrypt:
            raise typer.BadParameter("FILE.pub and --reencrypt belong to --member", param_hint="--member")
        _own(context, output, json)
        return
    if public is None or output is not None:
        raise typer.BadParameter(
            "name the member's new FILE.pub, and no --output: they keep the private file",
            param_hint="--member",
        )
    _lost(context, member, public, reencrypt, json)


def _own(context: typer.Context, output: Path | None, json: bool) -> None:
    from registry import members

    from . import changes
    from .output import document, pairs

    with session(context).open() as opened:
        done, made = (
            members.replace_in_place(opened)
            if output is None
            else members.replace_own(opened, output, opened.passphrase)
        )
    if json:
        document({**vars(made), **changes.fields(done)})
        return
    pairs(
        [
            ("name", made.name),
            ("key id", made.keyid),
            ("fingerprint", made.fingerprint),
            ("private", made.private),
            ("public", made.public),
            *changes.rows(done),
        ]
    )


def _lost(context: typer.Context, member: str, public: Path, reencrypt: bool, json: bool) -> None:
    from registry import members

    from . import changes
    from .output import document, pairs, say

    with session(context).open() as opened:
        done, found = members.replace_lost(opened, member, public, reencrypt=reencrypt)
    keyid = found.signing.keyid
    if json:
        document(
            {"name": found.name, "keyid": keyid, "fingerprint": found.fingerprint, **changes.fields(done)}
        )
        return
    pairs(
        [
            ("name", found.name),
            ("key id", keyid),
            ("fingerprint", found.fingerprint),
            *changes.rows(done, reencrypt=reencrypt),
        ]
    )
    say(f"Compare the fingerprint with {found.name}: 'registry identity show' prints it.")
    changes.warn(done)
