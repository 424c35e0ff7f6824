"""The tables are a projection: whatever acts were admitted or refused, replaying the ledger gives them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from registry import acts, fsck, statements
from registry.audit.verify import engine
from registry.audit.verify.finding import Finding
from registry.crypto.identity import Identity
from registry.errors import (
    BadEncryption,
    BadRelease,
    Conflict,
    Denied,
    InvalidInput,
    NotFound,
    Untrusted,
)
from registry.keyring import open_links
from registry.law.law import Law
from registry.law.rights import why
from registry.records import schema, tables
from registry.records.database import open_engine, reading
from registry.ways import way
from support.custodian import public_of
from support.forgeries import FORGERIES
from support.publisher import Publisher

REFUSALS = (InvalidInput, NotFound, Denied, Untrusted, Conflict)
MODELS = ("vision/net", "audio/vad")
FORGED = (
    "a changed time",
    "a replayed act",
    "a second genesis",
    "a bundle that is none",
    "a push without its sealed keys",
    "an act signed under a law that never was",
)
PEOPLE = ("bob", "carol", "dora")
TEAMS = ("ml", "night")
PLACES = ("vision/", "audio/", *MODELS)
ACTIONS = st.lists(st.sampled_from(acts.ACTIONS), min_size=1, unique=True).map(
    lambda some: tuple(action for action in acts.ACTIONS if action in some)
)
NAMES = ("prod", "beta", "1.0", "2.0")
Edit = Callable[[sa.Table, list[sa.ColumnElement[bool]]], sa.Executable]
CONTENTS = (b"graph 1", b"graph 2", b"weights", b"")


class Registry(RuleBasedStateMachine):
    """Random acts at the door: many are admitted, many refused; the tables follow the ledger alone."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.engine = open_engine(f"sqlite:///{self.folder / 'db'}")
        schema.upgrade(self.engine)
        self.alice = Publisher(self.engine)
        self.versions: dict[str, int] = dict.fromkeys(MODELS, 0)

    def teardown(self) -> None:
        fsck.rebuild(self.engine)
        self.nothing_differs()
        self.engine.dispose()
        shutil.rmtree(self.folder)

    def attempt(self, body: acts.Body) -> bool:
        with suppress(*REFUSALS):
            self.alice.admit(body)
            return True
        return False

    @rule(
        model=st.sampled_from(MODELS),
        graph=st.sampled_from(CONTENTS),
        beside=st.dictionaries(st.sampled_from(("w.bin", "a/b.bin")), st.sampled_from(CONTENTS)),
        label=st.none() | st.sampled_from(NAMES),
        aliases=st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
        metadata=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=3), max_size=2),
    )
    def push(self, model: str, graph: bytes, beside: dict[str, bytes], **fields: Any) -> None:
        contents = {"model.onnx": graph, **beside}
        body = self.alice.push(contents, model=model, **fields)
        self.versions[model] += self.attempt(body)

    @precondition(lambda self: any(self.versions.values()))
    @rule(
        data=st.data(),
        kind=st.sampled_from([(acts.Alias, "name"), (acts.Yank, "reason"), (acts.Pull, "purpose")]),
        value=st.sampled_from(NAMES),
    )
    def act_on_a_version(self, data: st.DataObject, kind: tuple[type[Any], str], value: str) -> None:
        model = data.draw(st.sampled_from([name for name, count in self.versions.items() if count]))
        number = data.draw(st.integers(1, self.versions[model]))
        self.attempt(self.alice.about(kind[0], number, model, **{kind[1]: value}))

    @rule(name=st.sampled_from(PEOPLE), role=st.sampled_from(acts.ROLES))
    def enroll(self, name: str, role: acts.Role) -> None:
        with suppress(*REFUSALS):
            self.alice.enroll(name, role)

    @rule(name=st.sampled_from(PEOPLE))
    def disable(self, name: str) -> None:
        with suppress(*REFUSALS):
            self.alice.disable(name)

    @rule(name=st.sampled_from(PEOPLE), own=st.booleans())
    def replace(self, name: str, own: bool) -> None:
        with suppress(*REFUSALS):
            self.alice.replace(name, self.alice.members.get(name) if own else None)

    @rule(team=st.sampled_from(TEAMS), name=st.sampled_from(PEOPLE), kind=st.sampled_from("tja"))
    def teams(self, team: str, name: str, kind: str) -> None:
        body = {"t": acts.Team(team), "j": acts.TeamAdd(team, name), "a": acts.TeamRemove(team, name)}[kind]
        with suppress(*REFUSALS):
            self.alice.enact(body)

    @rule(
        who=st.sampled_from((*PEOPLE, *TEAMS)),
        actions=ACTIONS,
        place=st.sampled_from(PLACES),
        hours=st.none() | st.integers(1, 3),
    )
    def grant(self, who: str, actions: Any, place: str, hours: int | None) -> None:
        with suppress(*REFUSALS):
            self.alice.grant(who, actions, place, self.alice.now + timedelta(hours=hours) if hours else None)

    @rule(who=st.sampled_from((*PEOPLE, *TEAMS)), actions=ACTIONS, place=st.sampled_from(PLACES))
    def revoke(self, who: str, actions: Any, place: str) -> None:
        with suppress(*REFUSALS):
            self.alice.revoke(who, actions, place)

    @rule(vault=st.sampled_from(("/", *TEAMS, *PLACES)))
    def rotate(self, vault: str) -> None:
        with suppress(*REFUSALS):
            self.alice.rotate(vault)

    @rule(text=st.sampled_from(("", "permit(principal, action, resource);", "nonsense")))
    def policy(self, text: str) -> None:
        with suppress(*REFUSALS):
            self.alice.policy(text)

    @rule(minutes=st.integers(1, 90))
    def time_passes(self, minutes: int) -> None:
        self.alice.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.versions["vision/net"])
    @rule(name=st.sampled_from(FORGED))
    def forge(self, name: str) -> None:
        before = dict(self.versions)
        try:
            brought = FORGERIES[name].made(self.alice)
        except REFUSALS:  # the honest act that is to be forged is refused by now: its version was yanked
            return
        with pytest.raises(REFUSALS):
            self.alice.submit(brought.envelope, keys=brought.keys)
        assert before == self.versions

    @invariant()
    def every_reader_reads_and_nobody_else(self) -> None:
        """With the private keys that members have now: the vaults' halves open for those who may, alone."""
        law, time = self.alice.law(), acts.timestamp(self.alice.now)
        for vault in law.state.vaults:
            for name, identity in self.alice.members.items():
                opened = self.opens(law, identity, vault)
                wanted = vault in PLACES and bool(why(law.state, name, "pull", vault, time))
                assert opened == self.may_open(law, name, vault, time), (name, vault)
                if vault in MODELS:
                    assert opened == wanted, (name, vault)

    def may_open(self, law: Law, name: str, vault: str, time: str) -> bool:
        state = law.state
        if not state.active(name):
            return False
        if state.members[name].role == "admin":
            return True
        if vault in TEAMS:
            return vault in state.teams_of(name)
        return vault in PLACES and bool(why(state, name, "pull", vault, time))

    def opens(self, law: Law, identity: Identity, vault: str) -> bool:
        """Whether the door's way to the vault is there, and opens with this identity's keys."""
        authority, time = self.alice.authority, acts.timestamp(self.alice.now)
        try:
            with reading(self.engine) as connection:
                links = way(connection, law, authority.key, identity.name, vault, time)
            key = open_links(identity, law, links, vault)
        except (BadRelease, BadEncryption):
            return False
        return key.public == public_of(law, vault).public

    @invariant()
    def nothing_differs(self) -> None:
        with reading(self.engine) as connection:
            found = findings(connection, self.alice)
            counted = sa.select(tables.versions.c.model, sa.func.count()).group_by(tables.versions.c.model)
            numbers = dict(connection.execute(counted).all())
        assert found == []
        assert {name: numbers.get(name, 0) for name in MODELS} == self.versions


