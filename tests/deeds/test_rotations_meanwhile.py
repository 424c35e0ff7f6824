"""Rotations and pushes that meet: whoever comes second makes it good, and nobody reads who must not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry import access, enacting, members, release
from registry import checkout as checking
from registry import push as pushing
from registry.checkout import checkout
from registry.context import Context
from registry.errors import (
    BadEncryption,
    BlobMissing,
    Conflict,
    Disabled,
    NotPermitted,
    Outdated,
    StoreUnavailable,
)
from registry.fsck import gc
from registry.push import push
from registry.upload import Upload
from support import worlds
from support.company import MODEL, REMAIN, Company
from support.failing import Failing


@pytest.fixture
def source(tiny: Path, tmp_path: Path) -> Path:
    """What is pushed when the model has a version already: one file is new, the other is not."""
    (tiny / "note.txt").write_text("second")
    return tiny


def _before(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, deed: Callable[[], object]) -> None:
    """Do ``deed`` once, before the first call of a function."""
    honest, left = getattr(where, name), [deed]

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        if left:
            left.pop()()
        return honest(*arguments, **options)

    monkeypatch.setattr(where, name, meanwhile)


MOMENTS: dict[str, tuple[Any, str]] = {
    "before the first byte": (Upload, "store"),
    "after the last byte": (pushing, "_publish"),
    "just before it signs": (pushing, "_body"),
}


@pytest.mark.parametrize("reencrypt", [False, True])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_push_whose_vault_moves_on_seals_again_and_lands(
    staffed: Company, source: Path, monkeypatch: pytest.MonkeyPatch, moment: str, reencrypt: bool
) -> None:
    """Between upload and submission bob is revoked: the push lands, and he reads none of it."""
    known = staffed.vault_key("bob", MODEL)

    def revoke() -> None:
        assert staffed.revoke("bob", "pull", MODEL, reencrypt=reencrypt).rotated == (MODEL,)

    _before(monkeypatch, *MOMENTS[moment], revoke)
    staffed.grant("dave", "push", MODEL)
    assert staffed.publish(source, by="dave") == 2
    assert staffed.read("dave")["note.txt"] == b"second"
    assert staffed.readers("bob", *REMAIN) == set(REMAIN)
    assert staffed.vault_key("dave", MODEL).public.raw != known.public.raw
    with pytest.raises(BadEncryption):
        staffed.vault_key("bob", MODEL)
    staffed.clean()


@pytest.mark.parametrize("reencrypt", [False, True])
def test_a_rotation_that_a_push_overtakes_takes_the_new_blobs_along(
    staffed: Company, source: Path, monkeypatch: pytest.MonkeyPatch, reencrypt: bool
) -> None:
    """The blobs are sealed again, then a version is published, then the act comes: it is made anew."""
    _before(monkeypatch, enacting.Made, "custody", lambda: staffed.publish(source))
    done = staffed.revoke("bob", "pull", MODEL, reencrypt=reencrypt)
    assert done.resealed == len(staffed.blob_keys()) == 3
    assert staffed.epochs()[MODEL] == 2
    assert staffed.readers("bob", *REMAIN) == set(REMAIN)
    assert staffed.read("carol")["note.txt"] == b"second"
    staffed.clean()


def test_who_may_push_no_more_publishes_nothing(
    staffed: Company, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right is taken back when everything is stored: the act is refused all the same."""
    staffed.grant("bob", "push", MODEL)
    _before(monkeypatch, pushing, "_body", lambda: staffed.revoke("bob", "push", MODEL))
    with pytest.raises(NotPermitted):
        staffed.publish(source, by="bob")
    with staffed.open() as context:
        assert checkout(context, MODEL).ref.version == 1


