"""Whose cosignatures a home demands, what there are of them, and those that come from outside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from registry import cosigned, ledger, seen
from registry.context import Context
from registry.crypto import notes
from registry.crypto.checkpoint import open_checkpoint, origin_of
from registry.crypto.cosignature import WitnessPublicKey
from registry.crypto.quorum import Policy
from registry.crypto.submission import Submission
from registry.crypto.witnessed import Demand, Seen
from registry.errors import BadCheckpoint, InvalidInput
from registry.records import cosignatures
from registry.records.database import reading, writing
from registry.witnessing import given, row_of


@dataclass(frozen=True)
class Standing:
    """A witness that is demanded, and the largest tree that it has cosigned: 0 for none."""

    name: str  # in the policy
    key: WitnessPublicKey
    size: int
    time: int  # POSIX, of the cosignature


@dataclass(frozen=True)
class Report:
    """What is demanded and what there is: ``witnessed`` acts of ``size`` were seen by enough."""

    policy: Policy | None
    size: int
    witnessed: int
    standings: tuple[Standing, ...]
    trouble: str  # why the demand is not met, "" where it is

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "policy": self.policy.to_bytes().decode("utf-8", "replace") if self.policy else None,
            "size": self.size,
            "witnessed": self.witnessed,
            "witnesses": [
                {"name": one.name, "vkey": one.key.vkey, "size": one.size, "time": one.time}
                for one in self.standings
            ],
            "trouble": self.trouble or None,
        }


def require(context: Context, least: int, vkeys: Iterable[str]) -> Policy:
    """Demand ``least`` of these witnesses for this registry from now on. Raises InvalidInput."""
    law = context.law()
    return demand(context, Policy.of(least, list(vkeys), law.ledger.vkey(origin_of(law.registry_id))))


def demand(context: Context, policy: Policy) -> Policy:
    """Demand what a policy says from now on. Raises InvalidInput for one of another ledger."""
    law = context.law()
    if policy.logs and law.ledger.vkey(origin_of(law.registry_id)) not in policy.logs:
        raise InvalidInput("the witness policy is for another ledger", on=", ".join(policy.logs)[:200])
    cosigned.demand(context.paths.witnesses, policy)
    return policy


def report(context: Context) -> Report:
    """How the demand stands. Raises Untrusted where the ledger itself does not hold."""
    policy, law = cosigned.demanded(context.paths.witnesses), context.law()
    with reading(context.engine) as connection:
        note, size = ledger.newest_note(connection), ledger.tree_size(connection)
        found = cosigned.seen(connection, policy, size) if policy else ()
    if policy is None:
        return Report(None, size, size, (), "")
    origin = origin_of(law.registry_id)
    standings = [_standing(name, key, found, origin) for name, key in policy.witnesses.items()]
    try:
        demand = Demand(policy, int(context.now().timestamp()))
        held, trouble = demand.held(note, law.registry_id, law.ledger, found).size, ""
    except BadCheckpoint as error:
        held, trouble = 0, str(error)
    return Report(policy, size, held, tuple(standings), trouble)


def _standing(name: str, key: WitnessPublicKey, found: Iterable[Seen], origin: str) -> Standing:
    for one in found:
        note = notes.parse(one.note, origin)
        for signature in note.of(key.name, key.key_id):
            size = int(note.text.split("\n")[1])
            return Standing(name, key, size, key.verify(signature, note.text))
    return Standing(name, key, 0, 0)


def add(context: Context, note: str, vkeys: Iterable[str] = ()) -> list[cosignatures.Row]:
    """Keep the cosignatures on a checkpoint of this ledger that witnesses brought from outside.

    ``note`` is the cosigned checkpoint, or the submission with the witness's answer under it. Those count
    whom this home demands, or ``vkeys`` names; other lines are left out. Raises Denied, BadCheckpoint where
    the checkpoint is not of this ledger, InvalidInput where nothing is left.
    """
    policy, law = cosigned.demanded(context.paths.witnesses), context.law()
    law.state.signer(context.keyid)
    with given():
        named = list(map(WitnessPublicKey.from_vkey, vkeys))
    known = [*(policy.witnesses.values() if policy else ()), *named]
    note = Submission.parse(note).note if note.startswith("old ") else note
    tree = open_checkpoint(note, origin_of(law.registry_id), law.ledger)
    with writing(context.engine) as connection:
        newest = open_checkpoint(ledger.newest_note(connection), tree.origin, law.ledger)
        seen.extends(tree, newest, ledger.consistency(connection, tree.size, newest.size))
        rows = [row_of(note, tree, one) for one in _verified(notes.parse(note, tree.origin), known)]
        for row in rows:
            cosignatures.put(connection, row)
    if not rows:
        raise InvalidInput(
            "nobody has cosigned this whom the home knows", hint="name the witness: --witness VKEY"
        )
    return rows


def _verified(note: notes.Note, known: Iterable[WitnessPublicKey]) -> list[notes.Signature]:
    found = []
    for key in dict.fromkeys(known):
        for signature in note.of(key.name, key.key_id):
            key.verify(signature, note.text)
            found.append(signature)
    return found


def checkpoint(context: Context) -> str:
    """The newest checkpoint as a signed note, with the cosignatures there are on it."""
    context.law()
    with reading(context.engine) as connection:
        note, size = ledger.newest_note(connection), ledger.tree_size(connection)
        rows = cosignatures.at(connection, size)
    return note + "".join(f"{notes.signature(row.line, row.name).line}\n" for row in rows)


def submission(context: Context, old: int) -> str:
    """What to send to a witness that has cosigned the tree of ``old`` acts: C2SP tlog-witness.

    Raises InvalidInput where the ledger has fewer.
    """
    context.law()
    with reading(context.engine) as connection:
        note, size = ledger.newest_note(connection), ledger.tree_size(connection)
        if not 0 <= old <= size:
            raise InvalidInput("the ledger has no such size", on=f"{old} of {size} acts")
        return Submission(old, ledger.consistency(connection, old, size), note).to_text()


def listed(context: Context) -> list[tuple[str, str, int]]:
    """Who has cosigned: name, key id, and the size of the largest tree."""
    with reading(context.engine) as connection:
        rows = [cosignatures.newest(connection, *who) for who in cosignatures.witnesses(connection)]
    return [(row.name, row.key, row.size) for row in rows if row]
