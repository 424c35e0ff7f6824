"""The watch: it goes on where it was, believes nothing unverified, and loses no report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry import acts, admission
from registry.audit.watch import state, watching
from registry.audit.watch.rules import Rules
from registry.errors import Conflict, DatabaseUnavailable, InvalidInput, NotPermitted, Unavailable
from registry.records import database, tables
from registry.records.database import writing
from support import courtroom
from support.courtroom import Court
from support.watching import Guard, rule

EVERY = rule("", "pull")
WRONG = rule("", "failed-verification", say="{code} {on}: {detail}") + rule("", "fork", id="forked")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with courtroom.build(tmp_path_factory.mktemp("court") / "home") as court:
        yield court


@pytest.fixture
def court(built: Court, tmp_path: Path) -> Iterator[Court]:
    with courtroom.copied(built, tmp_path / "court") as court:
        yield court


def pull(court: Court, by: str = "bob", purpose: str = "run") -> int:
    return court.admit(by, court.about(acts.Pull, purpose=purpose)).proof.entry.seq


def entries(guard: Guard) -> list[int]:
    return [one.event.seq for one in guard.looks()]


# --- going on -----------------------------------------------------------------------------------------


def test_it_begins_with_what_comes_next_and_reports_it_once(court: Court) -> None:
    pull(court)
    guard = Guard(court, EVERY)
    assert entries(guard) == []
    done = guard.round()
    assert (done.begin, done.end) == (len(court.envelopes()), len(court.envelopes()))
    new = [pull(court), pull(court)]
    assert entries(guard) == new
    assert entries(guard) == []


def test_the_next_watch_goes_on_where_the_last_one_was(court: Court) -> None:
    Guard(court, EVERY).looks()
    new = pull(court)
    assert entries(Guard(court, EVERY)) == [new]
    assert entries(Guard(court, EVERY)) == []


def test_from_an_entry_on_it_begins_anew(court: Court) -> None:
    first, second = pull(court), pull(court)
    Guard(court, EVERY).looks()
    assert entries(Guard(court, EVERY, start=0)) == [first, second]
    assert entries(Guard(court, EVERY, start=second)) == [second]
    with pytest.raises(InvalidInput, match="no such entry"):
        Guard(court, EVERY, start=second + 2).looks()


def test_it_learns_from_what_came_before_it_began(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    pull(court)
    pull(court)
    monkeypatch.setattr(watching, "WARM", 1)
    little = Guard(court, rule("context.pulls == 2", "pull"), name="little")
    done = little.round()
    assert (done.begin, done.end) == (len(court.envelopes()) - 1, len(court.envelopes()))
    monkeypatch.undo()
    guard = Guard(court, rule("context.pulls == 3", "pull"))
    assert entries(guard) == []
    assert [pull(court)] == entries(guard) == entries(little)


def test_small_steps_and_one_big_step_make_the_same_reports(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And batches of any size, with the same ids: whoever hears something twice can tell."""
    text = rule("context.pulls > 1 || context.refusals > 0", quiet="10m")
    stepwise, found = Guard(court, text, start=0, name="steps"), []
    for number in range(6):
        court.later(minutes=4)
        pull(court, ("bob", "mel")[number % 2])
        found += stepwise.looks()
    at_once = Guard(court, text, start=0, name="once").looks()
    monkeypatch.setattr("registry.audit.watch.following.BATCH", 3)
    in_threes = Guard(court, text, start=0, name="threes").looks()
    assert found == at_once == in_threes
    assert len({one.id for one in found}) == len(found) > 1


def test_a_report_that_nobody_takes_is_made_again(court: Court) -> None:
    guard = Guard(court, rule("context.pulls > 1", "pull", say="{pulls}"))
    guard.looks()
    new = [pull(court) for _ in range(4)][1:]
    guard.post.left = 1
    for _ in range(2):  # the second round fails at once: nothing is lost, and nothing is counted twice
        with pytest.raises(Unavailable):
            guard.round()
    guard.post.left = None
    guard.round()
    taken = guard.post.take()
    assert [one.event.seq for one in taken] == new
    assert [one.say for one in taken] == ["2", "3", "4"]


