"""Identity files on a real disk: both or neither, nothing overwritten, the private one for its owner only."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import disk, identities
from registry.crypto import possession
from registry.crypto.identity import Identity
from registry.errors import (
    AlreadyExists,
    BadSignature,
    DiskTrouble,
    InvalidIdentity,
    InvalidInput,
    InvalidReference,
    NotFound,
    WrongPassphrase,
)

SECRET = b"correct horse battery staple"
NOBODY = 65534


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> Iterator[None]:
    """The most careless umask there is: modes are what the program asks for."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def unwritable() -> Iterator[Path]:
    """A directory that may be looked into and not written, for this user, be it root."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o555)
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    yield directory
    os.seteuid(user)
    shutil.rmtree(directory)


def test_the_two_files_are_one_identity(tmp_path: Path) -> None:
    made = identities.create("alice", tmp_path / "alice.pem", None)
    own = Identity.from_pem(made.private.read_bytes(), None)
    assert (made.private, made.public) == (tmp_path / "alice.pem", tmp_path / "alice.pub")
    assert possession.verify(made.public.read_bytes()) == own.public
    assert (made.name, made.keyid) == ("alice", own.signing.verifying.keyid)
    assert made.fingerprint == own.public.fingerprint
    assert sorted(tmp_path.iterdir()) == [made.private, made.public]


@pytest.mark.usefixtures("umask")
def test_the_private_file_is_the_owners_alone(tmp_path: Path) -> None:
    made = identities.create("alice", tmp_path / "alice.pem", None)
    assert (_mode(made.private), _mode(made.public)) == (0o600, 0o644)


def test_a_passphrase_protects_the_private_file(tmp_path: Path) -> None:
    made = identities.create("alice", tmp_path / "alice.pem", SECRET)
    written = made.private.read_bytes()
    assert Identity.from_pem(written, SECRET).public.fingerprint == made.fingerprint
    for wrong in (None, b"wrong"):
        with pytest.raises(WrongPassphrase):
            Identity.from_pem(written, wrong)


def test_an_empty_passphrase_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidIdentity, match="empty passphrase"):
        identities.create("alice", tmp_path / "alice.pem", b"")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "public"),
    [("alice.pem", "alice.pub"), ("alice", "alice.pub"), ("a.b", "a.b.pub"), ("a.pem.pem", "a.pem.pub")],
)
def test_where_the_public_file_lies(tmp_path: Path, file: str, public: str) -> None:
    made = identities.create("alice", tmp_path / file, None)
    assert made.public == tmp_path / public
    assert identities.read_public(made.public)


def test_a_private_file_is_never_called_pub(tmp_path: Path) -> None:
    """Else ``-o alice.pub`` would put the private keys under the very name that is given away."""
    with pytest.raises(InvalidInput, match=r"\.pub") as error:
        identities.create("alice", tmp_path / "alice.pub", None)
    assert error.value.hint == "call it alice.pem"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../alice", "a/b", "alice smith", "-alice", "a\nb", "ä", "x" * 129])
def test_a_name_outside_the_grammar_makes_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidReference):
        identities.create(name, tmp_path / "alice.pem", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", ["alice.pem", "alice.pub"])
@pytest.mark.parametrize("kind", ["file", "dangling-link", "directory"])
def test_what_is_there_stays_untouched(tmp_path: Path, taken: str, kind: str) -> None:
    place = tmp_path / taken
    if kind == "file":
        place.write_bytes(b"older")
    elif kind == "directory":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AlreadyExists) as error:
        identities.create("alice", tmp_path / "alice.pem", None)
    assert error.value.on == str(place)
    assert list(tmp_path.iterdir()) == [place]
    assert kind != "file" or place.read_bytes() == b"older"


@pytest.mark.parametrize("taken", ["alice.pem", "alice.pub"])
def test_whoever_is_faster_keeps_the_file(
    tmp_path: Path, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes the name after this one has looked."""
    creates = disk.create

    def late(path: Path, data: bytes, mode: int) -> None:
        if path.name == taken:
            path.write_bytes(b"theirs")
        creates(path, data, mode)

    monkeypatch.setattr(disk, "create", late)
    with pytest.raises(AlreadyExists):
        identities.create("alice", tmp_path / "alice.pem", None)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {taken: b"theirs"}


