"""The life of one small registry, held against the rules: each deed, what people keep, and how it ends."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from registry import checkout, fsck
from registry.crypto.identity import Identity
from registry.errors import Conflict, Denied, InvalidInput, NotFound
from support import worlds
from support.burglar import Loot, burgle, lying_open
from support.cast import FOUNDER, Cast, Clock, refused, tiny
from support.picklock import Key
from support.rules import CONFLICT, DENIED, INVALID, MISSING, Faults, Rules

_KINDS = {Denied: DENIED, Conflict: CONFLICT, NotFound: MISSING, InvalidInput: INVALID}


@dataclass
class Version:
    """What was pushed: the bytes of its one file."""

    file: bytes
    yanked: bool = False


@dataclass
class Past:
    """A registry that many lives begin with: ``home``, and what holds there."""

    home: Path
    identities: dict[str, list[Identity]]
    rules: Rules
    versions: dict[str, list[Version]]
    hoards: dict[str, tuple[Key, ...]]  # the keys of vaults that people have got hold of


class Life:
    """A registry in a directory of its own, as it goes on from its past."""

    def __init__(self, directory: Path, past: Past) -> None:
        self.directory = directory
        shutil.copytree(past.home, directory / "home")
        self.cast = Cast(directory / "home", directory / "people", Clock())
        self.cast.identities = {name: list(made) for name, made in past.identities.items()}
        self.rules, self.versions = copy.deepcopy(past.rules), copy.deepcopy(past.versions)
        self.hoards = {name: list(kept) for name, kept in past.hoards.items()}
        self.done: dict[str, int] = {}  # deeds that succeeded or were refused, by kind
        self._copies = 0

    @property
    def now(self) -> datetime:
        return self.cast.clock.moment

    def file(self, seed: int) -> Path:
        """A model to push."""
        return tiny(self.directory / "models", seed)

    def version(self, model: str, number: int) -> Version | None:
        """None where there is no such version."""
        found = self.versions[model]
        return found[number - 1] if number <= len(found) else None

    def attempt(self, kind: str, faults: Faults, deed: Callable[[], object]) -> bool:
        """Do it: it is refused for one of ``faults``, or succeeds where there is none. Say which."""
        error = refused(deed, *_KINDS)
        if error is None:
            assert not faults, f"{kind} succeeded, and should be refused: {faults}"
            self._count(kind)
            return True
        found = next(name for cls, name in _KINDS.items() if isinstance(error, cls))
        assert found in faults, f"{kind} was refused: {error!r}; by the rules: {faults or 'allowed'}"
        self._count(f"{kind} refused")
        return False

    def _count(self, kind: str) -> None:
        self.done[kind] = self.done.get(kind, 0) + 1

    # --- behind the door ------------------------------------------------------------------------

    def copied(self) -> Loot:
        """Everything as it is on the disk now."""
        self._copies += 1
        return Loot(self.cast.home, self.directory / f"loot{self._copies}")

    def burgle(self, loot: Loot, name: str) -> None:
        """What all keys that ``name`` ever had open is what the rules say; they keep the vaults' keys."""
        haul = burgle(loot, self.cast.keys(name), guesses=1)
        readable = {model for model in self.versions if self.rules.keeps(name, model, self.now)}
        assert haul.opened == loot.contents(readable), f"{name} opens {haul.models()}, by right {readable}"
        self.hoards.setdefault(name, []).extend(haul.keys)

    def _hoarded(self, loot: Loot, name: str) -> None:
        """Keys of vaults that somebody kept open nothing where no right is left to them."""
        haul = burgle(loot, [*self.cast.keys(name), *self.hoards.get(name, ())])
        lost = {model for model in self.versions if self.rules.never(name, model)}
        assert not haul.models() & lost, f"{name} kept the keys of {haul.models() & lost}"

    def _retired(self, loot: Loot, name: str) -> None:
        older = [Key.of(identity) for identity in self.cast.identities[name][:-1]]
        assert not burgle(loot, older).opened, f"the older keys of {name} open something"

    # --- its end --------------------------------------------------------------------------------

    def end(self) -> None:
        """Whoever may read does, whoever may not cannot; the ledger tells the whole story again."""
        self._permitted()
        loot = self.copied()
        for name in self.cast.identities:
            self._hoarded(loot, name)
            self.burgle(loot, name)
            self._retired(loot, name)
        everybody = [key for name in self.cast.identities for key in self.cast.keys(name)]
        haul = burgle(loot, [*everybody, self.cast.release_key()])
        assert haul.sealed >= {row["ciphertext"] for row in loot.tables["sealed"]}
        assert haul.opened == loot.contents(self.versions)
        assert not lying_open(loot)
        self._replayed()

    def _permitted(self) -> None:
        for name in self.cast.identities:
            for model, versions in self.versions.items():
                if self.rules.may(name, "pull", model, self.now) and versions and not versions[-1].yanked:
                    self.read(name, model, len(versions))

    def read(self, name: str, model: str, number: int) -> None:
        """Check a version out, and compare it with what was pushed."""
        got = checkout.checkout(self.cast(name), f"{model}:{number}")
        assert [bytes(view) for view in got.files.values()] == [self.versions[model][number - 1].file]

    def _replayed(self) -> None:
        root = self.cast(FOUNDER)
        assert fsck.fsck(root).findings == ()
        before = worlds.dump(root)
        fsck.rebuild(root.engine)
        assert worlds.dump(root) == before
