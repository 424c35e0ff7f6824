"""Names of versions: labels stay, aliases move, a yank withdraws, a digest pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import catalog
from registry.checkout import checkout, verify
from registry.context import Context
from registry.errors import (
    AlreadyExists,
    BadReference,
    InvalidInput,
    InvalidReference,
    ReferenceNotFound,
    Untrusted,
    Yanked,
)
from registry.fsck import fsck
from registry.push import push
from support import worlds


@pytest.fixture
def three(context: Context, model: Path) -> Context:
    """vision/net: 1 (label 1.0, alias prod), 2 (label 2.0), 3."""
    for label, aliases in (("1.0", ["prod"]), ("2.0", []), (None, [])):
        (model / "tokenizer.json").write_text(f"{label}")
        push(context, model, "vision/net", label=label, aliases=aliases)
    return context


def number(context: Context, ref: str) -> int | None:
    return checkout(context, ref).ref.version


def test_a_version_is_found_by_each_of_its_names(three: Context) -> None:
    found = {ref: number(three, f"vision/net{ref}") for ref in ("", ":1", ":2", ":1.0", ":2.0", ":prod")}
    assert found == {"": 3, ":1": 1, ":2": 2, ":1.0": 1, ":2.0": 2, ":prod": 1}


def test_an_alias_moves_and_comes_back(three: Context) -> None:
    for target in (2, 3, 1):
        catalog.alias(three, f"vision/net:{target}", "prod")
        assert number(three, "vision/net:prod") == target


def test_a_push_moves_its_aliases(three: Context, model: Path) -> None:
    push(three, model, "vision/net", aliases=["prod", "prod", "canary"])
    assert number(three, "vision/net:prod") == number(three, "vision/net:canary") == 4


def test_a_label_never_moves(three: Context, model: Path) -> None:
    with pytest.raises(AlreadyExists):
        catalog.alias(three, "vision/net:2", "1.0")
    with pytest.raises(AlreadyExists):
        push(three, model, "vision/net", label="prod")
    assert number(three, "vision/net:1.0") == 1


def test_labels_of_other_models_do_not_matter(three: Context, model: Path) -> None:
    assert push(three, model, "audio/net", label="1.0", aliases=["prod"]).ref.version == 1
    assert number(three, "vision/net:1.0") == 1


def test_a_name_that_reads_as_a_version_is_refused(three: Context) -> None:
    with pytest.raises(InvalidReference):
        catalog.alias(three, "vision/net:1", "4")


def test_a_yanked_version_is_released_to_nobody(three: Context) -> None:
    catalog.yank(three, "vision/net:1", "wrong labels")
    for ref in ("vision/net:1", "vision/net:1.0", "vision/net:prod"):
        with pytest.raises(Yanked, match="wrong labels") as caught:
            checkout(three, ref)
        assert caught.value.exit_code == 4
        assert caught.value.step == "7 (policy)"
    last = verify(three, "vision/net:1")[-1]
    assert (last.number, last.ok) == (7, False)


def test_after_a_yank_the_newest_is_the_one_before(three: Context) -> None:
    catalog.yank(three, "vision/net", "broken")
    assert number(three, "vision/net") == 2
    catalog.yank(three, "vision/net", "broken too")
    assert number(three, "vision/net") == 1
    catalog.yank(three, "vision/net:1", "all of them")
    with pytest.raises(ReferenceNotFound):
        checkout(three, "vision/net")


def test_a_yanked_number_is_never_given_again(three: Context, model: Path) -> None:
    catalog.yank(three, "vision/net:3", "broken")
    assert push(three, model, "vision/net").ref.version == 4


def test_a_yank_is_once_and_for_all(three: Context) -> None:
    catalog.yank(three, "vision/net:2", "broken")
    with pytest.raises(AlreadyExists):
        catalog.yank(three, "vision/net:2", "still broken")
    with pytest.raises(Yanked):
        catalog.alias(three, "vision/net:2", "prod")


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_a_yank_needs_a_reason(three: Context, reason: str) -> None:
    with pytest.raises(InvalidInput):
        catalog.yank(three, "vision/net:2", reason)


def test_a_reason_too_long_is_the_callers_mistake(three: Context) -> None:
    with pytest.raises(InvalidInput):
        catalog.yank(three, "vision/net:2", "r" * 5000)


def test_a_digest_in_the_reference_must_be_the_versions(three: Context) -> None:
    digest = checkout(three, "vision/net:1").digest
    for ref in (f"vision/net:1@sha256:{digest}", f"vision/net:prod@sha256:{digest}"):
        assert number(three, ref) == 1
    for ref in (
        f"vision/net:2@sha256:{digest}",
        f"vision/net@sha256:{digest}",
        f"vision/net:1@sha256:{'0' * 64}",
    ):
        with pytest.raises(BadReference, match="digest") as caught:
            checkout(three, ref)
        assert caught.value.step == "5 (reference)"
        with pytest.raises(Untrusted):
            catalog.show(three, ref)
        with pytest.raises(Untrusted):
            catalog.alias(three, ref, "x")


def test_a_refused_act_leaves_no_entry(three: Context) -> None:
    before = worlds.dump(three)
    with pytest.raises(ReferenceNotFound):
        catalog.alias(three, "vision/net:9", "x")
    with pytest.raises(AlreadyExists):
        catalog.alias(three, "vision/net:1", "2.0")
    assert worlds.dump(three) == before


def test_every_act_is_in_the_log_with_its_actor(three: Context) -> None:
    catalog.alias(three, "vision/net:2", "prod")
    catalog.yank(three, "vision/net:3", "broken")
    checkout(three, "vision/net:prod")
    found = [(one["kind"], one["actor"], one["number"]) for one in catalog.log(three, 4)]
    assert found == [("pull", "alice", 2), ("yank", "alice", 3), ("alias", "alice", 2), ("push", "alice", 3)]
    kinds = [one["kind"] for one in catalog.log(three, 100)]
    assert kinds == ["pull", "yank", "alias", "push", "push", "push", "create", "genesis"]


def test_what_is_shown_is_what_was_pushed(three: Context) -> None:
    shown = catalog.show(three, "vision/net:prod")
    assert (shown["reference"], shown["label"], shown["publisher"], shown["yanked"]) == (
        "vision/net:1",
        "1.0",
        "alice",
        None,
    )
    assert [row["path"] for row in shown["files"]] == ["model.onnx", "tokenizer.json", "weights.bin"]
    assert [row["number"] for row in shown["history"]] == [3, 2, 1]
    assert [record["model"] for record in catalog.list_models(three)] == ["vision/net"]
    assert catalog.list_models(three, "audio") == []


def test_names_work_on_each_backend(anywhere: Context, model: Path) -> None:
    push(anywhere, model, "vision/net", label="1.0", aliases=["prod"])
    push(anywhere, model, "vision/net")
    catalog.alias(anywhere, "vision/net:2", "prod")
    assert [number(anywhere, f"vision/net:{name}") for name in ("1.0", "prod")] == [1, 2]
    catalog.yank(anywhere, "vision/net:2", "broken")
    with pytest.raises(Yanked):
        checkout(anywhere, "vision/net:prod")
    assert number(anywhere, "vision/net") == 1
    assert fsck(anywhere).findings == ()