def test_an_unwritable_directory_is_named(unwritable: Path) -> None:
    with pytest.raises(InvalidInput, match="may not be") as error:
        identities.create("alice", unwritable / "alice.pem", None)
    assert error.value.on == str(unwritable / "alice.pem")
    assert list(unwritable.iterdir()) == []


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such directory") as error:
        identities.create("alice", tmp_path / "keys" / "alice.pem", None)
    assert error.value.on == str(tmp_path / "keys")


@pytest.mark.parametrize("number", range(4), ids=["private", "its-name", "public", "its-name-too"])
@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()], ids=["eio", "ctrl-c"])
def test_what_cannot_be_made_durable_is_not_left_behind(
    tmp_path: Path, number: int, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files and twice their directory are synced, in this order; each can fail."""
    syncs, calls = os.fsync, iter(range(4))

    def failing(fd: int) -> None:
        if next(calls) == number:
            raise error
        syncs(fd)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(DiskTrouble if isinstance(error, OSError) else KeyboardInterrupt):
        identities.create("alice", tmp_path / "alice.pem", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [100, 2000], ids=["private", "public"])
def test_a_full_disk_leaves_no_half_identity(tmp_path: Path, limit: int) -> None:
    """The kernel lets files grow to ``limit`` bytes: the private one has some 700, the public one 3,000."""
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from registry import identities\n"
        "from registry.errors import DiskTrouble\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try: identities.create('alice', Path(sys.argv[1]), None)\n"
        "except DiskTrouble as error: print(error.on)\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "alice.pem")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / ("alice.pem" if limit < 700 else "alice.pub"))
    assert list(tmp_path.iterdir()) == []


def test_a_public_file_reads_back(tmp_path: Path) -> None:
    made = identities.create("alice", tmp_path / "alice.pem", None)
    envelope = identities.read_public(made.public)
    assert envelope + b"\n" == made.public.read_bytes()
    assert possession.verify(envelope).fingerprint == made.fingerprint


@pytest.mark.parametrize("passphrase", [None, SECRET], ids=["plain", "encrypted"])
def test_whoever_gives_the_private_file_is_told_so(tmp_path: Path, passphrase: bytes | None) -> None:
    made = identities.create("alice", tmp_path / "alice.pem", passphrase)
    with pytest.raises(InvalidIdentity, match="a private identity") as error:
        identities.read_public(made.private)
    assert error.value.on == str(made.private)
    assert error.value.hint == "give the .pub file; the .pem never leaves its owner"


def test_a_public_key_in_pem_is_no_public_identity(tmp_path: Path) -> None:
    path = tmp_path / "alice.pub"
    path.write_bytes(Identity.generate("alice").signing.verifying.pem)
    with pytest.raises(InvalidIdentity, match="not a public identity"):
        identities.read_public(path)


def test_a_truncated_public_file_is_refused(tmp_path: Path) -> None:
    made = identities.create("alice", tmp_path / "alice.pem", None)
    whole = made.public.read_bytes()
    for kept in (0, 1, len(whole) // 2, len(whole) - 2):
        made.public.write_bytes(whole[:kept])
        with pytest.raises(InvalidIdentity, match="not a public identity") as error:
            identities.read_public(made.public)
        assert error.value.on == str(made.public)


def test_a_changed_public_file_is_refused_as_a_forgery(tmp_path: Path) -> None:
    """Mallory's keys, and the signature of alice beside them."""
    made = identities.create("alice", tmp_path / "alice.pem", None)
    other = identities.create("alice", tmp_path / "mallory.pem", None)
    hers, theirs = (file.read_bytes().partition(b'"signatures"') for file in (made.public, other.public))
    made.public.write_bytes(theirs[0] + hers[1] + hers[2])
    with pytest.raises(BadSignature) as error:
        identities.read_public(made.public)
    assert error.value.on == str(made.public)


def test_a_public_file_has_a_bound(tmp_path: Path) -> None:
    (tmp_path / "alice.pub").write_bytes(b" " * (possession.LIMIT + 1))
    with pytest.raises(InvalidInput, match="longer than"):
        identities.read_public(tmp_path / "alice.pub")
    with pytest.raises(NotFound):
        identities.read_public(tmp_path / "nobody.pub")
