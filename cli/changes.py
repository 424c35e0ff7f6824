"""What commands say of an act of the law: its entry, the vaults that begin anew, the keys sealed again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from registry.members import Changed

_NAMED = 6  # rotated vaults that people see by name
_LIMITS = "What was opened before cannot be taken back: whoever read a version may have kept it."

Reencrypt = Annotated[
    bool,
    typer.Option("--reencrypt", help="Encrypt the files again, too, under new keys: slow, reads every byte."),
]


def fields(done: Changed) -> dict[str, Any]:
    """The part of a JSON document that every such command prints."""
    rotated = {"rotated": list(done.rotated), "resealed": done.resealed}
    return {"seq": done.seq, **rotated, "unreadable": list(done.unreadable)}


def rows(done: Changed, *, reencrypt: bool = False) -> Iterable[tuple[str, object]]:
    """The last lines for people."""
    if done.rotated:
        yield "rotated", f"{len(done.rotated)} vault(s): {_some(done.rotated)}"
        again = "file(s) encrypted again, and their keys sealed" if reencrypt else "file key(s) sealed again"
        yield "keys", f"{done.resealed} {again}"
    if done.unreadable:
        lost = ", ".join(done.unreadable[:_NAMED])
        yield "unreadable", f"{len(done.unreadable)} file(s) that did not open before, either: {lost}"
    yield "ledger", f"entry {done.seq}"


def warn(done: Changed) -> None:
    """Where somebody lost access to keys: what that cannot do."""
    from .output import say

    if done.rotated:
        say(_LIMITS)


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join("/ (the registry)" if name == "/" else name for name in names[:_NAMED]) + more
