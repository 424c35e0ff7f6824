"""Each exit code from a real situation, in a real process; what a person sees, and what a script reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from registry.crypto.identity import Identity
from support.commandline import Result, call, spawn


def _explained(result: Result, code: int, error: str) -> None:
    """The error is on stderr: what failed and the next step; no traceback; stdout is empty."""
    assert result.code == code, result.err
    assert f"error [{error}]" in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_0_done(home: Path) -> None:
    assert spawn("--home", home, "list").code == 0


def test_2_usage(home: Path) -> None:
    for arguments in (["pull", "vision/mlp"], ["nonsense"], ["list", "--nonsense"], ["log", "--limit", "0"]):
        refused = call("--home", home, *arguments)
        assert refused.code == 2
        assert "Usage" in refused.err or "Invalid value" in refused.err
        assert refused.out == ""


def test_2_metadata_that_is_no_pair(home: Path, model: Path) -> None:
    refused = call("--home", home, "push", model, "vision/mlp", "--meta", "novalue")
    assert refused.code == 2
    assert "KEY=VALUE" in refused.err


def test_2_invalid_input(home: Path) -> None:
    refused = spawn("--home", home, "show", "no-namespace")
    _explained(refused, 2, "invalid-reference")
    assert "vision/resnet50" in refused.next()


def test_3_not_found(home: Path) -> None:
    _explained(spawn("--home", home, "show", "vision/absent"), 3, "reference-not-found")


def test_4_denied_by_a_yank(home: Path) -> None:
    call("--home", home, "yank", "vision/mlp:1", "--reason", "leaks").done()
    _explained(spawn("--home", home, "run", "vision/mlp:1", "--input", "random"), 4, "yanked")


def test_4_denied_to_a_stranger(home: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(Identity.generate("mallory").to_pem(None))
    denied = spawn("--home", home, "--identity", stranger, "pull", "vision/mlp", "-o", tmp_path / "out")
    _explained(denied, 4, "not-permitted")
    assert "--identity" in denied.next()
    assert not (tmp_path / "out").exists()


def test_5_untrusted(broken: Path, tmp_path: Path) -> None:
    refused = spawn("--home", broken, "pull", "vision/mlp", "-o", tmp_path / "out")
    _explained(refused, 5, "bad-encryption")
    assert "at step 9 (open)" in refused.err
    assert "  on:   " in refused.err
    assert refused.next()


def test_6_conflict(home: Path, model: Path) -> None:
    _explained(spawn("--home", home, "push", model, "vision/mlp", "--label", "1.0-int8"), 6, "already-exists")


def test_7_unavailable(home: Path) -> None:
    (home / "registry.db").write_bytes(b"this is no database" * 400)
    for name in ("-wal", "-shm"):
        (home / f"registry.db{name}").unlink(missing_ok=True)
    refused = spawn("--home", home, "list")
    _explained(refused, 7, "database-unavailable")
    assert "backup" in refused.next()


def test_7_store_is_gone(home: Path, model: Path) -> None:
    shutil.rmtree(home / "blobs")
    (home / "blobs").write_text("not a directory")
    refused = call("--home", home, "push", model, "vision/other")
    assert refused.code == 7, refused.err


def test_1_a_bug_says_how_to_report_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("for the test")

    monkeypatch.setattr("registry.catalog.list_models", broken)
    for form in ([], ["--json"]):
        crashed = call("--home", home, "list", *form)
        assert crashed.code == 1
        assert "bug in Hallmark: ZeroDivisionError" in crashed.err
        assert "--debug" in crashed.next()
        assert "Traceback" not in crashed.err
        assert crashed.out == ""


def test_debug_shows_the_traceback(home: Path) -> None:
    shown = spawn("--home", home, "--debug", "show", "vision/absent")
    assert shown.code == 3
    assert "Traceback (most recent call last)" in shown.err
    assert "error [reference-not-found]" in shown.err


def test_an_error_as_json_is_one_document(broken: Path, tmp_path: Path) -> None:
    refused = spawn("--home", broken, "pull", "vision/mlp", "-o", tmp_path / "out", "--json")
    assert refused.code == 5
    document = refused.document()
    assert set(document) == {"ok", "error"}
    assert document["ok"] is False
    assert set(document["error"]) == {"code", "message", "on", "hint", "step"}
    assert (document["error"]["code"], document["error"]["step"]) == ("bad-encryption", "9 (open)")


def test_fsck_that_finds_something_ends_with_5(broken: Path) -> None:
    people = call("--home", broken, "fsck")
    assert people.code == 5
    assert "blob-changed" in people.out
    assert "backup" in people.next()
    as_json = call("--home", broken, "fsck", "--json")
    assert as_json.code == 5
    document = as_json.document()
    assert document["ok"] is False
    assert [one["code"] for one in document["findings"]] == ["blob-changed"]


def test_a_digest_that_is_not_the_versions_is_refused(home: Path, tmp_path: Path) -> None:
    refused = call("--home", home, "pull", f"vision/mlp@sha256:{'0' * 64}", "-o", tmp_path / "out")
    assert refused.code == 5
    assert not (tmp_path / "out").exists()
