"""The home directory of an embedded registry.

::

    registry.json    what this registry is and where its database and store are; written last
    identity.pem     the keys of the member who made it
    ledger.pem       the ledger's Ed25519 key
    checkpoint       the newest checkpoint seen: history cannot be rewritten behind it
    witnesses        whose cosignatures this home demands (C2SP tlog-policy), where it demands any
    cosigned         what this home's member has cosigned as a witness, by ledger
    verified         how far ``audit verify`` has come, or how far the last one came
    law-*            the law as each member's program has replayed it, where that takes long
    watch.json       how far ``audit watch`` has come
    registry.db      the default database
    blobs/           the default store
    pushes/          what interrupted pushes have stored, so that the same push resumes
    tunings/         what searches for a recipe have tried, so that the same search goes on
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import msgspec

from registry import acts, disk
from registry.errors import HomeNotFound, InvalidInput

CONFIG = "registry.json"
_LIMIT = 64 << 10  # bytes
_HOST = 255  # characters of a machine's name


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``registry.json``. A database or store of None is the home's own."""

    format: int
    name: acts.Name
    registry_id: acts.Hex32
    database: str | None = None
    store: str | None = None


@dataclass(frozen=True)
class Paths:
    """Where things lie in a home."""

    home: Path

    @property
    def config(self) -> Path:
        return self.home / CONFIG

    @property
    def draft(self) -> Path:
        return self.home / f"{CONFIG}.new"

    @property
    def identity(self) -> Path:
        return self.home / "identity.pem"

    @property
    def ledger_key(self) -> Path:
        return self.home / "ledger.pem"

    @property
    def checkpoint(self) -> Path:
        return self.home / "checkpoint"

    @property
    def witnesses(self) -> Path:
        return self.home / "witnesses"

    @property
    def cosigned(self) -> Path:
        return self.home / "cosigned"

    def law(self, keyid: str) -> Path:
        """What the member with this key remembers of the law."""
        return self.home / f"law-{keyid[:16]}"

    @property
    def pushes(self) -> Path:
        return self.home / "pushes"

    def database_url(self, config: Config) -> str:
        return config.database or f"sqlite:///{self.home / 'registry.db'}"

    def store_url(self, config: Config) -> str:
        return config.store or str(self.home / "blobs")


def version() -> str:
    """The version of the installed program."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as find

    try:
        return find("hallmark-registry")
    except PackageNotFoundError:
        return "0"


def host() -> str:
    """This machine's name, for the record."""
    name = socket.gethostname()[:_HOST]
    return name if name.isprintable() else ""


def default_home() -> Path:
    """``REGISTRY_HOME``, or the user's data directory."""
    if named := os.environ.get("REGISTRY_HOME"):
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("hallmark")


def load(home: Path) -> Config:
    """Read a home's configuration. Raises HomeNotFound or InvalidInput."""
    path = Paths(home).config
    with disk.translated(path):
        found = path.is_file()
    if not found:
        raise HomeNotFound(
            "there is no registry here", on=str(home), hint="'registry init' makes one; --home names another"
        )
    return read_config(path)


def read_config(path: Path) -> Config:
    """Read ``registry.json``. Raises InvalidInput."""
    try:
        config = msgspec.json.decode(disk.read(path, _LIMIT), type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"the registry's configuration does not parse: {error}",
            on=str(path),
            hint="restore it from a backup",
        ) from error
    if config.format != 1:
        raise InvalidInput("the home was made by a newer Hallmark", on=str(path), hint="upgrade Hallmark")
    return config


def dump(config: Config) -> bytes:
    """The bytes of ``registry.json``."""
    return msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"
