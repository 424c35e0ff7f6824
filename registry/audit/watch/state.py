"""How far the watch has come, kept in the home so that it goes on from there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from registry import acts, disk
from registry.audit.watch.memory import Memory
from registry.crypto.frontier import Frontier
from registry.errors import BadProof, Conflict, InvalidInput, NotFound

NAME: Final = "watch.json"
_LIMIT: Final = 256 << 20  # bytes
_TOLD: Final = 200  # troubles that are remembered
_HINT: Final = "restore it, or remove it: the watch then begins at the ledger's end"


class State(msgspec.Struct, forbid_unknown_fields=True):
    """What is verified and reported: entries below ``size``, of the tree whose subtrees these are.

    Entries below ``begin`` are learned from only. ``grew`` is when the ledger was last seen to grow, in
    seconds since 1970; ``quiet`` says until when a rule is silent about a member; ``told`` which troubles
    were reported.
    """

    registry: acts.Hex32
    size: int
    subtrees: list[acts.Hex32]
    begin: int
    grew: int
    format: int = 1
    memory: Memory = msgspec.field(default_factory=Memory)
    quiet: dict[str, int] = {}
    told: list[str] = []

    @property
    def frontier(self) -> Frontier:
        """The right edge of the verified tree. Raises BadProof."""
        return Frontier(self.size, [bytes.fromhex(one) for one in self.subtrees])

    def advance(self, frontier: Frontier) -> None:
        """These entries are done."""
        self.size, self.subtrees = frontier.size, [one.hex() for one in frontier.subtrees]

    def tell(self, trouble: str) -> bool:
        """Note a trouble; whether it is a new one."""
        if trouble in self.told:
            return False
        self.told = [*self.told, trouble][-_TOLD:]
        return True

    def forget(self, kind: str) -> None:
        """A trouble of this kind is over."""
        self.told = [one for one in self.told if not one.startswith(f"{kind} ")]


def load(path: Path, registry_id: str) -> State | None:
    """What was kept; None where nothing was. Raises InvalidInput."""
    try:
        state = msgspec.json.decode(disk.read(path, _LIMIT), type=State)
        state.frontier.root()
    except NotFound:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, BadProof) as error:
        raise InvalidInput("the watch's memory does not read", on=str(path), hint=_HINT) from error
    if state.registry != registry_id or state.format != 1:
        raise InvalidInput("the watch's memory is of another registry", on=str(path), hint=_HINT)
    return state


def save(path: Path, state: State) -> None:
    """Keep it: after this, what it says is done is done."""
    disk.replace(path, msgspec.json.encode(state), 0o600)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One watch at a time keeps its memory in a file. Raises Conflict."""
    name = path.with_name(f".{path.name}.lock")
    with disk.translated(path):
        lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            hint = "end that one first, or give this one a memory of its own with --state"
            raise Conflict("another watch is running on this home", on=str(path), hint=hint) from error
    try:
        yield
    finally:
        os.close(lock)
