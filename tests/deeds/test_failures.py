"""What fails after a pull was accepted is put on record by the puller, and fails all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import acts, checkout, pull, scanning
from registry.context import Context
from registry.errors import (
    BadContent,
    BadEncryption,
    BadSession,
    BlobMissing,
    DatabaseUnavailable,
    Hostile,
    InvalidInput,
    RegistryError,
)
from registry.fsck import fsck
from registry.push import push
from registry.screening import scan
from support import worlds

REF = "vision/net"


@pytest.fixture
def published(context: Context, tmp_path: Path) -> Context:
    push(context, worlds.make_model(tmp_path / "model"), REF)
    return context


def _blob(context: Context) -> Path:
    (blob,) = (path for path in (context.paths.home / "blobs" / "objects").rglob("*") if path.is_file())
    return blob


def _flip(context: Context) -> None:
    data = bytearray(_blob(context).read_bytes())
    data[len(data) // 2] ^= 1
    _blob(context).write_bytes(data)


def _told(context: Context) -> list[tuple[str, int, str]]:
    """Every failure on record: purpose, step and code."""
    told = [act.body for act, _ in worlds.acted(context) if isinstance(act.body, acts.Failure)]
    return [(one.purpose, one.step, one.code) for one in told]


def test_a_checkout_that_cannot_open_a_blob_says_so(published: Context) -> None:
    _flip(published)
    with pytest.raises(BadEncryption):
        checkout.checkout(published, REF, purpose="serving")
    assert _told(published) == [("serving", 9, "bad-encryption")]
    act, _ = worlds.acted(published)[-1]
    assert (act.model, act.number, act.header.actor) == (REF, 1, published.keyid)


def test_so_do_a_pull_a_verification_and_a_scan(published: Context, tmp_path: Path) -> None:
    _flip(published)
    with pytest.raises(BadEncryption):
        pull.pull(published, REF, tmp_path / "out")
    assert not checkout.verify(published, REF)[-1].ok
    with pytest.raises(BadEncryption):
        scan(published, f"{REF}:1")
    assert [purpose for purpose, _, _ in _told(published)] == ["pull", "verify", "scan"]


def test_a_blob_that_is_gone_is_told_as_well(published: Context) -> None:
    _blob(published).unlink()
    with pytest.raises(BlobMissing):
        checkout.checkout(published, REF)
    assert _told(published) == [("checkout", 9, "blob-missing")]


def test_hostile_content_and_a_refused_session_are_told_with_their_steps(
    published: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = checkout.checkout(published, REF)
    monkeypatch.setattr(checkout, "build_session", _raising(BadSession("no")))
    with pytest.raises(BadSession):
        verified.session()
    monkeypatch.setattr(scanning, "require", _raising(Hostile("no")))
    with pytest.raises(BadContent):
        checkout.checkout(published, REF)
    assert _told(published) == [("checkout", 12, "bad-session"), ("checkout", 11, "bad-content")]


def test_nothing_is_told_of_a_checkout_that_holds_or_of_a_callers_mistake(published: Context) -> None:
    with pytest.raises(InvalidInput):
        checkout.checkout(published, REF).session("another.onnx")
    assert checkout.verify(published, REF)[-1].ok
    assert _told(published) == []


def test_a_record_that_cannot_be_made_masks_nothing(
    published: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    _flip(published)
    honest = Context.act

    def act(context: Context, body: acts.Body, **options: object) -> object:
        if isinstance(body, acts.Failure):
            raise DatabaseUnavailable("gone")
        return honest(context, body, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Context, "act", act)
    with pytest.raises(BadEncryption):
        checkout.checkout(published, REF)
    assert _told(published) == []


def test_a_ledger_with_a_failure_in_it_is_sound_and_releases(published: Context) -> None:
    whole = _blob(published).read_bytes()
    _flip(published)
    with pytest.raises(BadEncryption):
        checkout.checkout(published, REF)
    _blob(published).write_bytes(whole)
    checkout.checkout(published, REF)
    assert fsck(published).findings == ()


def _raising(error: RegistryError) -> object:
    def deed(*_: object, **__: object) -> None:
        raise error

    return deed
