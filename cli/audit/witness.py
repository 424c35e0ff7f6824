"""Witnesses: who has seen that the ledger only grows, and whose word a client asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Json, session

if TYPE_CHECKING:
    from registry.context import Context
    from registry.crypto.cosignature import WitnessKey
    from registry.witnessing import Cosigned

Key = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="A witness's own key: PKCS#8, Ed25519 or ML-DSA-44."),
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="The witness's name, with --key: example.com/w1.")
]
PostQuantum = Annotated[
    bool, typer.Option("--post-quantum", help="With a member's key: ML-DSA-44 in the place of Ed25519.")
]
RegistryId = Annotated[
    str | None, typer.Option("--registry-id", metavar="ID", help="Whose ledger SOURCE is to be.")
]
Ledger = Annotated[
    str | None,
    typer.Option("--ledger", metavar="VKEY", help="Who signed SOURCE, where it is a checkpoint alone."),
]


def register(app: typer.Typer) -> None:
    """Add ``witness``, ``witnesses``, ``cosignatures`` and ``checkpoint``."""
    from . import pins

    app.command()(witness)
    pins.register(app)


def witness(
    context: typer.Context,
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SOURCE", help="An export, or a file with a checkpoint; else the registry."),
    ] = None,
    key: Key = None,
    name: Name = None,
    post_quantum: PostQuantum = False,
    registry_id: RegistryId = None,
    ledger: Ledger = None,
    vkey: Annotated[bool, typer.Option("--vkey", help="Only print the witness's public key.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where the cosigned checkpoint goes."),
    ] = None,
    json: Json = False,
) -> None:
    """Cosign a checkpoint, after checking that the ledger only grew since the last (C2SP tlog-cosignature).

    A member cosigns the registry's newest checkpoint with a key derived from their
    identity; the cosignature is kept beside the ledger, where clients look for it.
    Somebody outside, with --key and --name, cosigns an export (registry audit export),
    of which every entry is checked, with no registry. What was cosigned is remembered
    beside the key: keep it as you keep the key.

    Example: registry audit witness range/ --key w1.pem --name example.com/w1 --registry-id ID -o cosigned
    """
    from ..output import document, pairs

    if (key is None) != (name is None):
        raise typer.BadParameter("--key and --name go together", param_hint="--key")
    if vkey:
        _show(context, key, name, post_quantum, json)
        return
    if source is None:
        done = _inside(context, key, name, post_quantum)
    elif key is not None and name is not None and registry_id is not None:
        done = _outside(context, source, _own_key(context, key, name), key, registry_id, ledger)
    else:
        raise typer.BadParameter("SOURCE needs --key, --name and --registry-id", param_hint="SOURCE")
    if output is not None:
        from registry import disk

        disk.replace(output, done.note.encode(), 0o644)
    if json:
        document(done.to_dict())
        return
    grown = f"{done.tree.size - done.before} new" if done.before else "from the beginning"
    pairs(
        [
            ("cosigned", f"{done.tree.size} acts, {grown}"),
            ("root", done.tree.root.hex()),
            ("witness", done.witness.name),
            ("written to", output),
        ]
    )


def _show(context: typer.Context, key: Path | None, name: str | None, post_quantum: bool, json: bool) -> None:
    from ..output import document, pairs

    if key is not None and name is not None:
        public = _own_key(context, key, name).public
    else:
        with session(context).open() as opened:
            public = _member(opened, post_quantum).public
    if json:
        document({"name": public.name, "vkey": public.vkey})
    else:
        pairs([("witness", public.name), ("vkey", public.vkey)])


def _inside(context: typer.Context, key: Path | None, name: str | None, post_quantum: bool) -> Cosigned:
    from registry import witnessing

    with session(context).open() as opened:
        if key is not None and name is not None:
            return witnessing.witness(opened, _own_key(context, key, name), _memory(key))
        memory = _memory(opened.identity_file) if opened.identity_file else opened.paths.cosigned
        return witnessing.witness(opened, _member(opened, post_quantum), memory)


def _outside(
    context: typer.Context, source: Path, key: WitnessKey, file: Path, registry_id: str, ledger: str | None
) -> Cosigned:
    from registry import witnessing
    from registry.context import utc_now

    from ..output import progress

    if source.is_dir():
        bar = progress(session(context).json)
        return witnessing.witness_export(source, registry_id, key, _memory(file), utc_now(), bar)
    if ledger is None:
        raise typer.BadParameter("a checkpoint alone needs --ledger VKEY", param_hint="--ledger")
    by = witnessing.ledger_of(ledger, registry_id)
    text = witnessing.text_of(source)
    return witnessing.witness_submission(text, registry_id, by, key, _memory(file), utc_now())


def _member(opened: Context, post_quantum: bool) -> WitnessKey:
    from registry import witnessing
    from registry.crypto.cosignature import ED25519, MLDSA44

    return witnessing.key_of(opened, MLDSA44 if post_quantum else ED25519)


def _own_key(context: typer.Context, file: Path, name: str) -> WitnessKey:
    from registry import witnessing

    return witnessing.own_key(name, file, session(context).passphrase_of(file))


def _memory(key: Path) -> Path:
    """Where a witness remembers, beside its key."""
    return key.with_name(f"{key.name}.cosigned")
