"""Manifests: order and root digest as OpenSSF Model Signing has them, paths in place, exact comparison."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import strictjson
from registry.errors import BadDigest, InvalidModel, Malformed, UnsafePath
from registry.manifest import Manifest, ManifestFile, check_path

A, B, C = (hashlib.sha256(text).hexdigest() for text in (b"a", b"b", b"c"))
MODEL = Manifest.of("resnet50", {"model.onnx": A, "data/w.bin": B, ".hidden": C})
_part = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8).filter(
    lambda part: part not in (".", "..")
)
_paths = st.lists(_part, min_size=1, max_size=4).map("/".join)
_digest = st.binary(min_size=32, max_size=32).map(bytes.hex)


def _files(digests: dict[str, str]) -> dict[str, str]:
    """Drop what would be a file and a directory at once."""
    return {p: d for p, d in digests.items() if not any(q.startswith(p + "/") for q in digests)}


_models = st.dictionaries(_paths, _digest, min_size=1, max_size=12).map(_files)


def _statement(**predicate: object) -> dict[str, Any]:
    statement: dict[str, Any] = deepcopy(MODEL.to_statement())
    statement["predicate"].update(predicate)
    return statement


def _resources(*paths: str) -> dict[str, Any]:
    """A statement over these paths whose root digest is right, so that only the paths can be wrong."""
    statement = _statement(resources=[{"name": p, "algorithm": "sha256", "digest": A} for p in paths])
    root = hashlib.sha256(bytes.fromhex(A) * len(paths)).hexdigest()
    statement["subject"][0]["digest"]["sha256"] = root
    return statement


@given(_models)
def test_a_statement_reads_back_as_it_was(digests: dict[str, str]) -> None:
    manifest = Manifest.of("model", digests)
    written = strictjson.canonical(manifest.to_statement())
    read = Manifest.from_statement(strictjson.parse_object(written, limit=1 << 20))
    assert read == manifest
    assert read.digest == manifest.digest
    manifest.compare(digests)


def test_files_are_ordered_part_by_part_and_the_root_follows() -> None:
    ordered = ["a/x", "a/y/z", "a-b/x", "a.b", "b", "é"]
    manifest = Manifest.of(
        "m", {path: hashlib.sha256(path.encode()).hexdigest() for path in reversed(ordered)}
    )
    assert [file.path for file in manifest.files] == ordered
    raw = b"".join(hashlib.sha256(path.encode()).digest() for path in ordered)
    assert manifest.digest == hashlib.sha256(raw).hexdigest()


def test_the_order_that_was_signed_is_kept() -> None:
    files = (ManifestFile("b", A), ManifestFile("a", B))
    read = Manifest.from_statement(Manifest("m", files).to_statement())
    assert read.files == files
    assert read.digest != Manifest.of("m", {"b": A, "a": B}).digest


def test_ignored_paths_and_unknown_fields_of_the_predicate_are_tolerated() -> None:
    statement = _statement(card={"later": "version"})
    statement["predicate"]["serialization"] |= {"ignore_paths": ["model.sig", ".git"], "allow_symlinks": True}
    read = Manifest.from_statement(statement)
    assert read.files == MODEL.files
    assert read.ignored == ("model.sig", ".git")


UNSAFE = [
    pytest.param(["../x"], id="parent"),
    pytest.param(["a/../../x"], id="parent-inside"),
    pytest.param(["/etc/passwd"], id="absolute"),
    pytest.param(["a//b"], id="empty-part"),
    pytest.param(["a/"], id="trailing-slash"),
    pytest.param([""], id="empty"),
    pytest.param(["."], id="the-directory-itself"),
    pytest.param(["./a"], id="dot"),
    pytest.param(["a\0b"], id="nul"),
    pytest.param(["x" * 256], id="part-of-256-bytes"),
    pytest.param(["é" * 128], id="part-of-256-bytes-in-128-characters"),
    pytest.param(["/".join(["x" * 255] * 17)], id="path-over-4096-bytes"),
    pytest.param(["a", "a/b"], id="file-and-directory"),
    pytest.param(["a", "a-b", "a/b/c"], id="file-and-directory-not-adjacent-as-text"),
]


@pytest.mark.parametrize("paths", UNSAFE)
def test_unsafe_paths_are_refused_from_outside_and_from_here(paths: list[str]) -> None:
    with pytest.raises(Malformed):
        Manifest.from_statement(_resources(*paths))
    with pytest.raises(UnsafePath):
        Manifest.of("m", dict.fromkeys(paths, A))


def test_a_path_listed_twice_is_refused() -> None:
    with pytest.raises(Malformed, match="twice"):
        Manifest.from_statement(_resources("a", "b", "a"))


def test_a_file_name_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(UnsafePath, match="not Unicode"):
        check_path("model-\udcff.onnx")


@pytest.mark.parametrize(
    "path", ["a b", "...", "..a", ".git/x", "a\\b", "C:x", "名/模型", "é" * 127, "/".join("x" * 2048), "a\nb"]
)
def test_unusual_but_safe_paths_are_kept(path: str) -> None:
    assert Manifest.from_statement(_resources(path)).files[0].path == path


def _broken(change: str, value: object) -> dict[str, Any]:
    """The statement with one field, named by its path, replaced by ``value``."""
    statement = _statement()
    *way, last = [int(step) if step.isdigit() else step for step in change.split("/")]
    place: Any = statement
    for step in way:
        place = place[step]
    place[last] = value
    return statement


BROKEN = [
    pytest.param("_type", "https://in-toto.io/Statement/v0.1", id="statement-0.1"),
    pytest.param("predicateType", "https://model_signing/Digests/v0.1", id="model-signing-0.2"),
    pytest.param("subject", [], id="no-subject"),
    pytest.param("subject", MODEL.to_statement()["subject"] * 2, id="two-subjects"),  # type: ignore[operator]
    pytest.param("subject/0/digest", {"sha512": "00"}, id="subject-without-sha256"),
    pytest.param("predicate", None, id="no-predicate"),
    pytest.param("predicate/serialization/method", "shards", id="shards"),
    pytest.param("predicate/serialization/hash_type", "blake3", id="blake3"),
    pytest.param("predicate/serialization/ignore_paths", [1], id="ignored-paths-not-text"),
    pytest.param("predicate/resources", {}, id="resources-not-an-array"),
    pytest.param("predicate/resources/0/algorithm", "blake2b", id="one-file-by-blake2b"),
    pytest.param("predicate/resources/0/digest", A[:-2], id="digest-too-short"),
    pytest.param("predicate/resources/0/digest", C.upper(), id="digest-in-capitals"),
]


@pytest.mark.parametrize(("change", "value"), BROKEN)
def test_other_statements_are_refused(change: str, value: object) -> None:
    with pytest.raises(Malformed):
        Manifest.from_statement(_broken(change, value))


def test_a_statement_about_no_file_is_refused() -> None:
    with pytest.raises(Malformed, match="no files"):
        Manifest.from_statement(_resources())


def test_a_refused_method_is_named() -> None:
    with pytest.raises(Malformed, match="'shards' with 'sha256'"):
        Manifest.from_statement(_broken("predicate/serialization/method", "shards"))


def test_a_list_of_files_that_is_not_the_subjects_is_refused() -> None:
    statement = _statement()
    statement["predicate"]["resources"].reverse()
    with pytest.raises(BadDigest, match="root digest"):
        Manifest.from_statement(statement)


@pytest.mark.parametrize("count", [0, 100_001])
def test_the_number_of_files_is_bounded(count: int) -> None:
    with pytest.raises(InvalidModel):
        Manifest("m", (ManifestFile("a", A),) * count)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"model.onnx": B, "data/w.bin": B, ".hidden": C}, "changed: 'model.onnx'"),
        ({"model.onnx": A, ".hidden": C}, "missing: 'data/w.bin'"),
        ({"model.onnx": A, "data/w.bin": B, ".hidden": C, "x": A}, "added: 'x'"),
        ({"model.onnx": B, ".hidden": C, "x": A}, "changed: 'model.onnx'; missing: 'data/w.bin'; added: 'x'"),
        ({}, "missing: '.hidden', 'data/w.bin', 'model.onnx'"),
    ],
    ids=["changed", "missing", "added", "all-three", "nothing"],
)
def test_comparison_names_every_difference(found: dict[str, str], said: str) -> None:
    with pytest.raises(BadDigest) as error:
        MODEL.compare(found)
    assert error.value.on == said


def test_a_long_difference_is_counted_not_listed() -> None:
    found = {file.path: file.sha256 for file in MODEL.files} | {f"x{i}": A for i in range(9)}
    with pytest.raises(BadDigest, match=r"'x4' and 4 more\)$"):
        MODEL.compare(found)
