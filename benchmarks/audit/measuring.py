"""Everything measured on one ledger."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.audit import cases, sampling, verifying
from benchmarks.audit.grounds import BEGIN, END, Ground
from benchmarks.audit.timing import Timed, timed
from benchmarks.audit.verifying import Rates
from registry.lawbook import Lawbook
from registry.records.database import reading

LIMIT = 200.0  # milliseconds that 95 of 100 questions may take


@dataclass(frozen=True)
class Measured:
    """By question, as an auditor asks it and some as an engineer; and how fast all of it is verified."""

    ground: Ground
    questions: Mapping[str, Timed]
    rates: Rates | None
    law: int = 0  # acts
    cold: float = 0.0  # seconds to read them from the ledger
    warm: float = 0.0  # and where this member's programs have read them before

    @property
    def worst(self) -> tuple[str, float]:
        """The question whose 95 of 100 take longest."""
        return max(((name, one.tail) for name, one in self.questions.items()), key=lambda one: one[1])


def measure(ground: Ground, samples: int, rounds: int, *, only: str = "", verified: bool = True) -> Measured:
    """All questions whose name holds ``only``, each about ``samples`` things."""
    found: dict[str, Timed] = {}
    law, cold, warm = _starts(ground)
    with ground.open() as context:
        drawn = sampling.draw(context, samples, BEGIN, END)
        asked = {**cases.searches(drawn, END), **cases.ready(drawn, END)}
        found |= timed(context, _chosen(asked, only), rounds)
        rates = verifying.measure(context) if verified else None
    with ground.open("engineer") as context:
        narrow = cases.narrowed(context, drawn, END)
        asked = {f"{name}, by an engineer": calls for name, calls in narrow.items()}
        found |= timed(context, _chosen(asked, only), rounds)
    return Measured(ground, found, rates, law, cold, warm)


def _starts(ground: Ground) -> tuple[int, float, float]:
    """How many acts the law has; seconds to read it for the first time, and again in another process."""
    with ground.open() as context, reading(context.engine) as connection:
        began = time.perf_counter()
        law = Lawbook(context.config.registry_id).read(connection)
        cold = time.perf_counter() - began
        context.law()  # remembers it
    with ground.open() as context:
        began = time.perf_counter()
        context.law()
        return law.state.position, cold, time.perf_counter() - began


def _chosen(asked: Mapping[str, list[cases.Call]], only: str) -> dict[str, list[cases.Call]]:
    return {name: calls for name, calls in asked.items() if only in name}
