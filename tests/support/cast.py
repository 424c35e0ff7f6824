"""Many people on one registry: each with keys of their own, all at the same door, under one clock.

They share the database connections and what has been read of the law, so that a hundred of them cost little
more than one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from registry import acts, founding
from registry.authority import Receipt
from registry.catalog import resolve
from registry.context import Context
from registry.crypto import possession
from registry.crypto.identity import Identity
from support import graphs
from support.picklock import Key

FOUNDER = "root"


class Clock:
    """The time of a world; it moves when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, by: timedelta) -> None:
        """Let time pass."""
        self.moment += by

    def after(self, by: timedelta) -> str:
        """A time from now, as grants name it."""
        return acts.timestamp(self.moment + by)


class Cast:
    """A home and everybody who acts in it. ``found`` makes one, whose first admin is ``root``."""

    def __init__(self, home: Path, people: Path, clock: Clock) -> None:
        self.home, self.people, self.clock = home, people, clock
        self.identities: dict[str, list[Identity]] = {}  # by name: all keys ever made, the newest last
        self._contexts: dict[str, Context] = {}
        self._first = Context(home, now=clock)
        self.identities[FOUNDER] = [self._first.identity]
        self.people.mkdir(exist_ok=True)

    @classmethod
    def found(cls, directory: Path) -> Cast:
        """A new registry below ``directory``."""
        clock = Clock()
        directory.mkdir(exist_ok=True)
        founding.init(directory / "home", clock(), name=FOUNDER)
        return cls(directory / "home", directory / "people", clock)

    def close(self) -> None:
        """Give the database back."""
        self._first.close()

    def public(self, name: str) -> Path:
        """New keys for somebody, theirs from now on: the file to enroll them, or replace a lost key, with."""
        identity = Identity.generate(name)
        self.take(identity)
        return self.publish(identity)

    def take(self, identity: Identity) -> None:
        """These keys are somebody's newest from now on."""
        self.identities.setdefault(identity.name, []).append(identity)

    def publish(self, identity: Identity) -> Path:
        """The public file of somebody's keys."""
        path = self.people / f"{identity.signing.verifying.keyid[:16]}.pub"
        path.write_bytes(possession.prove(identity))
        return path

    def adopt(self, file: Path) -> Identity:
        """Somebody made new keys for themselves, in a private file."""
        identity = Identity.from_pem(file.read_bytes(), None)
        self.take(identity)
        return identity

    def __call__(self, name: str, key: int = -1) -> Context:
        """How somebody acts: with their newest key, or with an older one."""
        return self.acting(self.identities[name][key])

    def acting(self, identity: Identity) -> Context:
        """How the holder of these keys acts."""
        keyid = identity.signing.verifying.keyid
        if keyid not in self._contexts:
            context = Context(self.home, now=self.clock)
            context.__dict__["identity"] = identity  # in place of the home's own file
            context.__dict__["raw_engine"] = self._first.engine
            context.__dict__["lawbook"] = self._first.lawbook
            context.__dict__["authority"] = self._first.authority
            self._contexts[keyid] = context
        return self._contexts[keyid]

    def release_key(self) -> Key:
        """The door's own: what takes the outer layer off limited shares."""
        release = self._first.authority.key.release()
        return Key("release", release.x25519, release.mlkem, release.to_secret())

    def keys(self, name: str) -> list[Key]:
        """All private keys that somebody ever had."""
        return [Key.of(identity) for identity in self.identities[name]]

    def fetch(self, name: str, ref: str, key: int = -1) -> Receipt:
        """A pull act, submitted: what the door says and gives, without the checks of a checkout."""
        context = self(name, key)
        exact, digest = resolve(context, ref)
        return context.act(acts.Pull(exact.model, exact.version or 0, digest, "test"))


def refused(deed: Callable[[], object], *errors: type[Exception]) -> Exception | None:
    """The error of these kinds that a deed ends with; None where it succeeds. Any other is raised."""
    try:
        deed()
    except errors as error:
        return error
    return None


@lru_cache(maxsize=64)
def _bytes(seed: int) -> bytes:
    model = graphs.mlp(inputs=2, hidden=2, outputs=1)
    model.doc_string = f"model {seed}"
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized


def tiny(directory: Path, seed: int) -> Path:
    """A tiny ONNX file of its own content for each ``seed``."""
    directory.mkdir(exist_ok=True)
    path = directory / f"tiny{seed}.onnx"
    path.write_bytes(_bytes(seed))
    return path