def test_after_a_crash_the_same_report_has_the_same_id(court: Court) -> None:
    guard = Guard(court, rule("", "pull") + rule("", "pull", id="second"))
    guard.looks()
    kept = guard.path.read_bytes()
    pull(court)
    before = guard.looks()
    guard.path.write_bytes(kept)
    assert Guard(court, rule("", "pull") + rule("", "pull", id="second")).looks() == before


def test_only_admins_and_auditors_may_watch(court: Court) -> None:
    for name in ("bob", "gus", "pusher", "mel"):
        with pytest.raises(NotPermitted, match="only an auditor or an admin"):
            Guard(court, by=name)
    Guard(court, by="root").looks()


def test_a_ledger_that_nobody_can_read_is_told_though_no_role_is_known(court: Court) -> None:
    """And who may not watch hears nothing when it can be read again."""
    pull(court)
    Guard(court, WRONG).looks()
    seq = len(court.envelopes()) - 1
    honest = court.envelopes()[seq]
    change(court, seq, envelope=court.envelopes()[seq - 1])
    assert Guard(court, WRONG).hears() == ["rule"]
    bob = Guard(court, WRONG, by="bob", name="bobs")
    assert bob.hears() == ["rule"]
    change(court, seq, envelope=honest)
    with pytest.raises(NotPermitted):
        bob.looks()


def test_one_watch_at_a_time_keeps_a_memory(court: Court) -> None:
    path = court.home / state.NAME
    with state.alone(path), pytest.raises(Conflict), state.alone(path):
        pass
    with state.alone(path), state.alone(court.home / "other.json"):
        pass


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept | {"size": 2 * kept["size"] + 1},
        lambda kept: kept | {"registry": "0" * 64},
        lambda kept: kept | {"subtrees": ["00"]},
        lambda kept: kept | {"more": 1},
        lambda kept: [],
    ],
    ids=["size", "registry", "subtrees", "unknown", "list"],
)
def test_a_memory_that_does_not_read_is_not_begun_anew_in_silence(court: Court, damage: object) -> None:
    guard = Guard(court)
    guard.looks()
    guard.path.write_text(json.dumps(damage(json.loads(guard.path.read_bytes()))))  # type: ignore[operator]
    with pytest.raises(InvalidInput, match="memory"):
        Guard(court)


def test_the_memory_is_nobody_elses(court: Court) -> None:
    guard = Guard(court)
    guard.looks()
    assert guard.path.stat().st_mode & 0o777 == 0o600


# --- believing ----------------------------------------------------------------------------------------


def change(court: Court, seq: int, **values: object) -> None:
    with writing(court.engine) as connection:
        connection.execute(sa.update(tables.acts).where(tables.acts.c.seq == seq).values(**values))


def test_a_changed_entry_is_named_and_waited_for(court: Court) -> None:
    guard = Guard(court, WRONG + rule("", "pull", id="pulled"))
    guard.looks()
    pull(court)
    seq, last = pull(court), pull(court)
    honest = court.envelopes()[seq]
    change(court, seq, envelope=court.sign("bob", court.about(acts.Pull, purpose="else")).to_bytes())
    (report,) = guard.looks()
    assert report.rule == "rule"
    assert report.say.startswith("bad-proof the ledger")
    assert f"entry {seq}" in report.say
    assert guard.round().trouble is not None
    assert guard.post.take() == []  # told once, and believed in no part
    change(court, seq, envelope=honest)
    assert entries(guard) == [seq - 1, seq, last]


def test_a_missing_entry_is_named(court: Court) -> None:
    guard = Guard(court, WRONG)
    guard.looks()
    seq = pull(court)
    pull(court)
    with writing(court.engine) as connection:
        connection.execute(sa.delete(tables.acts).where(tables.acts.c.seq == seq))
    (report,) = guard.looks()
    assert f"entry {seq}" in report.say


def smuggle(court: Court, name: str, body: acts.Body, **header: str) -> int:
    """A door that is not ours admits an act without asking who may do what."""
    newest = [act.digest for act in court.ledger() if act.is_law][-1]
    header = {"law": newest, **header}
    authority, envelope = court.root.authority, court.sign(name, body, **header)
    act = acts.decode(envelope.payload)
    with writing(court.engine) as connection:
        return admission.admit(connection, authority.key, authority.registry_id, act, envelope, name)


