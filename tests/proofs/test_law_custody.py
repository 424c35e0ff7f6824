"""Which keys follow from an act: the readers of a vault, who joins, what begins anew, in which order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from registry import acts
from registry.crypto import possession
from registry.crypto.identity import Identity
from registry.errors import Malformed
from registry.law.custody import check, readers
from registry.law.paths import path
from support.scribe import Scribe

MODEL = "vision/net"


@pytest.fixture
def scribe() -> Scribe:
    """bob pulls vision/net, ml (carol) pulls vision/; audio/vad is root's alone; dan has nothing."""
    made = Scribe()
    made.enroll("bob", "carol", "dan")
    made.add(acts.Team("ml"))
    made.add(acts.TeamAdd("ml", "carol"))
    made.add(acts.Create(MODEL))
    made.add(acts.Create("audio/vad"))
    made.add(acts.Grant("bob", ("pull",), MODEL))
    made.add(acts.Grant("ml", ("pull",), "vision/"))
    return made


def in_an_hour(scribe: Scribe) -> str:
    return acts.timestamp(scribe.now + timedelta(hours=1))


# --- the rule ---------------------------------------------------------------------------------


def test_the_readers_of_each_vault(scribe: Scribe) -> None:
    assert {vault: scribe.shares(vault) for vault in scribe.epochs()} == {
        "/": {"root": False},
        "ml": {"/": False, "carol": False},
        "vision/": {"/": False, "ml": False},
        MODEL: {"vision/": False, "bob": False},
        "audio/": {"/": False},
        "audio/vad": {"audio/": False},
    }


def test_by_right_and_in_fact_are_the_same(scribe: Scribe) -> None:
    for vault in scribe.epochs():
        assert readers(scribe.law.state, vault, scribe.time) == scribe.shares(vault)


@pytest.mark.parametrize("action", ["push", "promote"])
def test_what_needs_no_key_gets_none(scribe: Scribe, action: acts.Action) -> None:
    need = scribe.need(acts.Grant("dan", (action,), MODEL))
    assert (need.begin, need.add) == ({}, frozenset())


@pytest.mark.parametrize("action", ["pull", "grant"])
def test_what_needs_a_key_gets_it(scribe: Scribe, action: acts.Action) -> None:
    actions = tuple(one for one in acts.ACTIONS if one in ("push", action))
    need = scribe.need(acts.Grant("dan", actions, MODEL))
    assert (need.begin, need.add) == ({}, {(MODEL, "dan", False)})


def test_a_share_is_limited_as_long_as_every_reason_is(scribe: Scribe) -> None:
    end = in_an_hour(scribe)
    scribe.add(acts.Grant("dan", ("pull",), MODEL, end))
    assert scribe.shares(MODEL)["dan"] is True
    scribe.add(acts.Grant("dan", ("push",), MODEL))
    assert scribe.shares(MODEL)["dan"] is True
    scribe.add(acts.Grant("dan", ("grant",), MODEL))
    assert scribe.shares(MODEL)["dan"] is False
    scribe.add(acts.Revoke("dan", ("grant",), MODEL))
    assert scribe.shares(MODEL)["dan"] is True
    assert scribe.epochs()[MODEL] == 1


def test_a_reader_whose_time_is_over_is_put_out_by_the_next_act_there(scribe: Scribe) -> None:
    scribe.add(acts.Grant("dan", ("pull",), MODEL, in_an_hour(scribe)))
    scribe.now += timedelta(hours=1)
    assert "dan" not in readers(scribe.law.state, MODEL, scribe.time)
    assert path(scribe.law.state, "dan", MODEL, scribe.time) == []
    need = scribe.need(acts.Grant("carol", ("pull",), MODEL))
    assert need.begin == {MODEL: {"vision/": False, "bob": False, "carol": False}}
    assert need.add == frozenset()


def test_an_act_about_another_vault_leaves_it_alone(scribe: Scribe) -> None:
    scribe.add(acts.Grant("dan", ("pull",), MODEL, in_an_hour(scribe)))
    scribe.now += timedelta(hours=1)
    need = scribe.need(acts.Grant("carol", ("pull",), "audio/vad"))
    assert (need.begin, need.add) == ({}, {("audio/vad", "carol", False)})


# --- beginning --------------------------------------------------------------------------------


def test_a_model_begins_its_vault_and_its_namespaces(scribe: Scribe) -> None:
    need = scribe.need(acts.Create("text/bert"))
    assert list(need.begin.items()) == [("text/", {"/": False}), ("text/bert", {"text/": False})]
    need = scribe.need(acts.Create("vision/other"))
    assert dict(need.begin) == {"vision/other": {"vision/": False}}


def test_a_grant_on_what_is_not_there_yet_begins_it(scribe: Scribe) -> None:
    """Also a grant that needs no key: its reader is the vault above alone."""
    assert dict(scribe.need(acts.Grant("dan", ("push",), "text/")).begin) == {"text/": {"/": False}}
    need = scribe.need(acts.Grant("dan", ("pull",), "text/bert"))
    assert dict(need.begin) == {"text/": {"/": False}, "text/bert": {"text/": False, "dan": False}}


def test_a_model_created_later_is_under_the_namespaces_grants(scribe: Scribe) -> None:
    scribe.add(acts.Create("vision/later"))
    carol = path(scribe.law.state, "carol", "vision/later", scribe.time)
    assert carol == [("carol", "ml"), ("ml", "vision/"), ("vision/", "vision/later")]
    assert path(scribe.law.state, "bob", "vision/later", scribe.time) == []


