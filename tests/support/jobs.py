"""What children of ``support.forks`` do: deeds of the registry, with or without a fault under them."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

# Imported for the children, once: a deed imports these where it needs them, which takes most of a second.
import alembic.command  # noqa: F401
import boto3
import botocore.loaders
import onnxruntime  # noqa: F401
import psycopg  # noqa: F401

from registry import access, catalog, checkout, founding, fsck, members
from registry.context import Context
from registry.errors import RegistryError
from registry.progress import Silent
from registry.pull import pull as pull_version
from registry.push import push as push_version
from support import worlds
from support.faultline import Line, Plan, install

# botocore parses megabytes of JSON for every client; here that is done once in a process.
_parse = staticmethod(cache(botocore.loaders.JSONFileLoader().load_file))
botocore.loaders.JSONFileLoader.load_file = _parse  # type: ignore[assignment]


def rehearse() -> None:
    """Do everything once, so that children find it done: imports, compiled queries, parsed schemas."""
    with tempfile.TemporaryDirectory() as scratch:
        home = worlds.make_home(Path(scratch) / "home")
        source = worlds.make_model(Path(scratch) / "source").parent
        push(home, source, "a/b")
        push(home, worlds.make_model(Path(scratch) / "halves", external="weights.bin").parent, "a/c")
        verify(home, "a/b")
        pull(home, "a/b", Path(scratch) / "out")
        check(home)
        boto3.session.Session().client("s3", region_name="us-east-1")


@dataclass(frozen=True)
class Done:
    """How a deed came out: its value or its error, and the effects on the way."""

    value: Any = None
    error: str | None = None  # the class
    exit_code: int = 0
    text: str = ""
    met: tuple[str, ...] = ()
    hit: str | None = None  # the effect that was struck; None: the deed had fewer


def attempt(deed: str, *arguments: Any, line: Line | None = None) -> Done:
    """Do a deed; what the command line would make its exit code of, without the command line."""
    value, error, code, text = None, None, 0, ""
    try:
        value = DEEDS[deed](*arguments)
    except RegistryError as raised:
        error, code, text = type(raised).__name__, raised.exit_code, traceback.format_exc()
    except BaseException as raised:
        error, code, text = type(raised).__name__, 1, traceback.format_exc()
    return Done(value, error, code, text, tuple(line.met) if line else (), line.hit if line else None)


def faulted(plan: Plan, deed: str, *arguments: Any) -> Done:
    """Do a deed with a fault under it."""
    return attempt(deed, *arguments, line=install(plan))


def together(start: float, deed: str, *arguments: Any) -> Done:
    """Do a deed at a moment (seconds since the epoch) that other children wait for, too."""
    time.sleep(max(0.0, start - time.time()))
    return attempt(deed, *arguments)


def many(start: float, deeds: list[tuple[Any, ...]]) -> list[Done]:
    """One deed after the other, from a moment on."""
    time.sleep(max(0.0, start - time.time()))
    return [attempt(*deed) for deed in deeds]


def push(home: Path, source: Path, ref: str, options: dict[str, Any] | None = None) -> Any:
    with Context(home) as context:
        return push_version(context, source, ref, **(options or {}))


def pull(home: Path, ref: str, directory: Path, force: bool = False) -> Any:
    with Context(home) as context:
        return pull_version(context, ref, directory, force=force)


def init(home: Path, database: str | None, store: str | None) -> str:
    return founding.init(home, datetime.now(UTC), name="alice", database=database, store=store).registry_id


def verify(home: Path, ref: str) -> list[tuple[int, bool]]:
    with Context(home) as context:
        return [(step.number, step.ok) for step in checkout.verify(context, ref)]


def alias(home: Path, ref: str, name: str) -> Any:
    with Context(home) as context:
        return catalog.alias(context, ref, name)


def yank(home: Path, ref: str) -> Any:
    with Context(home) as context:
        return catalog.yank(context, ref, "for the test")


def gc(home: Path) -> Any:
    with Context(home) as context:
        return fsck.gc(context)


def check(home: Path) -> Any:
    with Context(home) as context:
        return fsck.fsck(context)


def upgrade(home: Path) -> Any:
    with Context(home) as context:
        return fsck.upgrade(context)


def law(home: Path, who: Path | None, deed: str, *arguments: Any) -> Any:
    """A deed of ``registry.access`` or ``registry.members``, by whoever has the identity file."""
    function = getattr(access, deed, None) or getattr(members, deed)
    with Context(home, identity_file=who) as context:
        return function(context, *arguments)


def revoke_reencrypting(home: Path, who: Path | None, grantee: str, target: str) -> Any:
    """Take a read back and encrypt every blob again."""
    with Context(home, identity_file=who) as context:
        return access.revoke(context, grantee, ["pull"], target, reencrypt=True)


def read(home: Path, who: Path, ref: str) -> dict[str, bytes]:
    """The files of a version, by whoever has the identity file."""
    with Context(home, identity_file=who) as context:
        return {path: bytes(view) for path, view in checkout.checkout(context, ref).files.items()}


class Stopping(Silent):
    """Holds a deed up at the ``moment``-th advance: says so with a file, and waits for another."""

    def __init__(self, arrived: Path, go: Path, moment: int) -> None:
        self._arrived, self._go, self._left = arrived, go, moment

    def advance(self, amount: int) -> None:
        self._left -= 1
        if self._left == 0:
            self._arrived.touch()
            while not self._go.exists():
                time.sleep(0.005)


def push_stopping(home: Path, source: Path, ref: str, arrived: Path, go: Path, moment: int) -> Any:
    with Context(home, progress=Stopping(arrived, go, moment)) as context:
        return push_version(context, source, ref)


def pull_stopping(home: Path, ref: str, out: Path, arrived: Path, go: Path, moment: int) -> Any:
    with Context(home, progress=Stopping(arrived, go, moment)) as context:
        return pull_version(context, ref, out)


class Meddling(Silent):
    """Changes the source under a push: before it is stored, or when its first bytes are."""

    def __init__(self, when: str, change: Callable[[], None]) -> None:
        self._when, self._change = when, change

    def begin(self, label: str, total: int) -> None:
        self._on("begin" if label == "storing" else "")

    def advance(self, amount: int) -> None:
        self._on("advance")

    def _on(self, event: str) -> None:
        if event == self._when:
            self._when = ""
            self._change()


def rewrite(victim: Path) -> None:
    """Other bytes, the same size, the same inode, the same time of modification."""
    before = victim.stat()
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    with victim.open("r+b") as file:
        file.write(data)
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))


def shrink(victim: Path) -> None:
    os.truncate(victim, victim.stat().st_size - 1)


def grow(victim: Path) -> None:
    with victim.open("ab") as file:
        file.write(b"more")


def exchange(victim: Path) -> None:
    """Another file under the same name, with the same bytes."""
    copy = victim.with_suffix(".copy")
    copy.write_bytes(victim.read_bytes())
    copy.replace(victim)


CHANGES = {change.__name__: change for change in (rewrite, shrink, grow, exchange)}


def push_meddled(home: Path, source: Path, ref: str, when: str, change: str, victim: Path) -> Any:
    progress = Meddling(when, lambda: CHANGES[change](victim))
    with Context(home, progress=progress) as context:
        return push_version(context, source, ref)


def store_blob(url: str, name: str, data: bytes) -> Any:
    """One blob of one part, straight into a store."""
    from registry.blobs import open_store

    writer = open_store(url).create(name, len(data))
    try:
        writer.write(0, memoryview(data))
        writer.commit()
    except BaseException:
        writer.abort()
        raise


DEEDS: dict[str, Callable[..., Any]] = {
    deed.__name__: deed
    for deed in (
        *(push, pull, init, verify, alias, yank, gc, check, upgrade, law, read, revoke_reencrypting),
        *(push_stopping, pull_stopping, push_meddled, store_blob),
    )
}
