"""What is particular to blobs in a directory: durability, a full disk, and what others put there."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from registry.blobs import BlobInfo, disk
from registry.blobs.filesystem import CHUNK, FilesystemStore
from registry.errors import BadEncryption, BlobExists, BlobMissing, DiskTrouble


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path / "store")


def put(store: FilesystemStore, blob_id: str, data: bytes) -> Path:
    writer = store.create(blob_id, len(data))
    for offset in range(0, len(data), CHUNK):
        writer.write(offset, memoryview(data)[offset : offset + CHUNK])
    writer.commit()
    return store.root / "objects" / blob_id[:2] / blob_id[2:4] / blob_id


def test_blobs_fan_out_over_two_levels(store: FilesystemStore) -> None:
    assert put(store, "abcdef", b"data").read_bytes() == b"data"
    assert list((store.root / "incoming").iterdir()) == []


def test_bytes_are_durable_before_the_name_and_the_name_before_commit_returns(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(fd: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{fd}"))
        steps.append(f"sync {target.relative_to(store.root.parent)}".replace(target.name, target.name[:6]))
        real_fsync(fd)

    def link(source: Any, target: Any) -> None:
        steps.append("link")
        real_link(source, target)

    put(store, "0000first", b"makes the directories")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    put(store, "abcdef", b"data")
    assert steps == [
        "sync store/incoming/abcdef",
        "link",
        "sync store/objects/ab/cd",
        "sync store/objects/ab",
        "sync store/object",
    ]


def test_foreign_files_are_not_listed(store: FilesystemStore) -> None:
    blob = put(store, "abcdef", b"data")
    (blob.parent / "README").touch()
    (blob.parent / "zz").touch()  # a blob's name in the wrong place
    (blob.parent / "abcdxx").mkdir()
    (blob.parent / "abcdyy").symlink_to(blob)
    (store.root / "objects" / "stray").touch()
    assert list(store.list()) == [BlobInfo("abcdef", 4)]


def test_a_link_in_the_place_of_a_blob_is_not_followed(store: FilesystemStore) -> None:
    blob = put(store, "abcdef", b"data")
    (blob.parent / "abcdzz").symlink_to(blob)
    with pytest.raises(DiskTrouble):
        store.open("abcdzz")


def test_a_blob_cut_short_while_it_is_open_is_noticed(store: FilesystemStore) -> None:
    blob = put(store, "abcdef", b"data")
    reader = store.open("abcdef")
    os.truncate(blob, 2)
    with pytest.raises(BadEncryption):
        reader.read_into(0, memoryview(bytearray(4)))
    reader.close()


def test_sweep_leaves_files_that_are_no_uploads(store: FilesystemStore) -> None:
    put(store, "abcdef", b"data")
    foreign = store.root / "incoming" / "NOTES.txt"
    foreign.touch()
    assert list(store.sweep(lambda _: False)) == []
    assert foreign.exists()


def test_an_upload_cut_off_between_name_and_cleanup_is_published_and_swept(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = store.create("abcdef", 4)
    writer.write(0, memoryview(b"data"))
    monkeypatch.setattr(writer, "abort", lambda: None)  # as if killed right after the link
    writer.commit()
    assert store.stat("abcdef").size == 4
    assert list(store.sweep(lambda _: False)) == ["abcdef"]
    assert store.stat("abcdef").size == 4


def test_no_room_is_noticed_before_anything_is_written(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = namedtuple("status", "f_bavail f_frsize")
    monkeypatch.setattr(os, "statvfs", lambda _: status(10, 4096))
    store.create("abcdef", 40960).abort()
    with pytest.raises(DiskTrouble, match="no room for 40,961 bytes") as caught:
        store.create("abcdef", 40961)
    assert "free some space" in str(caught.value.hint)
    assert list(store.sweep(lambda _: False)) == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EIO, "reports damage"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "give this user access"),
        (errno.EBADMSG, "check the path"),
    ],
)
@pytest.mark.parametrize("call", ["pwrite", "fsync", "link"])
def test_a_failing_disk_is_named_and_explained(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch, call: str, code: int, hint: str
) -> None:
    def fail(*_: Any) -> int:
        raise OSError(code, os.strerror(code))

    writer = store.create("abcdef", 4)

    def finish() -> None:
        writer.write(0, memoryview(b"data"))
        writer.commit()

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(DiskTrouble) as caught:
            finish()
    writer.abort()
    assert hint in str(caught.value.hint)
    assert str(store.root) in str(caught.value.on)
    with pytest.raises(BlobMissing):
        store.stat("abcdef")
    assert list(store.sweep(lambda _: False)) == []


def test_a_disk_failing_at_read_is_named(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "abcdef", b"data")
    reader = store.open("abcdef")

    def fail(*_: Any) -> int:
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(DiskTrouble, match="input/output error"):
        reader.read_into(0, memoryview(bytearray(4)))
    reader.close()


def test_short_writes_and_reads_are_continued(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, preadv = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:1000], at))
    monkeypatch.setattr(os, "preadv", lambda fd, views, at: preadv(fd, [views[0][:999]], at))
    data = os.urandom(10_001)
    put(store, "abcdef", data)
    reader, out = store.open("abcdef"), bytearray(len(data))
    reader.read_into(0, memoryview(out))
    reader.close()
    assert out == data


def test_the_kernels_limit_on_file_size_is_an_error_not_a_signal(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from registry.blobs import open_store\n"
        "from registry.errors import DiskTrouble\n"
        "writer = open_store(sys.argv[1]).create('abcdef', 4 << 20)\n"
        "try: writer.write(0, memoryview(bytes(4 << 20)))\n"
        "except DiskTrouble as error: print(error.message, '|', error.hint)\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("file too large | ")
    assert "ulimit -f" in done.stdout


def test_a_path_through_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskTrouble, match="not a directory"):
        FilesystemStore(tmp_path / "file" / "store").create("abcdef", 1)


def test_the_winner_of_a_race_for_a_name_keeps_it(store: FilesystemStore) -> None:
    first, second = store.create("abcdef", 1), store.create("abcdef", 1)
    first.write(0, memoryview(b"1"))
    second.write(0, memoryview(b"2"))
    second.commit()
    with pytest.raises(BlobExists):
        first.commit()
    first.abort()
    assert list(store.sweep(lambda _: False)) == []


def test_sync_of_a_directory_that_is_gone_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DiskTrouble), disk.translated("somewhere"):
        disk.sync_directory(tmp_path / "gone")
