"""The law changed by many at once: every act gets in under the newest, and nobody reads who must not."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from registry import access
from support import worlds
from support.aftermath import Stage, World, sound, spotless, verifies, versions
from support.company import Company
from support.forks import Nursery
from support.jobs import Done
from support.pausing import Pausable

MANY = 8
DEEDS = 4  # of each process
READERS = ("bob", "carol", "dave", "erin")
HEAD_START = 0.3  # seconds in which all the children are there and wait


@pytest.fixture
def company(memory: Path, backend: worlds.Backend, tmp_path: Path) -> Company:
    """Two admins, four readers of n/m, which has a version; bob and carol are team ml."""
    made = Company(memory, backend)
    made.enroll("frank", role="admin")
    made.enroll(*READERS)
    made.team("ml", "bob", "carol")
    made.publish(worlds.make_model(tmp_path / "source").parent, "n/m")
    return made


def _at_once(nursery: Nursery, deeds: list[tuple[Any, ...]]) -> list[Done]:
    start = time.time() + HEAD_START
    children = [nursery.start("together", start, *deed) for deed in deeds]
    ended = [nursery.wait(child) for child in children]
    assert not any(one.late or one.signal for one in ended), ended
    return [one.result for one in ended]


def test_eight_grants_by_two_admins_all_stand(company: Company, nursery: Nursery) -> None:
    """Each is signed under the law it knows; whoever comes second signs again."""
    deeds = [
        ("law", company.home, company.file(("alice", "frank")[turn]), "grant", name, ["pull"], target)
        for turn, target in enumerate(("n/m", "n/"))
        for name in READERS
    ]
    done = _at_once(nursery, deeds)
    assert [one.text for one in done if one.error] == []
    assert len({one.value.seq for one in done}) == MANY
    with company.open() as context:
        found = {(one["grantee"], one["target"]) for one in access.grants(context)}
        assert found == {(name, target) for name in READERS for target in ("n/m", "n/")}
        assert "refusal" not in [act.kind for act, _ in worlds.acted(context)]
    assert company.readers(*READERS, ref="n/m") == set(READERS)
    company.clean()


def test_eight_revocations_of_one_grant(company: Company, nursery: Nursery) -> None:
    """One takes it back; the others find that it does not stand. The vault moves by one epoch."""
    company.grant("bob", "pull", "n/m")
    epoch = company.epochs()["n/m"]
    deed = ("law", company.home, company.file("alice"), "revoke", "bob", ["pull"], "n/m")
    done = _at_once(nursery, [deed] * MANY)
    assert sorted(str(one.error) for one in done) == ["GrantNotFound"] * (MANY - 1) + ["None"]
    assert company.epochs()["n/m"] == epoch + 1
    assert company.readers(*READERS, ref="n/m") == set()
    company.clean()


def _script(company: Company, worker: int, out: Path) -> list[tuple[Any, ...]]:
    """What one process does: admins change the law, readers read."""
    chance, home = random.Random(worker), company.home
    if worker % 2:
        return [("read", home, company.file(READERS[worker // 2]), "n/m") for _ in range(DEEDS)]
    admin, script = company.file(("alice", "frank")[worker // 2 % 2]), list[tuple[Any, ...]]()
    for _ in range(DEEDS):
        name, target = chance.choice((*READERS, "ml")), chance.choice(("n/m", "n/"))
        what: list[tuple[Any, ...]] = [
            ("grant", name, ["pull"], target),
            ("revoke", name, ["pull"], target),
            ("rotate", target),
        ]
        script.append(("law", home, admin, *chance.choice(what)))
    return script


# A grant that another has taken back cannot be; who has none now is refused. Nothing else may go wrong.
EXPECTED = {"law": {"GrantNotFound"}, "read": {"NotPermitted"}}


def test_eight_processes_granting_revoking_and_reading(
    company: Company, nursery: Nursery, memory: Path
) -> None:
    files = company.read("alice", "n/m")
    scripts = [_script(company, worker, memory) for worker in range(MANY)]
    start = time.time() + HEAD_START
    children = [nursery.start("many", start, script) for script in scripts]
    results = [nursery.wait(child) for child in children]
    for script, ended in zip(scripts, results, strict=True):
        assert ended.result is not None, ended
        for deed, done in zip(script, ended.result, strict=True):
            assert done.error is None or done.error in EXPECTED[deed[0]], done.text
            if deed[0] == "read" and done.error is None:
                assert done.value == files
    _as_the_law_says(company)
    company.clean()


def _as_the_law_says(company: Company) -> None:
    """Whoever has a grant now reads, the others do not, and the tables are those of a replay."""
    with company.open() as context:
        allowed = {one["member"] for one in access.effective(context, on="n/m") if one["action"] == "pull"}
    assert company.readers("alice", "frank", *READERS, ref="n/m") == allowed
    assert allowed >= {"alice", "frank"}


# --- a push, and a revocation in the middle of it -----------------------------------------------


@pytest.mark.parametrize("reencrypt", [False, True])
def test_a_push_during_which_somebody_is_revoked(
    company: Company, nursery: Nursery, memory: Path, reencrypt: bool
) -> None:
    """The push has stored one blob when the vault moves on: it seals again, lands, and bob reads none."""
    company.grant("ml", "pull", "n/")
    company.grant("bob", "pull", "n/m")
    source = worlds.make_model(memory / "source", "cnn", external="w.bin").parent
    pushed = Pausable(nursery, World(company.home, source, "n/m", memory / "out"))
    pushed.wait()
    company.revoke("ml", "pull", "n/", reencrypt=reencrypt)
    company.revoke("bob", "pull", "n/m", reencrypt=reencrypt)
    company.grant("dave", "pull", "n/m")
    assert pushed.finish().ref.version == 2
    assert company.readers(*READERS, ref="n/m:2") == {"dave"}
    assert company.readers(*READERS, ref="n/m:1") == {"dave"}
    assert (company.read("dave", "n/m:2").keys()) == {"model.onnx", "w.bin"}
    company.clean()


def test_pushes_and_rotations_at_once(stage: Stage, nursery: Nursery) -> None:
    """Four processes push, four rotate: every version is there and verifies."""
    world = stage.world()
    assert nursery.run("attempt", "push", world.home, world.source, world.ref).result.error is None
    rotation = ("law", world.home, None, "rotate", world.ref)
    half = MANY // 2
    done = _at_once(nursery, [("push", world.home, world.source, world.ref)] * half + [rotation] * half)
    assert [one.text for one in done if one.error] == []
    with worlds.open_context(world.home) as context:
        assert versions(context, world.ref) == 1 + half
        assert context.law().state.vaults[world.ref].epoch == 1 + half
        for number in range(1, 2 + half):
            verifies(context, f"{world.ref}:{number}")
        sound(context)
        spotless(context)