def test_whoever_is_disabled_while_pulling_gets_no_key(
    staffed: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The evidence is judged under a law that changes before the pull is asked for."""

    def disable() -> None:
        with staffed.open() as context:
            members.disable(context, "bob")

    _before(monkeypatch, release, "_pull", disable)
    with pytest.raises(Disabled):
        staffed.read("bob")
    assert staffed.readers(*REMAIN) == set(REMAIN)


def test_two_admins_who_grant_at_once_both_do(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second act is signed under a law that has changed since, and is signed again."""
    company.enroll("bob", "carol")
    company.enroll("frank", role="admin")
    _before(
        monkeypatch,
        Context,
        "_submit",
        lambda: company.grant("carol", "pull", "vision/", by="frank"),
    )
    company.grant("bob", "pull", "vision/")
    with company.open() as context:
        assert {one["grantee"] for one in access.grants(context)} == {"bob", "carol"}
        kinds = [act.kind for act, _ in worlds.acted(context)]
    assert kinds.count("grant") == 2
    assert "refusal" not in kinds
    company.clean()


def test_an_interrupted_push_of_a_build_machine_resumes(company: Company, tiny: Path) -> None:
    """What it stored it can publish, and not read: the keys lie in the journal, sealed."""
    company.enroll("build", "bob")
    company.grant("build", "push", "vision/")
    company.grant("bob", "pull", "vision/")
    _interrupt(company, tiny)
    stored = company.blobs()
    assert len(stored) == 1
    with company.open("build") as context:
        done = push(context, tiny, MODEL)
    assert (done.stored, done.reused) == (1, 1)
    assert company.blobs().keys() > stored.keys()
    assert company.read("bob")["note.txt"] == b"first"
    company.clean()


def test_a_push_interrupted_before_a_rotation_begins_anew(company: Company, tiny: Path) -> None:
    """Its process and the keys are gone, and what lies sealed is for an epoch that counts no more."""
    company.enroll("build", "bob")
    company.grant("build", "push", "vision/")
    company.grant("bob", "pull", "vision/")
    _interrupt(company, tiny)
    company.revoke("bob", "pull", "vision/")
    with company.open("build") as context:
        done = push(context, tiny, MODEL)
    assert (done.stored, done.reused) == (2, 0)
    assert company.readers("alice", "bob", "build") == {"alice"}
    with company.open() as context:
        assert len(gc(context).removed) == 1
    company.clean()


def test_a_resumed_push_whose_vault_moves_on_cannot_seal_again(
    company: Company, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blob of an earlier process has no key in this one: the push says so, and the next one succeeds."""
    company.enroll("build", "bob")
    company.grant("build", "push", "vision/")
    company.grant("bob", "pull", "vision/")
    _interrupt(company, tiny)
    _before(monkeypatch, pushing, "_publish", lambda: company.revoke("bob", "pull", "vision/"))
    with company.open("build") as context, pytest.raises(Conflict, match="rotated"):
        push(context, tiny, MODEL)
    assert company.publish(tiny, by="build") == 1
    assert company.readers("alice", "bob", "build") == {"alice"}


def _interrupt(company: Company, source: Path) -> None:
    with company.open("build") as context:
        context.__dict__["store"] = Failing(context.store, "create", 2)
        with pytest.raises(StoreUnavailable):
            push(context, source, MODEL)


def test_a_checkout_whose_blobs_are_encrypted_again_meanwhile(
    staffed: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the keys of blobs that are gone by then: it says what to do, and doing that succeeds."""

    def rotate() -> None:
        with staffed.open() as context:
            access.rotate(context, MODEL, reencrypt=True)

    _before(monkeypatch, checking, "open_files", rotate)
    with staffed.open("carol") as context, pytest.raises(Outdated, match="encrypted again") as caught:
        checkout(context, MODEL)
    assert "again" in (caught.value.hint or "")
    assert staffed.readers("carol") == {"carol"}


def test_a_blob_that_is_lost_is_not_taken_for_one_encrypted_again(staffed: Company) -> None:
    with staffed.open() as context:
        blobs = worlds.dump(context)["blobs"]
        context.store.delete(next(row["id"] for row in blobs if row["model"] == MODEL))
    with staffed.open("carol") as context, pytest.raises(BlobMissing):
        checkout(context, MODEL)
