"""The ledgers that benchmarks are run on: what the door would have let in, and the same for the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry import fsck
from registry.acts import LAW
from registry.acts.deeds import DEED_BODIES
from registry.context import Context
from registry.policy.engine import Policies
from registry.records import tables
from registry.records.database import reading
from support import ledgers

_BATCHES = 2_100  # acts: two full batches of signatures and one that is not


@pytest.fixture(scope="module")
def home() -> Path:
    return ledgers.shared(_BATCHES)


def _envelopes(home: Path) -> list[bytes]:
    with Context(home) as context, reading(context.engine) as connection:
        query = sa.select(tables.acts.c.envelope).order_by(tables.acts.c.seq)
        return [bytes(envelope) for envelope in connection.execute(query).scalars()]


def _note(home: Path) -> str:
    with Context(home) as context, reading(context.engine) as connection:
        return str(connection.execute(sa.select(tables.head.c.note)).scalar_one())


def test_the_replay_finds_nothing_wrong_but_that_there_are_no_files(home: Path) -> None:
    with Context(home) as context:
        checked = fsck.fsck(context)
    assert checked.acts == _BATCHES
    assert {finding.code for finding in checked.findings} == {"blob-missing"}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = ledgers.make(tmp_path / "a", 150), ledgers.make(tmp_path / "b", 150)
    assert first == second
    assert _envelopes(tmp_path / "a") == _envelopes(tmp_path / "b")
    assert _note(tmp_path / "a") == _note(tmp_path / "b")
    for file in ("identity.pem", "auditor.pem", "engineer.pem", "ledger.pem"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_another_seed_gives_another_company(tmp_path: Path) -> None:
    assert ledgers.make(tmp_path / "other", 150, seed=2) != ledgers.make(tmp_path / "one", 150, seed=1)


def test_everything_that_can_happen_happens(home: Path) -> None:
    with Context(home) as context, reading(context.engine) as connection:
        kinds = Counter(connection.execute(sa.select(tables.acts.c.kind)).scalars())
        outcomes = Counter(connection.execute(sa.select(tables.events.c.outcome)).scalars())
        parents = connection.execute(sa.select(sa.func.count()).select_from(tables.parents)).scalar_one()
    assert set(kinds) >= {body.kind for body in DEED_BODIES} | (LAW - {"rotate", "team"})
    assert kinds["pull"] > _BATCHES // 2
    assert 0.01 < outcomes["refused"] / _BATCHES < 0.05
    assert outcomes["failed"] == kinds["failure"]
    assert parents > 20


@pytest.mark.parametrize(
    ("file", "role"), [("identity", "admin"), ("auditor", "auditor"), ("engineer", "member")]
)
def test_its_people_can_open_it(home: Path, file: str, role: str) -> None:
    with Context(home, identity_file=home / f"{file}.pem") as context:
        assert context.law().state.signer(context.keyid).role == role


def test_its_policies_are_policies() -> None:
    for number in (1, 3, 20):
        assert Policies.parse(ledgers.module("policies").policy(number)).names


def test_no_two_people_are_called_alike() -> None:
    person = ledgers.module("names").person
    assert len({person(number) for number in range(6_000)}) == 6_000


def test_every_question_of_the_benchmarks_has_an_answer() -> None:
    cases, grounds, sampling = (
        ledgers.benchmark(f"audit.{name}") for name in ("cases", "grounds", "sampling")
    )
    ground = grounds.Ground(ledgers.SMALL, grounds.SQLITE, ledgers.shared())
    with ground.open() as context:
        samples = sampling.draw(context, 2, grounds.BEGIN, grounds.END)
        asked = {**cases.searches(samples, grounds.END), **cases.ready(samples, grounds.END)}
        assert len(asked) > 40
        assert all(calls[-1](context) is not None for calls in asked.values())
    with ground.open("engineer") as context:
        narrow = cases.narrowed(context, samples, grounds.END)
        assert all(calls[0](context) is not None for calls in narrow.values())
