"""How fast a ledger is verified, beside the bare verification of its signatures in the same run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from registry.audit.verify.engine import Verification
from registry.context import Context
from registry.crypto import dsse
from registry.crypto.keys import VerifyingKey
from registry.law.law import Law
from registry.records import tables as t
from registry.records.database import reading

_BARE = 5_000  # signatures
_ROUNDS = 3


@dataclass(frozen=True)
class Rates:
    """Acts in a second of one core, and of all; ``seconds`` is the whole ledger on all cores."""

    acts: int
    bare: float  # signatures, ECDSA P-256 over SHA-256 and nothing else
    one: float
    all: float
    seconds: float
    cores: int

    @property
    def share(self) -> float:
        """The share of the bare rate that one core reaches."""
        return self.one / self.bare


def measure(context: Context) -> Rates:
    """Verify the ledger on one core and on all.

    One core is measured in processor time, which others on the machine do not change; the bare signatures
    are verified before and after, and the mean of both counts.
    """
    signed = _signatures(context)
    before = _bare(signed)
    acts, processor, _ = _verified(context, 1)
    bare = (before + _bare(signed)) / 2
    cores = len(os.sched_getaffinity(0))
    _, _, seconds = _verified(context, cores)
    return Rates(acts, bare, acts / processor, acts / seconds, seconds, cores)


def _verified(context: Context, jobs: int) -> tuple[int, float, float]:
    """How many acts; seconds of this process's processor, and of the clock."""
    url = context.engine.url.render_as_string(hide_password=False)
    with reading(context.engine) as connection:
        run = Verification(connection, context.config.registry_id, url=url, jobs=jobs)
        began, clock = time.process_time(), time.perf_counter()
        wrong = list(run.findings())
        took = time.process_time() - began, time.perf_counter() - clock
    if wrong:
        raise RuntimeError(f"the ledger is not sound: {wrong[0]}")
    return run.sums.acts, *took


def _signatures(context: Context) -> list[Callable[[], None]]:
    """Of pulls all over the ledger, their keys loaded: what is left to do is the verification."""
    law = context.law()
    with reading(context.engine) as connection:
        newest = connection.execute(sa.select(sa.func.max(t.acts.c.seq))).scalar_one()
        step = max(1, newest // _BARE)
        query = sa.select(t.acts.c.actor, t.acts.c.envelope).where(
            t.acts.c.kind == "pull", t.acts.c.seq % step == 0
        )
        return [_call(law, actor, bytes(envelope)) for actor, envelope in connection.execute(query)]


def _call(law: Law, actor: str, envelope: bytes) -> Callable[[], None]:
    parsed, holder = dsse.Envelope.from_bytes(envelope), law.state.holder(actor)
    assert holder is not None
    key: VerifyingKey = holder.signing
    sig, data = parsed.signatures[0].sig, dsse.pae(parsed.payload_type, parsed.payload)
    return lambda: key.verify(sig, data)


def _bare(signed: list[Callable[[], None]]) -> float:
    """Signatures in a second of one core; the best of several rounds."""
    return max(_once(signed) for _ in range(_ROUNDS))


def _once(signed: list[Callable[[], None]]) -> float:
    began = time.process_time()
    for verify in signed:
        verify()
    return len(signed) / (time.process_time() - began)
