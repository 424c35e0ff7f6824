"""Witnesses that a proof or an export brings along: outsiders who have signed that they saw the ledger so."""

from __future__ import annotations

from collections.abc import Sequence

from registry.audit.document import Cosigned
from registry.crypto import merkle
from registry.crypto.checkpoint import LedgerPublicKey, open_checkpoint
from registry.crypto.witnessed import Demand, Seen, witnessed
from registry.errors import BadCheckpoint


def witnesses(
    demand: Demand | None,
    note: str,
    origin: str,
    ledger: LedgerPublicKey,
    shown: Sequence[Cosigned],
    size: int,
) -> tuple[str, ...]:
    """Those demanded who have seen the first ``size`` entries of the checkpoint ``note``; none where nobody
    is demanded.

    Every cosigned checkpoint has to lead to ``note``, whoever cosigned it; what is by a witness whom nobody
    demands proves nothing, and is left aside. Raises BadCheckpoint or BadProof.
    """
    checkpoint = open_checkpoint(note, origin, ledger)
    for one in shown:
        old = open_checkpoint(one.note, origin, ledger)
        merkle.verify_consistency(old.size, old.root, checkpoint.size, checkpoint.root, one.path)
    if demand is None:
        return ()
    seen = [Seen(note, ()), *(Seen(one.note, one.path) for one in shown)]
    found = witnessed(demand.policy, checkpoint, ledger, seen, demand.now)
    if found.size < size:
        raise BadCheckpoint(
            "enough witnesses have not seen this yet",
            on=f"they saw {found.size} entries, this takes {size}",
            hint="let them cosign a later checkpoint ('registry audit witness'), and ask for this again",
        )
    return found.names
