"""Every way to tamper with a ledger that we thought of: `audit verify` names it, a client says its part.

The attacks stand in tables: of whoever writes the database (``support.writers_attacks``, ``index_attacks``,
``table_attacks``, ``sealed_attacks``), and of whoever has the ledger's key as well (``thiefs_attacks``). The
threat model shows them all.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from registry import acts, catalog, witnesses, witnessing
from registry.crypto import dsse
from registry.records import tables
from support import attacks, index_attacks, sealed_attacks, table_attacks, thiefs_attacks, writers_attacks
from support.attack_page import rendered
from support.commandline import call
from support.ledger_attacks import behind, clean, decoded, forget, found
from support.outcomes import Misled
from support.story import STORY
from support.victim import MODEL, VERSION, Victim, attackers_engine
from support.writers_attacks import SIZE

FAMILIES = (writers_attacks, index_attacks, table_attacks, sealed_attacks, thiefs_attacks)
TABLE = tuple(attack for family in FAMILIES for attack in family.ATTACKS)
EVERY = {f"{one.family}, {one.name}": one for one in TABLE}
ANYWHERE = (  # these on PostgreSQL as well: one of each kind of comparison
    "an entry, a pull's payload",
    "an entry, one hidden before the first",
    "a history, an old database put back",
    "the index, an act's kind",
    "the past, a pull dropped",
    "a new act, a grant to oneself",
    "the audit's record, an event's member",
    "the audit's record, a count",
    "the audit's record, words that nobody said",
    "a row dropped from, `grants`",
    "the sealed keys, one changed",
)
sqlite = pytest.mark.parametrize("victim", ["sqlite+directory"], indirect=True)


@sqlite
@pytest.mark.parametrize("attack", EVERY)
def test_it_is_found(victim: Victim, attack: str) -> None:
    EVERY[attack].holds(victim)


@pytest.mark.parametrize("victim", ["postgresql+s3"], indirect=True)
@pytest.mark.parametrize("attack", ANYWHERE)
def test_it_is_found_on_a_server(victim: Victim, attack: str) -> None:
    EVERY[attack].holds(victim)


@sqlite
@pytest.mark.parametrize("attack", [name for name, one in EVERY.items() if one.newcomer])
def test_who_remembers_nothing_sees_what_is_wrong_in_itself(victim: Victim, attack: str) -> None:
    EVERY[attack].holds_for_newcomers(victim)


# --- the controls -----------------------------------------------------------------------------------


@sqlite
def test_an_honest_ledger_holds(victim: Victim) -> None:
    """With everything in it that is attacked: refusals, cosignatures that nobody believes, a failure."""
    clean(victim)
    body = acts.Failure(MODEL, VERSION, attacks.push_body(victim).digest, "test", 10, "bad-digest")
    behind("bob", body)(victim)
    clean(victim)
    victim.passes()


def test_every_table_and_every_column_of_the_index_is_attacked() -> None:
    named = {one.on.split(" ")[0].split(".")[0] for one in table_attacks.ATTACKS}
    assert named >= {table.name for table in tables.PROJECTION}
    columns = {one.on.partition(", ")[2] for one in index_attacks.INDEX}
    assert columns >= {f"acts.{column.name}" for column in tables.acts.c} - {"acts.seq", "acts.envelope"}


def test_the_threat_model_shows_them_all() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "threat-model.md"
    assert rendered(TABLE) in page.read_text("utf-8")


@sqlite
def test_there_are_many_and_no_two_are_one(victim: Victim) -> None:
    assert len(EVERY) == len(TABLE) >= 100
    assert tuple(row["kind"] for row in victim.rows["acts"]) == STORY


# --- the command ------------------------------------------------------------------------------------

COMMANDS = ("an entry, a pull's payload", "the audit's record, a count", "the past, a pull dropped")


@sqlite
@pytest.mark.parametrize("attack", COMMANDS)
def test_the_command_ends_with_5_and_names_it(victim: Victim, attack: str) -> None:
    one = EVERY[attack]
    verify = ("--home", victim.home, "audit", "verify", "--jobs", 1)
    assert call(*verify).done().err == ""
    one.does(victim)
    told = call(*verify)
    assert (told.code, told.out) == (5, "")
    assert one.code in told.err
    assert one.on in told.err
    error = call(*verify, "--json").document()["error"]
    assert one.on in error["on"]


# --- an act admitted twice --------------------------------------------------------------------------


@pytest.fixture
def loose(victim: Victim, tmp_path: Path) -> Iterator[Victim]:
    """A copy whose database no longer keeps acts apart by their digests; prod went to 1 and to 2 again."""
    with victim.open() as context:
        catalog.alias(context, f"{MODEL}:1", "prod")
        catalog.alias(context, f"{MODEL}:{VERSION}", "prod")
    home = Path(shutil.copytree(victim.home, tmp_path / "home", ignore=shutil.ignore_patterns("*-shm")))
    copy = replace(victim, home=home, engine=attackers_engine(sa.make_url(f"sqlite:///{home}/registry.db")))
    _loosen(copy)
    yield copy
    copy.release()


def _loosen(victim: Victim) -> None:
    """The table of acts as it was, but for the constraint that keeps digests apart."""
    with victim.engine.begin() as connection:
        made = connection.execute(sa.text("SELECT sql FROM sqlite_master WHERE name = 'acts'")).scalar_one()
        loose, count = re.subn(r",\s*CONSTRAINT \w+ UNIQUE \(digest\)", "", made)
        assert count == 1, made
        for statement in (
            "ALTER TABLE acts RENAME TO strict",
            loose,
            "INSERT INTO acts SELECT * FROM strict",
        ):
            connection.execute(sa.text(statement))
        connection.execute(sa.text("DROP TABLE strict"))


@sqlite
def test_an_act_admitted_twice_is_found(loose: Victim) -> None:
    """Alice's own act of yesterday, once more, by whoever has the ledger's key: prod is version 1 again.

    A client sees an act by who may, under the law that holds; only who reads every entry sees it twice.
    """
    again = loose.read()["acts"][SIZE]["envelope"]
    assert decoded(again).body == acts.Alias(MODEL, 1, attacks.push_body(loose, 1).digest, "prod")
    attacks.admit(loose, lambda _: again)
    found(loose, "duplicate-act", f"entry {SIZE + 2}")
    Misled(1, "").hold(loose)


# --- what others remember, and what nobody can know -------------------------------------------------


@pytest.fixture
def watched(victim: Victim) -> Victim:
    """The home demands one witness, who has seen the ledger as it is."""
    with victim.open() as context:
        key = witnessing.key_of(context)
        witnessing.witness(context, key, victim.scratch / "cosigned")
        witnesses.require(context, 1, [key.public.vkey])
    return victim


PASTS = [one for one in thiefs_attacks.PAST if one.newcomer and one.newcomer[0] == ""]


@sqlite
@pytest.mark.parametrize("attack", [one.name for one in PASTS])
def test_a_witness_remembers_for_who_does_not(watched: Victim, attack: str) -> None:
    """A past that is as good as any to a newcomer, but not to one who demands a witness of the other."""
    one = next(one for one in PASTS if one.name == attack)
    clean(watched)
    one.does(watched)
    forget(watched)
    found(watched, "bad-checkpoint", "")
    attacks.refused(watched, 2, "bad-checkpoint")


@sqlite
def test_a_cosignature_taken_away_is_missed_by_who_demands_it(watched: Victim) -> None:
    watched.execute(sa.delete(tables.cosignatures).where(tables.cosignatures.c.name != "a witness"))
    found(watched, "bad-checkpoint", "")
    attacks.refused(watched, 2, "bad-checkpoint")


@sqlite
def test_a_cosignature_changed_is_refused_by_who_demands_it(watched: Victim) -> None:
    watched.execute(sa.update(tables.cosignatures).values(line=tables.cosignatures.c.line + "AAAA"))
    found(watched, "bad-checkpoint", "")
    attacks.refused(watched, 2, "bad-checkpoint")


@sqlite
def test_a_cosignature_that_nobody_demands_says_nothing(victim: Victim) -> None:
    """The story has one that was made up; one more changes nothing either."""
    victim.execute(sa.update(tables.cosignatures).values(line="forged"))
    clean(victim)
    victim.passes()


@sqlite
def test_a_refusal_that_the_ledgers_key_made_up_holds(victim: Victim) -> None:
    """What nobody can see: refusals are that key's own word. The threat model says so."""
    told = acts.Refusal(member="frank", count=1, since="2026-01-01T00:00:00.000000Z", code="not-permitted")
    with victim.open() as context:
        key, header = context.authority.key, context.header(context.law().head)
    payload = acts.encode(msgspec.structs.replace(header, actor=key.keyid), told)
    attacks.admit(victim, lambda _: dsse.sign(payload, key).to_bytes())
    clean(victim)
    victim.passes()
