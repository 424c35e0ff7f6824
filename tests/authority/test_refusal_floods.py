"""A flood of refusals writes a bounded number of entries, and an exact count of the rest."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from registry import acts, authority, fsck
from registry.crypto import dsse
from registry.crypto.keys import SigningKey
from registry.errors import Denied, NotPermitted, RegistryError, Untrusted
from registry.records import tables
from registry.records.database import reading, writing
from registry.refusals import TERM, TOLD
from support import courtroom, forging
from support.courtroom import MODEL, Court, Database


def written(court: Court) -> Counter[str]:
    """Refusals told in full, by member."""
    return Counter(one.member for one in court.refusals() if one.code)


def counted(court: Court) -> Counter[str]:
    """Refusals that a count stands for, by member."""
    found: Counter[str] = Counter()
    for one in court.refusals():
        if not one.code:
            found[one.member] += one.count
    return found


def pull(court: Court) -> None:
    court.admit("bob", court.about(acts.Pull, purpose="run"))


def refused(court: Court, name: str, times: int) -> None:
    body, law = acts.Policy(text=""), court.root.law().head
    for _ in range(times):
        with suppress(Denied):
            court.admit(name, body, law=law)


def clean(court: Court) -> None:
    assert {one.code for one in fsck.fsck(court.root).findings} <= {"blob-missing"}


# --- attackers ------------------------------------------------------------------------------------

Wave = Callable[[Court, int, str], object]  # the court, the number of the attack, the newest law


def _by_one_member(court: Court, n: int, law: str) -> object:
    body = acts.Yank(model=MODEL, number=1, digest="5a" * 32, reason=str(n))
    return court.admit("mel", body, law=law)


def _with_ever_new_targets(court: Court, n: int, law: str) -> object:
    return court.admit("mel", acts.Grant(grantee="mel", actions=("pull",), target=f"space-{n}/"), law=law)


def _by_a_stranger_with_a_new_key(court: Court, n: int, law: str) -> object:
    key = SigningKey.generate()
    header = court.header("bob", actor=key.verifying.keyid, law=law)
    return court.submit(dsse.sign(acts.encode(header, acts.Policy(text="")), key))


def _malformed(court: Court, n: int, law: str) -> object:
    return court.submit(dsse.sign(b"%d" % n, court.known("mel").signing))


def _permits(court: Court, n: int, law: str) -> object:
    return authority.permit(court.root.authority, f"{n:064x}", f"space/{n}", str(n), court.now)


WAVES: tuple[Wave, ...] = (
    _malformed,
    _by_a_stranger_with_a_new_key,
    _permits,
    _by_one_member,
    _with_ever_new_targets,
)


def hasten(court: Court) -> None:
    """No commit waits for the disk: what a power cut would lose is not what is tested here."""
    court.engine.dispose()
    sa.event.listen(court.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF").close())


def flood(court: Court, times: int) -> None:
    law = court.root.law().head
    for n, wave in zip(range(times), cycle(WAVES), strict=False):
        with pytest.raises((Denied, Untrusted)):
            wave(court, n, law)


def test_a_flood_of_five_thousand_is_bounded_and_counted(court: Court) -> None:
    hasten(court)
    before = len(court.envelopes())
    flood(court, 5000)
    assert written(court) == {"mel": TOLD, "": TOLD}
    assert len(court.envelopes()) == before + 2 * TOLD
    with reading(court.engine) as connection:
        assert len(connection.execute(sa.select(tables.tallies)).all()) == 2
    court.later(hours=1)
    pull(court)
    assert counted(court) == {"mel": 2000 - TOLD, "": 3000 - TOLD}
    assert len(court.envelopes()) == before + 2 * TOLD + 2 + 1
    clean(court)


def test_a_flood_inside_postgresql_is_bounded_and_counted(tmp_path: Path, postgres_url: str) -> None:
    with courtroom.build(tmp_path / "home", Database(postgres_url)) as court:
        flood(court, 250)
        court.later(hours=1)
        pull(court)
        assert written(court) == {"mel": TOLD, "": TOLD}
        assert counted(court) == {"mel": 100 - TOLD, "": 150 - TOLD}
        clean(court)


def test_a_refusal_that_is_only_counted_leaves_the_ledger_alone(court: Court) -> None:
    refused(court, "mel", TOLD)
    before = court.rows()
    refused(court, "mel", 1)
    forging.unchanged(before, court.rows(), 0)


def test_a_flood_of_one_hides_no_other(court: Court) -> None:
    """Neither another member's attempt, nor one of a stranger's, drowns in it."""
    refused(court, "mel", 2 * TOLD)
    for name in ("bob", "dis", "stranger"):
        refused(court, name, 1)
    assert written(court) == {"mel": TOLD, "bob": 1, "dis": 1, "": 1}


# --- terms ----------------------------------------------------------------------------------------


def test_the_count_is_written_when_the_term_is_over(anywhere: Court) -> None:
    court, begun = anywhere, anywhere.at()
    refused(court, "mel", TOLD + 7)
    court.now += TERM - timedelta(microseconds=1)
    pull(court)
    assert not counted(court)
    court.now += timedelta(microseconds=1)
    pull(court)
    assert counted(court) == {"mel": 7}
    (summary,) = (one for one in court.refusals() if not one.code)
    assert (summary.since, summary.attempt, summary.target, summary.act) == (begun, "", "", None)
    pull(court)
    assert counted(court) == {"mel": 7}
    clean(court)


@pytest.mark.parametrize("next_one", ["mel", "bob", "stranger"])
def test_the_next_refusal_writes_the_count_as_well(court: Court, next_one: str) -> None:
    """Also where nothing is ever admitted, and whoever is refused."""
    refused(court, "mel", TOLD + 7)
    court.now += TERM
    refused(court, next_one, 1)
    assert counted(court) == {"mel": 7}
    assert sum(written(court).values()) == TOLD + 1


def test_every_term_tells_anew_and_counts_anew(court: Court) -> None:
    for _ in range(3):
        refused(court, "mel", TOLD + 5)
        court.now += TERM
    pull(court)
    assert written(court) == {"mel": 3 * TOLD}
    assert counted(court) == {"mel": 15}


def test_a_term_without_a_flood_writes_no_count(court: Court) -> None:
    refused(court, "mel", TOLD)
    court.now += TERM
    pull(court)
    assert not counted(court)


# --- what lies beside the ledger ------------------------------------------------------------------


def test_a_tally_taken_out_of_the_tables_only_resets_a_count(court: Court) -> None:
    refused(court, "mel", TOLD + 7)
    with writing(court.engine) as connection:
        connection.execute(sa.delete(tables.tallies))
    refused(court, "mel", 1)
    assert written(court) == {"mel": TOLD + 1}
    court.now += TERM
    pull(court)
    assert not counted(court)
    clean(court)


NONSENSE: dict[str, dict[str, Any]] = {
    "a count too large": {"counted": 2**31 - 1},
    "a count below nothing": {"counted": -7},
    "no time": {"since": ""},
    "a time that is none": {"since": "1999-13-77T99:99:99.999999Z"},
    "a time to come": {"since": "9999-12-31T23:59:59.999999Z"},
    "a text for a time": {"since": "zzz"},
    "a name too long": {"member": "m" * 128},
}


@pytest.mark.parametrize("flaw", NONSENSE)
def test_a_tally_that_makes_no_sense_stops_nobody(anywhere: Court, flaw: str) -> None:
    """Neither those who act, nor the record of those who are refused."""
    court = anywhere
    refused(court, "mel", TOLD + 7)
    with writing(court.engine) as connection:
        connection.execute(sa.update(tables.tallies).values(**NONSENSE[flaw]))
    court.now += TERM
    pull(court)
    refused(court, "mel", 1)
    assert written(court) == {"mel": TOLD + 1}
    clean(court)


# --- at once --------------------------------------------------------------------------------------


def test_refusals_from_two_processes_are_counted_right(anywhere: Court) -> None:
    court, each = anywhere, 40
    spawn = multiprocessing.get_context("spawn")
    start = time.time() + 4
    both = [spawn.Process(target=courtroom.pester, args=(court.home, start, each)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    court.now += 2 * TERM
    pull(court)
    assert written(court) == {"bob": TOLD}
    assert counted(court) == {"bob": 2 * each - TOLD}
    clean(court)


def test_a_refusal_that_cannot_be_written_lets_nothing_in(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = court.rows()

    def fails(*_: object) -> None:
        raise RegistryError("no entropy")

    monkeypatch.setattr("registry.admission.refuse", fails)
    with pytest.raises(RegistryError, match="no entropy"):
        court.admit("mel", acts.Policy(text=""))
    assert court.rows() == before
    monkeypatch.undo()
    with pytest.raises(NotPermitted):
        court.admit("mel", acts.Policy(text=""))
