"""Every command does what it says, in people's form and as one JSON document; talk goes to stderr."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from support.commandline import call, spawn

HEX = re.compile(r"[0-9a-f]{64}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def test_init_prints_the_registry_id_and_the_next_step_on_stderr(tmp_path: Path) -> None:
    made = spawn("--home", tmp_path / "home", "init", "--name", "alice").done()
    assert re.search(r"^registry id +[0-9a-f]{64}$", made.out, re.M)
    assert re.search(r"^admin +alice \(key [0-9a-f]{16}\)$", made.out, re.M)
    assert "Next: registry push" in made.err
    assert "Next" not in made.out


def test_init_json(tmp_path: Path) -> None:
    made = call("--home", tmp_path / "home", "init", "--name", "alice", "--json").done()
    document = made.document()
    assert set(document) == {"registry_id", "name", "home", "keyid"}
    assert HEX.fullmatch(document["registry_id"])
    assert (document["name"], document["home"]) == ("alice", str(tmp_path / "home"))
    assert made.err == ""


def test_init_takes_a_database_and_a_store(tmp_path: Path, model: Path) -> None:
    database, store = tmp_path / "elsewhere.db", tmp_path / "blobs here"
    options = ("--database", f"sqlite:///{database}", "--store", store)
    call("--home", tmp_path / "home", "init", *options).done()
    call("--home", tmp_path / "home", "push", model, "vision/mlp").done()
    assert database.exists()
    assert any(path.is_file() for path in store.rglob("*"))
    assert not (tmp_path / "home" / "blobs").exists()


def test_push_prints_reference_version_and_digest(founded: Path, model: Path) -> None:
    pushed = spawn("--home", founded, "push", model, "vision/mlp").done()
    assert re.search(r"^reference +vision/mlp:1$", pushed.out, re.M)
    assert re.search(r"^version +1$", pushed.out, re.M)
    assert DIGEST.search(pushed.out)
    assert pushed.err == ""


def test_push_json_with_label_aliases_and_metadata(founded: Path, model: Path) -> None:
    named = ("--label", "1.0", "--alias", "prod", "--alias", "best", "--meta", "owner=me", "--meta", "k=a=b")
    document = call("--home", founded, "push", model, "vision/mlp", *named, "--json").done().document()
    named = ("reference", "model", "version", "digest", "seq", "size", "stored", "reused")
    assert set(document) == {*named, "allowed", "lineage"}
    # The first push creates the model: entry 1. The push itself is entry 2.
    assert (document["reference"], document["version"], document["seq"]) == ("vision/mlp:1", 1, 2)
    assert document["size"] == model.stat().st_size
    for tag in ("1.0", "prod", "best", "1"):
        shown = call("--home", founded, "show", f"vision/mlp:{tag}", "--json").done().document()
        assert f"sha256:{shown['digest']}" == document["digest"]
    pairs = {one["name"]: one["value"] for one in shown["version_metadata"]}
    assert pairs == {"owner": "me", "k": "a=b"}


def test_the_same_content_is_not_stored_twice(home: Path, model: Path) -> None:
    document = call("--home", home, "push", model, "vision/mlp", "--json").done().document()
    assert (document["version"], document["stored"], document["reused"]) == (2, 0, 1)


def test_pull_writes_the_files_and_the_signature(home: Path, tmp_path: Path, model: Path) -> None:
    pulled = spawn("--home", home, "pull", "vision/mlp:prod", "-o", tmp_path / "out").done()
    assert re.search(rf"^written to +{re.escape(str(tmp_path / 'out'))}$", pulled.out, re.M)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.onnx", "model.sig"]
    assert (tmp_path / "out" / "model.onnx").read_bytes() == model.read_bytes()


def test_pull_json(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    document = call("--home", home, "pull", "vision/mlp", "-o", out, "--json").done().document()
    assert set(document) == {*("reference", "version", "digest", "directory", "files", "size", "seq")}
    assert (document["files"], document["directory"]) == (["model.onnx"], str(out))


def test_list_names_every_model_of_the_namespace(home: Path, model: Path) -> None:
    call("--home", home, "push", model, "audio/vad").done()
    everything = spawn("--home", home, "list").done()
    assert "vision/mlp" in everything.out
    assert "audio/vad" in everything.out
    assert "prod→1" in everything.out
    assert "static QDQ" in everything.out
    only = call("--home", home, "list", "audio").done()
    assert "vision/mlp" not in only.out


def test_list_json(home: Path) -> None:
    (found,) = call("--home", home, "list", "--json").done().document()["models"]
    assert (found["model"], found["newest"], found["aliases"]) == ("vision/mlp", 1, {"prod": 1})
    assert found["quantization"] == ["static QDQ"]


def test_an_empty_registry_lists_nothing_and_says_what_to_do(founded: Path) -> None:
    listed = call("--home", founded, "list").done()
    assert listed.out == ""
    assert "registry push" in listed.err
    assert call("--home", founded, "list", "--json").done().document() == {"models": []}


def test_show_for_people_fits_eighty_columns_but_for_the_digest(home: Path) -> None:
    shown = call("--home", home, "show", "vision/mlp").done()
    for expected in ("1.0-int8", "alice", "meta owner", "static, QDQ", "INT8", "model.onnx"):
        assert expected in shown.out
    wide = [line for line in shown.out.splitlines() if len(line) > 80]
    assert all(line.startswith("digest") for line in wide)


def test_show_json_lists_every_quantized_tensor(home: Path) -> None:
    shown = call("--home", home, "show", "vision/mlp:1.0-int8", "--json").done().document()
    assert {one["name"] for one in shown["quantized_tensors"]} >= {"w1_quantized", "w2_quantized"}
    assert [one["path"] for one in shown["files"]] == ["model.onnx"]
    assert [one["number"] for one in shown["history"]] == [1]


def test_alias_moves(home: Path, model: Path) -> None:
    call("--home", home, "push", model, "vision/mlp").done()
    moved = call("--home", home, "alias", "vision/mlp:2", "prod").done()
    assert re.search(r"^now is +vision/mlp:2$", moved.out, re.M)
    document = call("--home", home, "alias", "vision/mlp:1", "prod", "--json").done().document()
    assert document == {"reference": "vision/mlp:1", "alias": "vision/mlp:prod", "seq": 5}
    shown = call("--home", home, "show", "vision/mlp:prod", "--json").document()
    assert shown["number"] == 1


@pytest.mark.parametrize("as_json", [False, True])
def test_yank_withdraws(home: Path, tmp_path: Path, as_json: bool) -> None:
    form = ["--json"] if as_json else []
    yanked = call("--home", home, "yank", "vision/mlp:1", "--reason", "wrong data", *form).done()
    if as_json:
        assert yanked.document() == {"reference": "vision/mlp:1", "reason": "wrong data", "seq": 3}
    refused = call("--home", home, "pull", "vision/mlp:1", "-o", tmp_path / "out")
    assert refused.code == 4
    assert "wrong data" in refused.err
    assert "wrong data" in call("--home", home, "show", "vision/mlp:1").done().out


def test_log_is_newest_first_and_limited(home: Path, tmp_path: Path) -> None:
    call("--home", home, "pull", "vision/mlp", "-o", tmp_path / "out").done()
    entries = call("--home", home, "log", "--json").done().document()["entries"]
    kinds = ("genesis", "create", "push", "pull")
    assert [(one["seq"], one["kind"]) for one in reversed(entries)] == list(enumerate(kinds))
    assert {one["actor"] for one in entries} == {"alice"}
    assert len(call("--home", home, "log", "--limit", "1", "--json").document()["entries"]) == 1
    people = spawn("--home", home, "log").done().out
    assert people.index("pull") < people.index("push") < people.index("genesis")


def test_fsck_and_gc_tell_orphans_from_problems(home: Path) -> None:
    blob = next(path for path in (home / "blobs" / "objects").rglob("*") if path.is_file())
    orphan = blob.parent / f"{blob.name[:-4]}0000"
    orphan.write_bytes(b"left by a crash")
    found = call("--home", home, "fsck", "--json").done().document()
    assert set(found) == {"ok", "acts", "blobs", "findings", "orphans", "under_way"}
    assert (found["ok"], found["orphans"], found["findings"]) == (True, [orphan.name], [])
    assert "registry gc" in call("--home", home, "fsck").done().out
    removed = call("--home", home, "gc", "--json").done().document()
    assert removed == {"removed": [orphan.name], "kept": [], "freed": 15}
    assert not orphan.exists()
    assert "0 blob(s)" in call("--home", home, "gc").done().out
    assert call("--home", home, "fsck", "--json").document()["orphans"] == []


def test_db_upgrade_at_the_newest_schema_changes_nothing(home: Path) -> None:
    document = call("--home", home, "db", "upgrade", "--json").done().document()
    assert document["from"] == document["to"]
    assert "the same" in call("--home", home, "db", "upgrade").done().out


def test_identity_show_never_shows_a_private_key(home: Path) -> None:
    shown = call("--home", home, "identity", "show", "--json").done()
    document = shown.document()
    assert document["name"] == "alice"
    assert HEX.fullmatch(document["keyid"])
    assert {"signing", "sealing", "fingerprint", "file"} <= set(document)
    people = call("--home", home, "identity", "show").done()
    assert document["keyid"] in people.out
    secrets = (home / "identity.pem").read_text().split("-----")[2].split()
    assert all(line not in shown.out + people.out for line in secrets)


def test_version() -> None:
    try:
        installed = metadata.version("hallmark-registry")
    except metadata.PackageNotFoundError:
        pytest.skip("the program runs from its source tree and is not installed")
    assert call("--version").done().out == f"hallmark {installed}\n"


def test_arrays_for_run_are_plain(home: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((1, 16), np.float32))
    ran = call("--home", home, "run", "vision/mlp", "--input", tmp_path / "x.npz").done()
    assert "float32" in ran.out
    assert "[1, 8]" in ran.out
