"""Rights asked for with what is remembered, and without: at every position of a law, the same answers."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec.structs import replace

from registry import acts
from registry.acts import Act
from registry.audit.verify.lawful import read_law
from registry.audit.verify.source import Source
from registry.audit.verify.standing import RIGHTS, Standing
from registry.context import Context
from registry.errors import Denied
from registry.law import rights
from registry.law.law import Law
from registry.records.database import reading
from support import ledgers

DIGEST = "0" * 64


@pytest.fixture(scope="module")
def law() -> Law:
    """Of a generated ledger: members who come and go, teams, grants that end."""
    with Context(ledgers.shared()) as context, reading(context.engine) as connection:
        source = Source(connection)
        genesis = source.rows("SELECT envelope FROM acts WHERE seq = 0")[0][0]
        return read_law(source, context.config.registry_id, genesis, ledgers.SMALL).law


def times(law: Law) -> list[str]:
    """Before everything, after everything, and around the end of every grant."""
    ends = {
        term.until
        for held in law.state.grants.values()
        for actions in held.values()
        for timeline in actions.values()
        for _, term in timeline.changes()
        if term is not None and term.until is not None
    }
    return ["0000", "9999", *sorted(ends)[:: max(1, len(ends) // 4)]]


def test_the_law_is_worth_asking(law: Law) -> None:
    assert len(times(law)) > 2
    assert any(held for held in law.state.joined.values())
    assert any(len(member.keys.changes()) > 1 for member in law.state.members.values())


def test_rights_are_those_of_the_law_at_every_position(law: Law) -> None:
    standing, models = Standing(law), sorted(name for name in law.state.vaults if name.count("/") == 1)[:8]
    names = sorted({*law.state.held, *law.state.members} & law.state.members.keys())[:14]
    answers = set()
    for at, time in product(range(0, law.state.position + 1, 7), times(law)):
        for name, model, kind in product(names, models[::2], (acts.Pull, acts.Yank)):
            act = _act(kind, model, time)
            expected = bool(rights.why(law.state, name, RIGHTS[kind], model, time, at))
            assert standing.may(act, name, at) == expected, (at, time, name, model)
            answers.add((kind, expected))
    assert len(answers) == 4


def test_signers_are_those_of_the_law_at_every_position(law: Law) -> None:
    standing = Standing(law)
    for keyid, at in product(law.state.keyids, range(0, law.state.position + 2, 3)):
        found = standing.signer(keyid, at)
        try:
            member = law.state.signer(keyid, at)
        except Denied:
            assert found is None
        else:
            assert found is not None
            assert (found.name, found.key.keyid) == (member.name, keyid)
    assert standing.signer(DIGEST, 1) is None


def _act(kind: type[acts.Body], model: str, time: str) -> Act:
    header = acts.Header("", DIGEST, time, "", DIGEST, acts.Client("", ""))
    body = acts.Pull(model, 1, DIGEST, "run") if kind is acts.Pull else acts.Yank(model, 1, DIGEST, "wrong")
    return Act(replace(header), body, DIGEST)