Registry.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=16,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestRegistry = Registry.TestCase


def test_the_replay_notices_a_lost_row_of_every_table(alice: Publisher) -> None:
    """So the property above can fail, in each table."""
    assert unnoticed(alice, lambda table, where: sa.delete(table).where(*where)) == []


def test_the_replay_notices_a_changed_cell_of_every_table(alice: Publisher) -> None:
    def change(table: sa.Table, where: list[sa.ColumnElement[bool]]) -> sa.Update:
        column = [column for column in table.columns if not column.primary_key or len(table.columns) == 1][-1]
        return sa.update(table).where(*where).values({column.name: _another(column)})

    assert unnoticed(alice, change) == []


def unnoticed(alice: Publisher, edit: Edit) -> list[str]:
    """The tables in which the edit of one row is not found; each edit is rolled back."""
    alice.admit(alice.push(metadata={"team": "vision"}))
    alice.disable("dora")
    alice.policy("permit(principal, action, resource);")
    alice.admit(descended(alice))
    missed = []
    with alice.authority.engine.connect() as connection:
        for table in (*tables.LEDGER, *tables.PROJECTION):
            with connection.begin() as transaction:
                connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
                row = connection.execute(sa.select(table)).first()
                assert row is not None, f"nothing in {table.name} to edit"
                where = [column == row._mapping[column.name] for column in table.primary_key]
                assert findings(connection, alice) == []
                connection.execute(edit(table, where))
                if not findings(connection, alice):
                    missed.append(table.name)
                transaction.rollback()
    return missed


def descended(alice: Publisher) -> acts.Attest:
    """Version 1 was made from another model."""
    version = alice.about(acts.Yank, 1, reason="only for its digest")
    predicate = {"parent": {"digest": "0" * 64}}
    key = alice.identity.signing
    statement = statements.signed(version.model, version.digest, acts.RECIPE, predicate, key)
    return acts.Attest(version.model, 1, version.digest, statement)


def findings(connection: sa.Connection, alice: Publisher) -> list[Finding]:
    return list(engine.findings(connection, alice.authority.registry_id))


def _another(column: sa.Column[Any]) -> object:
    if column.type.python_type is bytes:
        return b"another"
    return 77 if issubclass(column.type.python_type, int) else "another"
