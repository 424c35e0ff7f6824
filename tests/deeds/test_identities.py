"""Who acts: the home's own identity, another one given, one behind a passphrase, a stranger's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import registry
from registry import catalog
from registry.checkout import checkout, verify
from registry.context import Context
from registry.errors import (
    BadIdentity,
    Denied,
    HomeNotFound,
    InvalidIdentity,
    NotFound,
    NotPermitted,
    RegistryError,
    WrongPassphrase,
)
from registry.fsck import fsck
from registry.pull import pull
from registry.push import push
from support import worlds

SECRET = b"correct horse battery staple"
DEEDS: dict[str, Callable[[Context, Path], object]] = {
    "push": lambda context, model: push(context, model, "vision/net"),
    "checkout": lambda context, model: checkout(context, "vision/net"),
    "pull": lambda context, model: pull(context, "vision/net", model.parent / "out"),
    "alias": lambda context, model: catalog.alias(context, "vision/net:1", "prod"),
    "yank": lambda context, model: catalog.yank(context, "vision/net:1", "broken"),
}


def test_a_member_may_bring_the_identity_in_a_file(home: Path, model: Path, tmp_path: Path) -> None:
    """A home that lost its own identity is no obstacle to a member who keeps it elsewhere."""
    shutil.move(home / "identity.pem", tmp_path / "usb-stick.pem")
    with worlds.open_context(home, identity_file=tmp_path / "usb-stick.pem") as context:
        for deed in DEEDS.values():
            deed(context, model)
        assert context.identity.name == "alice"
    with registry.connect(home, identity=tmp_path / "usb-stick.pem") as hallmark:
        hallmark.push(model, "vision/net")
    with worlds.open_context(home) as context, pytest.raises(NotFound):
        checkout(context, "vision/net")


def test_the_environment_may_name_the_identity(
    home: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds.make_identity(tmp_path / "eve.pem", "eve")
    monkeypatch.setenv("REGISTRY_IDENTITY", str(tmp_path / "eve.pem"))
    with registry.connect(home) as hallmark, pytest.raises(Denied):
        hallmark.push(model, "vision/net")


@pytest.mark.parametrize("deed", DEEDS)
def test_a_stranger_is_denied_and_leaves_no_trace_but_the_refusal(
    home: Path, model: Path, tmp_path: Path, deed: str
) -> None:
    with worlds.open_context(home) as context:
        push(context, model, "vision/net")
        before = worlds.dump(context)
    worlds.make_identity(tmp_path / "eve.pem", "alice")
    with worlds.open_context(home, identity_file=tmp_path / "eve.pem") as context:
        with pytest.raises(NotPermitted) as caught:
            DEEDS[deed](context, model)
        assert caught.value.exit_code == 4
        (refusal,) = worlds.only_refused(context, before)
        assert (refusal.member, refusal.code, refusal.count) == ("", "not-permitted", 1)
        assert refusal.attempt == {"checkout": "pull"}.get(deed, deed)
        assert refusal.target.startswith("vision/net")
    assert not (tmp_path / "out").exists()


def test_a_stranger_who_verifies_is_stopped_at_the_release(home: Path, model: Path, tmp_path: Path) -> None:
    with worlds.open_context(home) as context:
        push(context, model, "vision/net")
    worlds.make_identity(tmp_path / "eve.pem", "eve")
    with worlds.open_context(home, identity_file=tmp_path / "eve.pem") as context:
        outcomes = verify(context, "vision/net")
    assert [(outcome.number, outcome.ok) for outcome in outcomes][-1] == (8, False)
    assert "not a member" in outcomes[-1].detail


def test_a_home_behind_a_passphrase_does_everything_with_it(tmp_path: Path, model: Path) -> None:
    home = worlds.make_home(tmp_path / "locked", passphrase=SECRET)
    for key in ("identity.pem", "ledger.pem"):
        assert b"ENCRYPTED" in (home / key).read_bytes()
        assert (home / key).stat().st_mode & 0o777 == 0o600
    with worlds.open_context(home, passphrase=SECRET) as context:
        for deed in DEEDS.values():
            deed(context, model)
        assert fsck(context).findings == ()
    with registry.connect(home, passphrase=SECRET) as hallmark:
        hallmark.push(model, "vision/net")


def test_the_environment_may_hold_the_passphrase(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = worlds.make_home(tmp_path / "locked", passphrase=SECRET)
    monkeypatch.setenv("REGISTRY_PASSPHRASE", SECRET.decode())
    with registry.connect(home) as hallmark:
        assert hallmark.push(model, "vision/net").ref.version == 1


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home behind a passphrase, with a version, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("locked")
    home = worlds.make_home(folder / "home", passphrase=SECRET)
    with worlds.open_context(home, passphrase=SECRET) as context:
        push(context, worlds.make_model(folder / "model"), "vision/net")
    return home


@pytest.mark.parametrize("deed", DEEDS)
def test_without_the_passphrase_nothing_is_done(locked: Path, model: Path, deed: str) -> None:
    with worlds.open_context(locked) as context:
        before = worlds.dump(context)
        with pytest.raises(WrongPassphrase) as caught:
            DEEDS[deed](context, model)
        assert caught.value.exit_code == 4
        assert caught.value.hint
        assert worlds.dump(context) == before


@pytest.mark.parametrize("passphrase", [b"", b"hunter2", SECRET + b"\n", SECRET[:-1], SECRET.upper()])
def test_a_wrong_passphrase_is_not_repeated(locked: Path, passphrase: bytes) -> None:
    opened = worlds.open_context(locked, passphrase=passphrase)
    with opened as context, pytest.raises(WrongPassphrase) as caught:
        checkout(context, "vision/net")
    assert (passphrase or SECRET).decode().strip() not in repr(caught.value.to_dict())


def test_what_needs_no_key_needs_no_passphrase(locked: Path) -> None:
    with worlds.open_context(locked) as context:
        assert fsck(context).findings == ()
        assert catalog.show(context, "vision/net")["publisher"] == "alice"
        assert len(catalog.list_models(context)) == 1


def test_who_reads_the_record_says_who_they_are(locked: Path) -> None:
    """What may be shown depends on it."""
    with worlds.open_context(locked) as context, pytest.raises(WrongPassphrase):
        catalog.log(context, 9)
    with worlds.open_context(locked, passphrase=SECRET) as context:
        assert [one["kind"] for one in catalog.log(context, 9)] == ["push", "create", "genesis"]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda pem: b"",
    "cut short": lambda pem: pem[:-100],
    "another name": lambda pem: pem.replace(b"# name: alice", b"# name: alicf"),
    "one letter of a key": lambda pem: _turned(pem, pem.rindex(b"-----END") - 20),
    "not PEM": lambda pem: b"PK\x03\x04",
    "too long": lambda pem: pem + b"#" * (64 << 10),
}


def _turned(pem: bytes, at: int) -> bytes:
    return pem[:at] + (b"A" if pem[at : at + 1] != b"A" else b"B") + pem[at + 1 :]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_changed_identity_of_the_home_is_not_trusted(home: Path, model: Path, damage: str) -> None:
    path = home / "identity.pem"
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with worlds.open_context(home) as context, pytest.raises(RegistryError) as caught:
        push(context, model, "vision/net")
    if damage == "too long":
        assert caught.value.exit_code in (2, 5)
    else:
        assert isinstance(caught.value, BadIdentity)
        assert str(path) in str(caught.value)


def test_a_damaged_identity_given_by_hand_is_bad_input(home: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.pem").write_bytes((home / "identity.pem").read_bytes()[:-100])
    mine = worlds.open_context(home, identity_file=tmp_path / "mine.pem")
    with mine as context, pytest.raises(InvalidIdentity):
        push(context, model, "vision/net")


def test_an_identity_that_is_not_there_is_not_found(home: Path, model: Path, tmp_path: Path) -> None:
    with worlds.open_context(home, identity_file=tmp_path / "none.pem") as context, pytest.raises(NotFound):
        push(context, model, "vision/net")


def test_a_home_that_is_no_home_says_what_to_do(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(HomeNotFound) as caught:
            registry.connect(place)
        assert "registry init" in (caught.value.hint or "")


def test_keys_show_in_no_repr(home: Path, model: Path) -> None:
    pem = (home / "identity.pem").read_text()
    with worlds.open_context(home) as context:
        push(context, model, "vision/net")
        shown = repr((context.identity, context.authority, checkout(context, "vision/net")))
    body = "".join(line for line in pem.splitlines() if not line.startswith(("-", "#")))
    assert not any(body[at : at + 24] in shown for at in range(0, len(body) - 24, 8))
