"""Forgeries brought to the door of a court: refused by name, and nothing changed but the record of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import rfc8785
import sqlalchemy as sa

from registry import acts
from registry.crypto import dsse
from registry.errors import Denied, RegistryError, Untrusted
from registry.records import tables
from registry.records.database import writing
from support.courtroom import Court, Keys, Rows

Brought = tuple[dsse.Envelope, Keys]  # an act, and the sealed keys beside it
Forge = Callable[[Court], Brought]


@dataclass(frozen=True)
class Forgery:
    """What is brought to the door, and what the door must say: the error, and words of its message."""

    forge: Forge
    error: type[RegistryError]
    says: str

    @property
    def recorded(self) -> bool:
        """Whether the refusal goes into the ledger: what conflicts with others' acts is no refusal."""
        return issubclass(self.error, Denied | Untrusted)


def table(forgeries: dict[str, Forgery]) -> Callable[..., Callable[[Forge], Forge]]:
    """A decorator that enters a forgery in the table, under its function's name."""

    def forgery(error: type[RegistryError], says: str) -> Callable[[Forge], Forge]:
        def enter(forge: Forge) -> Forge:
            forgeries[forge.__name__.strip("_").replace("_", " ")] = Forgery(forge, error, says)
            return forge

        return enter

    return forgery


def refuse(court: Court, forgery: Forgery) -> None:
    """Bring the forgery: it is refused by name, and nothing is changed but the record of refusals."""
    envelope, keys = forgery.forge(court)
    with writing(court.engine) as connection:
        connection.execute(sa.delete(tables.tallies))  # so that this one is told, whatever came before
    before = court.rows()
    with pytest.raises(forgery.error, match=f"(?i){forgery.says}") as caught:
        court.submit(envelope, keys)
    assert type(caught.value) is forgery.error
    unchanged(before, court.rows(), int(forgery.recorded))
    if forgery.recorded:
        told = court.refusals()[-1]
        digest = hashlib.sha256(envelope.payload).hexdigest()
        assert (told.code, told.message) == (forgery.error.code, str(caught.value)[:255])
        assert (told.count, told.act) == (1, digest)


_RECORD = ("acts", "nodes", "head", "events", "sayings", "activity")  # where a refusal is written


def unchanged(before: Rows, after: Rows, refusals: int) -> None:
    """The tables are as they were, but for so many refusals in the ledger."""
    recorded = {"tallies", *(_RECORD if refusals else ())}
    for name in before.keys() - recorded:
        assert after[name] == before[name], name
    added = [row for row in after["acts"] if row not in before["acts"]]
    assert [row[1] for row in added] == ["refusal"] * refusals
    assert len(after["acts"]) == len(before["acts"]) + refusals


def reworded(envelope: dsse.Envelope, change: Callable[[dict[str, Any]], object]) -> dsse.Envelope:
    """The same signatures over another payload."""
    statement = json.loads(envelope.payload)
    change(statement)
    return dsse.Envelope(envelope.payload_type, rfc8785.dumps(statement), envelope.signatures)


def bare(court: Court, name: str, body: acts.Body, **header: Any) -> Brought:
    """An act that brings no keys."""
    return court.sign(name, body, **header), {}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
