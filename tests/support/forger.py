"""The forger's table: every forgery with the error that must meet it, and the tools to make one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import rfc8785

from registry.crypto import dsse
from registry.errors import RegistryError
from support.publisher import Publisher


@dataclass(frozen=True)
class Brought:
    """An act with other sealed keys beside it than those that it names."""

    envelope: dsse.Envelope
    keys: Mapping[str, bytes]


Forge = Callable[[Publisher], dsse.Envelope | Brought]


@dataclass(frozen=True)
class Forgery:
    """How it is made, and what the door must say: the error, and words of its message."""

    forge: Forge
    error: type[RegistryError]
    says: str

    def made(self, alice: Publisher) -> Brought:
        """What is brought to the door."""
        forged = self.forge(alice)
        return forged if isinstance(forged, Brought) else Brought(forged, alice.beside(forged))


FORGERIES: dict[str, Forgery] = {}


def forgery(error: type[RegistryError], says: str) -> Callable[[Forge], Forge]:
    """Enter a forgery in the table, under its function's name."""

    def enter(forge: Forge) -> Forge:
        FORGERIES[forge.__name__.replace("_", " ")] = Forgery(forge, error, says)
        return forge

    return enter


def reworded(envelope: dsse.Envelope, change: Callable[[dict[str, Any]], object]) -> dsse.Envelope:
    """The same signatures over another payload."""
    statement = json.loads(envelope.payload)
    change(statement)
    return dsse.Envelope(envelope.payload_type, rfc8785.dumps(statement), envelope.signatures)


def resigned(envelope: dsse.Envelope, **changes: Any) -> dsse.Envelope:
    """The envelope with other values in its one signature."""
    one = envelope.signatures[0]
    changed = dsse.Signature(changes.get("keyid", one.keyid), changes.get("sig", one.sig))
    return dsse.Envelope(envelope.payload_type, envelope.payload, (changed,))


def each(parts: tuple[Any, ...], **changes: Any) -> tuple[Any, ...]:
    """The parts of an act, every one with these fields replaced."""
    return tuple(msgspec.structs.replace(part, **changes) for part in parts)
