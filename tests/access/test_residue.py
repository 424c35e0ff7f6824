"""A rotation destroys what it supersedes: nothing of it is left in the files of the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import access, members, push
from support.burglar import Loot, burgle
from support.cast import FOUNDER, Cast, tiny

MODEL = "vision/a"


@pytest.fixture
def cast(tmp_path: Path) -> Iterator[Cast]:
    """A registry with a model that ann may read."""
    made = Cast.found(tmp_path / "registry")
    root = made(FOUNDER)
    members.add(root, made.public("ann"))
    push.push(root, tiny(tmp_path / "models", 1), MODEL)
    access.grant(root, "ann", ["pull"], MODEL)
    yield made
    made.close()


def _left(before: Loot, after: Loot) -> list[str]:
    """The sealed keys that are in the tables no more, and still in the bytes of the files."""
    gone = before.pool.keys() - after.pool.keys()
    assert gone
    return [digest for digest in gone if before.pool[digest][:64] in after.raw]


def test_a_superseded_key_leaves_the_database_and_its_log(cast: Cast, tmp_path: Path) -> None:
    """The process that revokes goes on, as a server does: its write-ahead log lies beside the database."""
    before = Loot(cast.home, tmp_path / "before")
    access.revoke(cast(FOUNDER), "ann", ["pull"], MODEL)
    assert _left(before, Loot(cast.home, tmp_path / "after")) == []


def test_a_superseded_key_leaves_the_database_when_it_is_closed(cast: Cast, tmp_path: Path) -> None:
    before = Loot(cast.home, tmp_path / "before")
    access.revoke(cast(FOUNDER), "ann", ["pull"], MODEL)
    cast.close()
    assert _left(before, Loot(cast.home, tmp_path / "after")) == []


def test_blob_keys_that_were_kept_open_nothing_that_was_encrypted_again(cast: Cast, tmp_path: Path) -> None:
    kept = burgle(Loot(cast.home, tmp_path / "before"), cast.keys("ann"))
    assert kept.opened
    access.revoke(cast(FOUNDER), "ann", ["pull"], MODEL)
    plain = burgle(Loot(cast.home, tmp_path / "after"), [], blob_keys=kept.blob_keys)
    assert plain.opened == kept.opened  # what revocation alone cannot do: the key of the blob was theirs
    access.rotate(cast(FOUNDER), MODEL, reencrypt=True)
    again = Loot(cast.home, tmp_path / "again")
    assert burgle(again, [*cast.keys("ann"), *kept.keys], blob_keys=kept.blob_keys).opened == frozenset()
    assert burgle(again, cast.keys(FOUNDER)).opened == again.contents([MODEL])
