"""An act of the law is cut short at any of its effects: it is there with all its keys, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from registry import access, identities, members
from registry.checkout import checkout
from registry.context import Context
from registry.errors import AlreadyExists, Denied, GrantNotFound
from registry.law.paths import path
from registry.push import push
from support import worlds
from support.aftermath import Accident, World, accidents, collected, sound
from support.faultline import SERVERS, How
from support.forks import Nursery
from support.graphs import files_of

# Failing, these do not make a deed fail: cleaning up behind what is done, giving a connection back.
STEP = 32  # every commit is struck, and the last effect of each name
# An act that is in the ledger is done: that old ciphertexts and the lease stay behind is for gc.
CLEANING = {"database BEGIN", "database DELETE", "database COMMIT"}
TOLERATED = {"disk unlink", "disk mkdir", "store DeleteObject", "database ROLLBACK", "database PING"}


@dataclass(frozen=True)
class Team:
    """Who is in a world: ``reader`` reads its model, ``other`` does, too, and ``guest`` does not yet."""

    reader: str
    other: str
    guest: str


class Company:
    """Gives out worlds with members, and a model in each. On SQLite they are copies; on servers they are new
    members and a new namespace of one registry."""

    def __init__(self, root: Path, backend: worlds.Backend) -> None:
        self.root = root
        self.embedded = backend.database is None
        self.home = worlds.make_home(root / "home", backend)
        self.source = worlds.make_model(root / "source").parent
        self.people = root / "people"
        self.people.mkdir()
        self._numbers = count(1)
        self._teams: dict[str, Team] = {}
        self._first = self._fill("a/m") if self.embedded else None

    def _fill(self, ref: str) -> Team:
        number = len(self._teams)
        team = Team(*(f"{name}{number}" for name in ("reader", "other", "guest")))
        with worlds.open_context(self.home) as context:
            for name in (team.reader, team.other, team.guest):
                identities.create(name, self.file(name), None)
                members.add(context, self.file(name).with_suffix(".pub"))
            push(context, self.source, ref)
            access.grant(context, team.reader, ["pull"], ref)
            access.grant(context, team.other, ["pull"], ref)
        self._teams[ref] = team
        return team

    def file(self, name: str) -> Path:
        return self.people / f"{name}.pem"

    def team(self, world: World) -> Team:
        return self._teams[world.ref]

    def world(self) -> World:
        number = next(self._numbers)
        out = self.root / f"out{number}"
        out.mkdir()
        if self.embedded:
            return World(
                Path(shutil.copytree(self.home, self.root / f"home{number}")), self.source, "a/m", out
            )
        self._fill(f"n{number}/m")
        return World(self.home, self.source, f"n{number}/m", out)

    def leave(self, world: World) -> None:
        shutil.rmtree(world.out)
        if self.embedded:
            shutil.rmtree(world.home)

    def reads(self, world: World, file: Path | None) -> bool:
        """Whether this identity gets the model, whole; or else is denied, and no share leads it there."""
        with worlds.open_context(world.home, identity_file=file) as context:
            law = context.law()
            try:
                model = checkout(context, world.ref)
            except Denied:
                name = context.identity.name
                if _counts(world, file or world.home / "identity.pem"):
                    assert path(law.state, name, world.ref, "9999") == []
                return False
            return {name: bytes(view) for name, view in model.files.items()} == files_of(self.source)


@pytest.fixture
def company(memory: Path, backend: worlds.Backend) -> Company:
    return Company(memory, backend)


@dataclass(frozen=True)
class Deed:
    """What is done, whether it was, and who may read before and after it."""

    job: Callable[[Company, World], tuple[object, ...]]  # the name of the job, and its arguments
    done: Callable[[Context, Team], bool]
    again: Callable[[Context, World, Team], object]
    before: tuple[bool, bool, bool]  # reader, other, guest
    after: tuple[bool, bool, bool]


def _grant(company: Company, world: World) -> tuple[object, ...]:
    return "law", world.home, None, "grant", company.team(world).guest, ["pull"], world.ref


def _revoke(company: Company, world: World) -> tuple[object, ...]:
    return "law", world.home, None, "revoke", company.team(world).reader, ["pull"], world.ref


def _reencrypt(company: Company, world: World) -> tuple[object, ...]:
    return "revoke_reencrypting", world.home, None, company.team(world).reader, world.ref


def _disable(company: Company, world: World) -> tuple[object, ...]:
    return "law", world.home, None, "disable", company.team(world).reader


DEEDS = {
    "grant": Deed(
        _grant,
        lambda context, team: bool(access.grants(context, team.guest)),
        lambda context, world, team: access.grant(context, team.guest, ["pull"], world.ref),
        (True, True, False),
        (True, True, True),
    ),
    "revoke": Deed(
        _revoke,
        lambda context, team: not access.grants(context, team.reader),
        lambda context, world, team: access.revoke(context, team.reader, ["pull"], world.ref),
        (True, True, False),
        (False, True, False),
    ),
    "revoke-with-reencryption": Deed(
        _reencrypt,
        lambda context, team: not access.grants(context, team.reader),
        lambda context, world, team: access.revoke(context, team.reader, ["pull"], world.ref, reencrypt=True),
        (True, True, False),
        (False, True, False),
    ),
    "disable": Deed(
        _disable,
        lambda context, team: members.show(context, team.reader)["state"] == "disabled",
        lambda context, world, team: members.disable(context, team.reader),
        (True, True, False),
        (False, True, False),
    ),
}


def _readers(company: Company, world: World) -> tuple[bool, bool, bool]:
    assert company.reads(world, None)  # the admin, whatever happens
    team = company.team(world)
    reader, other, guest = (
        company.reads(world, company.file(n)) for n in (team.reader, team.other, team.guest)
    )
    return reader, other, guest


def _aftermath(company: Company, accident: Accident, deed: Deed, *, must: bool | None = None) -> None:
    """Done with every key, or not done at all. Once more, and it is done; nothing is left over."""
    world, team = accident.world, company.team(accident.world)
    with worlds.open_context(world.home) as context:
        sound(context)
        done = deed.done(context, team)
        assert must in (None, done), accident.name
        assert _readers(company, world) == (deed.after if done else deed.before), accident.name
        try:
            deed.again(context, world, team)
        except (AlreadyExists, GrantNotFound):
            assert done, accident.name
        assert _readers(company, world) == deed.after, accident.name
        collected(context)
        assert sound(context).orphans == ()


def _tried(company: Company, nursery: Nursery, deed: Deed, how: How, step: int) -> list[Accident]:
    job = str(deed.job(company, company.world())[0])
    struck = accidents(
        company, nursery, how, _kinds(company), job, lambda world: deed.job(company, world)[1:], step=step
    )
    found = []
    for accident in struck:
        if how == "kill-after":
            assert accident.ended.killed, accident.name
            _aftermath(company, accident, deed)
        elif accident.done.error is None:
            assert accident.done.hit in TOLERATED | CLEANING, accident.name
            _aftermath(company, accident, deed, must=True)
        else:
            assert accident.done.exit_code == 7, f"{accident.name}: {accident.done.text}"
            _aftermath(company, accident, deed)
        found.append(accident)
    return found


def _kinds(company: Company) -> frozenset[str]:
    return SERVERS | {"disk"} if company.embedded else SERVERS


# Of the ways to be struck each deed has some, and all deeds together have all.
# On servers, where a deed takes far longer, they are killed; what an error leaves is the same everywhere.
HOME, TEAM = "sqlite+directory", "postgresql+s3"
STRUCK: list[tuple[str, str, How]] = [
    *((backend, name, "kill-after") for backend in (HOME, TEAM) for name in DEEDS),
    (HOME, "revoke", "error"),
    (HOME, "revoke-with-reencryption", "error"),
    (HOME, "revoke", "lost"),
]


@pytest.mark.parametrize(("backend", "name", "how"), STRUCK, indirect=["backend"])
def test_an_act_of_the_law_cut_short_at_any_effect(
    company: Company, nursery: Nursery, name: str, how: How
) -> None:
    assert _tried(company, nursery, DEEDS[name], how, STEP)


# --- new keys ------------------------------------------------------------------------------------


def _rotate(company: Company, world: World) -> tuple[object, ...]:
    reader = company.team(world).reader
    return world.home, company.file(reader), "replace_own", world.out / "new.pem", None


@pytest.mark.parametrize(
    ("backend", "how"),
    [(HOME, "kill-after"), (HOME, "error"), (HOME, "lost"), (TEAM, "kill-after")],
    indirect=["backend"],
)
def test_a_member_who_takes_new_keys_is_never_left_without(
    company: Company, nursery: Nursery, how: How
) -> None:
    """One of the two files counts, reads what the member may, and can be replaced by the next."""
    kinds = SERVERS | {"disk"}
    for accident in accidents(
        company, nursery, how, kinds, "law", lambda world: _rotate(company, world), step=STEP
    ):
        world, team = accident.world, company.team(accident.world)
        old, new = company.file(team.reader), world.out / "new.pem"
        with worlds.open_context(world.home) as context:
            sound(context)
        counts = [file for file in (old, new) if file.exists() and _counts(world, file)]
        assert len(counts) == 1, accident.name
        assert company.reads(world, counts[0]), accident.name
        if counts == [new]:
            assert not company.reads(world, old), accident.name
        if not accident.ended.killed and accident.done.error is not None:
            assert accident.done.exit_code == 7, f"{accident.name}: {accident.done.text}"
        with worlds.open_context(world.home, identity_file=counts[0]) as context:
            members.replace_own(context, world.out / "newer.pem", None)
        assert company.reads(world, world.out / "newer.pem"), accident.name
        assert not company.reads(world, counts[0]), accident.name


def _counts(world: World, file: Path) -> bool:
    """Whether these are a member's keys of now. A file that was cut short is nobody's."""
    if not file.read_bytes().endswith(b"-----END PRIVATE KEY-----\n"):
        return False
    with worlds.open_context(world.home, identity_file=file) as context:
        try:
            context.law().state.signer(context.keyid)
        except Denied:
            return False
        return True