# --- leaving ----------------------------------------------------------------------------------

ALL_OF_VISION = ["vision/", MODEL]
LEAVES: dict[str, tuple[Any, list[str]]] = {
    "a reader of a model": (acts.Revoke("bob", ("pull",), MODEL), [MODEL]),
    "a team of a namespace": (acts.Revoke("ml", ("pull",), "vision/"), ALL_OF_VISION),
    "a member of a team": (acts.TeamRemove("ml", "carol"), ["ml", *ALL_OF_VISION]),
    "a disabled reader": (acts.Disable("bob"), [MODEL]),
    "a disabled member of a team": (acts.Disable("carol"), ["ml", *ALL_OF_VISION]),
    "a disabled member without a share": (acts.Disable("dan"), []),
    "the root, on demand": (acts.Rotate("/"), ["/", "ml", "audio/", "vision/", "audio/vad", MODEL]),
    "a namespace, on demand": (acts.Rotate("vision/"), ALL_OF_VISION),
    "a model, on demand": (acts.Rotate(MODEL), [MODEL]),
    "a team, on demand": (acts.Rotate("ml"), ["ml", *ALL_OF_VISION]),
}


@pytest.mark.parametrize("who", LEAVES)
def test_what_begins_anew_when_somebody_leaves(scribe: Scribe, who: str) -> None:
    """The vault they read, and every vault sealed to that: those above before those below."""
    body, wanted = LEAVES[who]
    before = scribe.epochs()
    need = scribe.need(body)
    assert list(need.begin) == wanted
    assert need.add == frozenset()
    assert scribe.epochs() == before  # asking changes nothing
    scribe.add(body)
    assert scribe.epochs() == {vault: epoch + (vault in wanted) for vault, epoch in before.items()}


def test_an_admin_who_leaves_takes_every_vault_along(scribe: Scribe) -> None:
    scribe.enroll("eve", role="admin")
    need = scribe.need(acts.Disable("eve"))
    assert set(need.begin) == set(scribe.epochs())
    assert need.begin["/"] == {"root": False}


def test_who_stays_by_another_grant_stays(scribe: Scribe) -> None:
    scribe.add(acts.Grant("bob", ("grant",), MODEL))
    need = scribe.need(acts.Revoke("bob", ("pull",), MODEL))
    assert (need.begin, need.add) == ({}, frozenset())


def _proof(name: str) -> bytes:
    return possession.prove(Identity.generate(name))


def test_an_own_new_key_gets_the_old_ones_shares(scribe: Scribe) -> None:
    need = scribe.need(acts.Replace("carol", _proof("carol")), "carol")
    assert (need.begin, need.add) == ({}, {("ml", "carol", False)})


def test_a_lost_key_ends_every_epoch_that_it_could_open(scribe: Scribe) -> None:
    need = scribe.need(acts.Replace("carol", _proof("carol")), "root")
    assert list(need.begin) == ["ml", *ALL_OF_VISION]
    assert need.begin["ml"] == {"/": False, "carol": False}


# --- paths ------------------------------------------------------------------------------------


def test_paths_lead_from_ones_own_key(scribe: Scribe) -> None:
    state, time = scribe.law.state, scribe.time
    assert path(state, "root", "/", time) == [("root", "/")]
    assert path(state, "root", "ml", time) == [("root", "/"), ("/", "ml")]
    assert path(state, "root", MODEL, time) == [("root", "/"), ("/", "vision/"), ("vision/", MODEL)]
    assert path(state, "bob", MODEL, time) == [("bob", MODEL)]
    assert path(state, "bob", "vision/", time) == []
    assert path(state, "carol", "vision/", time) == [("carol", "ml"), ("ml", "vision/")]
    assert path(state, "dan", MODEL, time) == path(state, "bob", "none/at-all", time) == []
    assert path(state, "carol", "/", time) == path(state, "bob", "ml", time) == []


# --- the check --------------------------------------------------------------------------------

BODIES: dict[str, Any] = {
    "create": acts.Create("text/bert"),
    "grant": acts.Grant("dan", ("pull",), MODEL),
    "revoke": acts.Revoke("ml", ("pull",), "vision/"),
    "disable": acts.Disable("carol"),
    "rotate": acts.Rotate("/"),
    "team": acts.Team("night"),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_keys_of_one_act_fit_no_other(scribe: Scribe, name: str) -> None:
    """Every pair: what is right for the one is refused for the other."""
    need = scribe.need(BODIES[name])
    for other, body in BODIES.items():
        custody = scribe.whole(body).custody
        if other == name:
            check(scribe.law.state, need, custody)
        else:
            with pytest.raises(Malformed):
                check(scribe.law.state, need, custody)


@pytest.mark.parametrize("name", BODIES)
def test_each_single_share_is_needed(scribe: Scribe, name: str) -> None:
    need, custody = scribe.need(BODIES[name]), scribe.whole(BODIES[name]).custody
    less = [replace(custody, shares=_without(custody.shares, n)) for n in range(len(custody.shares))]
    for at, vault in enumerate(custody.vaults):
        less.append(replace(custody, vaults=_without(custody.vaults, at)))
        for n in range(len(vault.shares)):
            poorer = replace(vault, shares=_without(vault.shares, n))
            less.append(replace(custody, vaults=(*custody.vaults[:at], poorer, *custody.vaults[at + 1 :])))
    assert less
    for one in less:
        with pytest.raises(Malformed):
            check(scribe.law.state, need, one)


def _without(parts: tuple[Any, ...], position: int) -> tuple[Any, ...]:
    return (*parts[:position], *parts[position + 1 :])
