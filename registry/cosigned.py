"""Cosigned checkpoints as a database has them, each with its proof. Nothing here is believed.

What is demanded of them is written in a home's policy file (see ``crypto.quorum``).
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from registry import disk, ledger
from registry.crypto import quorum
from registry.crypto.quorum import Policy
from registry.crypto.witnessed import Seen
from registry.errors import NotFound
from registry.records import cosignatures

_MODE = 0o600


def seen(connection: sa.Connection, policy: Policy | None, size: int) -> tuple[Seen, ...]:
    """The newest cosigned checkpoint of each witness of a policy, or of each there is.

    The proofs lead to the tree of ``size`` acts. A checkpoint of more acts comes without one: it shows that
    the ledger was cut.
    """
    if policy is None:
        wanted = cosignatures.witnesses(connection)
    else:
        wanted = [(key.name, key.key_id.hex()) for key in policy.witnesses.values()]
    rows = (cosignatures.newest(connection, name, key) for name, key in wanted)
    return tuple(
        Seen(f"{row.note}{row.line}\n", ledger.consistency(connection, row.size, size)) for row in rows if row
    )


def demanded(path: Path) -> Policy | None:
    """The policy in a file; None where there is none, or it demands nobody. Raises InvalidInput."""
    try:
        policy = Policy.parse(disk.read(path, quorum.LIMIT))
    except NotFound:
        return None
    return policy if policy.demands else None


def demand(path: Path, policy: Policy) -> None:
    """Demand these witnesses from now on."""
    disk.replace(path, policy.to_bytes(), _MODE)
