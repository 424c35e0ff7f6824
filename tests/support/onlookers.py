"""Witnesses of a company's ledger: pinning them, cosigning, and a second history to show to somebody else."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry import catalog, members, witnesses, witnessing
from registry.crypto.cosignature import WitnessKey
from registry.errors import BadCheckpoint
from registry.records.cosignatures import cosignatures
from registry.records.database import writing
from registry.release import examine
from registry.ritual import Ritual
from registry.witnessing import Cosigned
from support.company import MODEL, Company

OUTSIDE = WitnessKey("example.com/w1", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def copied(company: Company, root: Path) -> Company:
    """The same registry and the same people, elsewhere: from now on another history."""
    found = copy.copy(company)
    found.root = Path(shutil.copytree(company.root, root))
    found.home = found.root / company.home.name
    return found


def cosign(company: Company, name: str = "alice", kind: int = 4) -> Cosigned:
    with company.open(name) as context:
        return witnessing.witness(
            context, witnessing.key_of(context, kind), company.root / f"{name}.cosigned"
        )


def vkey(company: Company, name: str, kind: int = 4) -> str:
    with company.open(name) as context:
        return witnessing.key_of(context, kind).public.vkey


def require(company: Company, least: int, *names: str) -> None:
    vkeys = [vkey(company, name) for name in names]
    with company.open() as context:
        witnesses.require(context, least, vkeys)


def judged(company: Company, ref: str = MODEL) -> Ritual:
    """Steps 1 to 7 as alice walks them."""
    ritual = Ritual()
    with company.open() as context:
        examine(context, ref, ritual, lambda law, push, attests: "")
    return ritual


def refused(company: Company, ref: str = MODEL) -> tuple[str, BadCheckpoint]:
    """The step that fails, and how."""
    with pytest.raises(BadCheckpoint) as caught:
        judged(company, ref)
    return str(caught.value.step), caught.value


def grow(company: Company) -> None:
    """One more act."""
    with company.open() as context:
        members.create_team(context, f"team{len(catalog.log(context, 100))}")


@contextmanager
def writing_of(company: Company) -> Iterator[sa.Connection]:
    """The database, as somebody who writes to it."""
    with company.open() as context, writing(context.engine) as connection:
        yield connection


def change(company: Company, name: str, **values: object) -> None:
    with writing_of(company) as connection:
        done = connection.execute(sa.update(cosignatures).where(cosignatures.c.name == name).values(**values))
        assert done.rowcount == 1
