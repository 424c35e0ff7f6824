"""What an attack on the ledger is, what `audit verify` has to say of it, and the tools to make one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from registry import acts, fsck
from registry.acts import Act
from registry.audit.verify import verifying
from registry.crypto import dsse
from registry.crypto.checkpoint import LedgerKey
from registry.errors import Untrusted
from registry.records import tables
from support import attacks
from support.outcomes import Outcome
from support.victim import Victim

Does = Callable[[Victim], object]


@dataclass(frozen=True)
class Attack:
    """``does`` it; `audit verify` says ``code`` of something whose name holds ``on``.

    ``newcomer`` is for attacks that only a remembered checkpoint shows, or that it shows first: what
    `audit verify` (a code, or "" where it holds) and a client say that remember none.
    """

    family: str
    name: str
    does: Does
    code: str
    on: str
    client: Outcome
    newcomer: tuple[str, Outcome] | None = None

    def holds(self, victim: Victim) -> None:
        """Attack, and hear everybody."""
        self.does(victim)
        found(victim, self.code, self.on)
        self.client.hold(victim)

    def holds_for_newcomers(self, victim: Victim) -> None:
        """The same where no checkpoint is remembered."""
        assert self.newcomer is not None
        code, client = self.newcomer
        self.does(victim)
        forget(victim)
        found(victim, code, "") if code else clean(victim)
        client.hold(victim)


Line = tuple[str, Does, str, Outcome]


def family(name: str, *lines: Line) -> tuple[Attack, ...]:
    """Attacks of a kind: what and how, what `audit verify` says ("code: place"), and what a client says."""
    return tuple(Attack(name, what, does, *said.split(": "), client) for what, does, said, client in lines)


def found(victim: Victim, code: str, on: str) -> None:
    """`audit verify` names the first thing that is wrong, by its code and its place."""
    with victim.open() as context, pytest.raises(Untrusted) as caught:
        verifying.verify(context, start=0, jobs=1)
    error = caught.value
    assert error.exit_code == 5
    assert error.message.startswith(f"{code}: "), error
    assert on in str(error.on), error


def clean(victim: Victim) -> None:
    """`audit verify` finds nothing wrong."""
    with victim.open() as context:
        done = verifying.verify(context, start=0, jobs=1)
    assert done.acts == len(victim.read()["acts"])
    (victim.home / "verified").unlink()


def forget(victim: Victim) -> None:
    """Lose what the home has seen of the ledger."""
    for name in ("checkpoint", "verified"):
        (victim.home / name).unlink(missing_ok=True)


# --- tools ----------------------------------------------------------------------------------------


def decoded(envelope: bytes) -> Act:
    return acts.decode(dsse.Envelope.from_bytes(envelope).payload)


def where(table: sa.Table, values: dict[str, Any]) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == value for name, value in values.items()))


def changed(table: sa.Table, at: dict[str, Any], **values: Any) -> Does:
    """A row says something else."""
    return lambda victim: victim.execute(sa.update(table).where(where(table, at)).values(values))


def dropped(*places: tuple[sa.Table, dict[str, Any]]) -> Does:
    """Rows are gone."""
    return lambda victim: victim.execute(*(sa.delete(table).where(where(table, at)) for table, at in places))


def added(table: sa.Table, like: dict[str, Any], **values: Any) -> Does:
    """A row more, made from one that is there."""
    return lambda victim: victim.execute(sa.insert(table).values({**victim.row(table, **like), **values}))


def both(*several: Does) -> Does:
    return lambda victim: [one(victim) for one in several]


def entry(seq: int, change: Callable[[bytes], bytes]) -> Does:
    """An envelope is another, and nothing else is."""

    def does(victim: Victim) -> None:
        envelope = change(attacks.envelopes(victim)[seq])
        victim.execute(sa.update(tables.acts).where(tables.acts.c.seq == seq).values(envelope=envelope))

    return does


def history(change: Callable[[Victim, list[bytes]], object], key: str = "") -> Does:
    """The whole ledger is written anew, with index, tree, head and every table to match.

    ``key`` is who signs the checkpoint: "ledger", "other", or "" for nobody: then it stays as it was.
    """

    def does(victim: Victim) -> None:
        entries = attacks.envelopes(victim)
        change(victim, entries)
        note = victim.rows["head"][0]["note"]
        rewritten(victim, entries, LedgerKey.generate() if key == "other" else None)
        if not key:
            victim.execute(sa.update(tables.head).values(note=note))

    return does


def rewritten(victim: Victim, entries: Sequence[bytes], key: LedgerKey | None = None) -> None:
    attacks.forked(victim, entries, key)
    with victim.open() as context:
        fsck.rebuild(context.engine)


def resigned(victim: Victim, envelope: bytes, who: str, **changes: Any) -> bytes:
    """The act with other values in its header, or with another body, signed by this member's key."""
    act = decoded(envelope)
    body = changes.pop("body", act.body)
    with victim.open(who) as context:
        signing = context.identity.signing
    return dsse.sign(acts.encode(replace(act.header, **changes), body), signing).to_bytes()


def behind(who: str, body: acts.Body, **header: str) -> Does:
    """An act that a member signs and the door would refuse, admitted with the ledger's key."""

    def does(victim: Victim) -> None:
        with victim.open(who) as context:
            envelope = attacks.signed(context, body, **header)
        attacks.admit(victim, lambda _: envelope)

    return does
