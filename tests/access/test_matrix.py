"""The matrix of access: people of every kind, at the door and with a raw copy of everything.

A case is a person (role, grants, on what, for how long, through whom, and what has become of them) and an
action. What is right is told by ``support.rules``, which knows nothing of the program. The door must say the
same; and behind it, whoever may not read must not be able to, with all keys they ever had.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import access, members
from registry.errors import Denied, Disabled, NotPermitted
from support.burglar import burgle, lying_open
from support.cast import FOUNDER, refused
from support.picklock import Key
from support.profiles import ROLES, STATES, Profile, profiles
from support.town import EARLY, LATE, MODEL, Town

PEOPLE = profiles(135)
ACTIONS = ("pull", "push", "promote", "grant")
TOWNS = 3
CASES = [pytest.param(action, one, id=f"{action}-{one}") for one in PEOPLE for action in ACTIONS]
EACH = [pytest.param(one, id=str(one)) for one in PEOPLE]
REPLACED = [pytest.param(one, id=str(one)) for one in PEOPLE if one.state in ("replaced", "lost")]
AUDITORS = [
    pytest.param(one, id=str(one)) for one in PEOPLE if one.role == "auditor" and one.state != "disabled"
]


@pytest.fixture(scope="module")
def towns(quick: Path) -> Iterator[list[Town]]:
    """A few worlds, which share the people among them."""
    made = [Town(quick / f"town{number}", PEOPLE[number::TOWNS]) for number in range(TOWNS)]
    yield made
    for town in made:
        town.close()


@pytest.fixture
def town(towns: list[Town], request: pytest.FixtureRequest) -> Town:
    """The world of the person whom the test is about."""
    return next(town for town in towns if request.node.callspec.params["profile"] in town.named)


def test_there_are_cases_enough() -> None:
    assert len(CASES) >= 500
    assert len({case.id for case in CASES}) == len(CASES)
    assert {(one.role, one.state) for one in PEOPLE} >= {(r, s) for r in ROLES[:-1] for s in STATES[:-1]}


@pytest.mark.parametrize(("action", "profile"), CASES)
def test_the_door_says_what_the_rules_say(action: str, profile: Profile, town: Town) -> None:
    name = town.named[profile]
    error = getattr(town, action)(name)
    may = town.rules.may(name, action, MODEL, town.now)
    assert (error is None) == may, f"{name} {action}: {error}"
    if profile.state == "disabled":
        assert isinstance(error, Disabled)


@pytest.mark.parametrize("profile", EACH)
def test_a_raw_copy_opens_what_the_rules_say_and_nothing_else(profile: Profile, town: Town) -> None:
    name = town.named[profile]
    haul = burgle(town.late, town.cast.keys(name))
    assert haul.opened == town.late.contents(town.readable(name))


@pytest.mark.parametrize("profile", EACH)
def test_what_opened_before_a_right_ended_opens_nothing_after(profile: Profile, town: Town) -> None:
    name = town.named[profile]
    hoard = town.hoards[name]
    assert hoard.haul.opened == town.early.contents(hoard.may)
    later = burgle(town.late, [*town.cast.keys(name), *hoard.haul.keys])
    ended = {model for model in LATE if town.rules.never(name, model)}
    assert not later.models() & ended
    assert later.models() >= town.readable(name)


@pytest.mark.parametrize("profile", REPLACED)
def test_a_key_that_was_replaced_is_worth_nothing(profile: Profile, town: Town) -> None:
    name = town.named[profile]
    old = town.older(name)
    assert old
    assert burgle(town.late, [Key.of(identity) for identity in old]).opened == frozenset()
    for identity in old:
        error = refused(lambda who=identity: town.cast.acting(who).act(_pull(town)), Denied)
        assert isinstance(error, NotPermitted)


def _pull(town: Town):
    from registry import acts, catalog

    exact, digest = catalog.resolve(town.cast(FOUNDER), f"{MODEL}:1")
    return acts.Pull(exact.model, exact.version or 0, digest, "test")


def _by_the_door(town: Town) -> list[str]:
    """Those who may read the model for a time: not without the door."""
    return [
        name
        for name in town.people
        if town.rules.may(name, "pull", MODEL, town.now) and not town.rules.keeps(name, MODEL, town.now)
    ]


def test_a_limited_grant_opens_with_the_door_and_not_without_it(towns: list[Town]) -> None:
    assert sum(len(_by_the_door(town)) for town in towns) >= 4
    for town in towns:
        now = town.copied()
        for name in _by_the_door(town):
            keys = town.cast.keys(name)
            assert MODEL not in burgle(now, keys).models()
            shares = town.cast.fetch(name, f"{MODEL}:1").shares
            helped = burgle(now.plus((link.vault, link.reader, link.share) for link in shares), keys)
            assert helped.opened >= now.contents([MODEL])
            assert helped.models() <= {
                model for model in LATE if town.rules.may(name, "pull", model, town.now)
            }


def test_the_release_key_alone_opens_nothing(towns: list[Town]) -> None:
    for town in towns:
        assert burgle(town.late, [town.cast.release_key()], guesses=2).opened == frozenset()


# --- the burglar is no fool -------------------------------------------------------------------------


def test_with_all_keys_the_burglar_opens_every_sealed_secret_and_every_blob(towns: list[Town]) -> None:
    for town in towns:
        haul = burgle(town.late, [*town.everybody(), town.cast.release_key()])
        kept = {row["ciphertext"] for row in town.late.tables["sealed"]}
        assert haul.sealed >= kept
        assert haul.opened == town.late.contents(LATE)
        assert len(haul.opened) == len(EARLY) + len(LATE)


def test_the_admin_opens_everything_and_who_has_no_key_nothing(towns: list[Town]) -> None:
    for town in towns:
        assert burgle(town.late, town.cast.keys(FOUNDER)).opened == town.late.contents(LATE)
        assert burgle(town.late, []).opened == frozenset()
        assert lying_open(town.late) == lying_open(town.early) == frozenset()


def test_guessing_places_opens_no_more(towns: list[Town]) -> None:
    for town in towns:
        barred = [name for name in town.people if not town.readable(name)]
        for name in barred[::9]:
            assert burgle(town.late, town.cast.keys(name), guesses=2).opened == frozenset()


def test_readers_come_by_every_way(towns: list[Town]) -> None:
    """The positive controls are of every kind: direct, through a team, by the namespace, as an admin."""
    ways = {
        (profile.role, profile.way, profile.place)
        for town in towns
        for name, profile in town.people.items()
        if town.readable(name)
    }
    assert {("member", "direct"), ("member", "team"), ("admin", "")} <= {(role, way) for role, way, _ in ways}
    assert {"vision/", "vision/a", "vision/b", "sound/"} <= {place for _, _, place in ways}


@pytest.mark.parametrize("profile", AUDITORS)
def test_an_auditor_takes_no_grant_and_joins_no_team(profile: Profile, town: Town) -> None:
    name, root = town.named[profile], town.cast(FOUNDER)
    with pytest.raises(NotPermitted, match="auditor"):
        access.grant(root, name, ["push"], MODEL)
    if "t-auditors" not in town.rules.teams:
        members.create_team(root, "t-auditors")
        town.rules.teams["t-auditors"] = set()
    with pytest.raises(NotPermitted, match="auditor"):
        members.join_team(root, "t-auditors", name)