def test_an_act_that_the_door_should_have_refused_is_told_and_passed(court: Court) -> None:
    """The ledger has it, and it proves nothing but that the door is not to be trusted."""
    guard = Guard(court, WRONG + rule("", "pull", id="pulled"))
    guard.looks()
    wrong = smuggle(court, "nobody", court.about(acts.Pull, purpose="run"))
    right = pull(court)
    reports = guard.looks()
    assert [(one.rule, one.event.seq) for one in reports] == [("rule", wrong), ("pulled", right)]
    assert "nobody may not pull" in reports[0].say


def test_an_act_that_is_in_the_ledger_under_a_law_gone_by_is_told(court: Court) -> None:
    guard = Guard(court, WRONG)
    guard.looks()
    before = court.root.law().head
    pull(court)
    body = court.about(acts.Pull, purpose="run")
    court.enact("root", acts.Revoke(grantee="bob", actions=("pull",), target=courtroom.MODEL))
    late = smuggle(court, "bob", body, law=before)
    smuggle(court, "mel", body)
    (report,) = guard.looks()
    assert report.event.seq == late
    assert "not where the law puts it" in report.say


def test_a_checkpoint_by_another_key_is_told_once(court: Court) -> None:
    guard = Guard(court, WRONG)
    guard.looks()
    with writing(court.engine) as connection:
        note = connection.execute(sa.select(tables.head.c.note)).scalar_one()
        changed = note[:-10] + ("A" if note[-10] != "A" else "B") + note[-9:]
        connection.execute(sa.update(tables.head).values(note=changed))
    assert guard.hears() == ["rule"]
    assert guard.hears() == []


def test_history_rewritten_behind_the_watch_is_a_fork(court: Court) -> None:
    guard = Guard(court, WRONG)
    with courtroom.undone(court):
        pull(court, purpose="one")
        guard.looks()
    pull(court, purpose="two")  # the same length, and longer
    assert guard.hears() == ["forked"]
    pull(court)
    done = guard.round()
    assert (done.begin, done.end, done.reports) == (done.end, done.end, 0)
    assert done.trouble is not None
    assert done.trouble.code == "bad-checkpoint"


def test_a_fork_from_what_the_home_remembers_is_one_too(court: Court) -> None:
    remembered = court.root.paths.checkpoint
    with courtroom.undone(court):
        court.root.act(court.about(acts.Pull, purpose="one"))
        note = remembered.read_bytes()
    remembered.write_bytes(note)
    guard = Guard(court, WRONG, start=0)
    assert guard.hears() == ["forked"]
    assert guard.hears() == []


def test_on_postgresql_as_on_sqlite(tmp_path: Path, postgres_url: str) -> None:
    with courtroom.build(tmp_path / "home", courtroom.Database(postgres_url)) as court:
        guard = Guard(court, WRONG + rule("", "pull", id="pulled"), start=0)
        assert guard.hears() == []
        with courtroom.undone(court):
            pull(court)
            assert guard.hears() == ["pulled"]
        (report,) = guard.looks()
        assert report.rule == "forked"
        assert "shorter than it was" in report.event.detail


# --- standing still -------------------------------------------------------------------------------------


def test_a_standstill_is_told_once_until_something_comes(court: Court) -> None:
    guard = Guard(court, rule("context.minutes >= 60", "standstill", say="{minutes}"))
    guard.looks()
    court.later(minutes=59)
    assert guard.hears() == []
    court.later(minutes=2)
    assert [one.say for one in guard.looks()] == ["61"]
    court.later(minutes=500)
    assert guard.hears() == []
    pull(court)
    assert guard.hears() == []
    court.later(minutes=61)
    assert guard.hears() == ["rule"]


def test_a_ledger_that_cannot_be_read_stands_still_too(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard(court, rule("context.minutes >= 60", "standstill"))
    guard.looks()
    court.later(hours=2)

    def gone(*_: object) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(watching, "reading", gone)
    with pytest.raises(DatabaseUnavailable):
        guard.round()
    assert [one.rule for one in guard.post.take()] == ["rule"]
    monkeypatch.setattr(watching, "reading", database.reading)
    assert guard.hears() == []


def test_the_rules_that_ship_are_read_where_none_are_named() -> None:
    assert len(Rules.load().rules) >= 10
