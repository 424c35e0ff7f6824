"""Identity files: the private one that never leaves its owner, and the public one to be enrolled with."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry import disk
from registry.crypto import possession
from registry.crypto.identity import Identity
from registry.errors import AlreadyExists, BadSignature, InvalidIdentity, InvalidInput, Malformed, NotFound

_PRIVATE, _PUBLIC = ".pem", ".pub"
_File = tuple[Path, bytes, int]  # where, what, and the mode


@dataclass(frozen=True)
class Created:
    """A new identity and its two files."""

    name: str
    keyid: str
    fingerprint: str
    private: Path
    public: Path


def create(name: str, file: Path, passphrase: bytes | None) -> Created:
    """Make the identity of ``name``: its private half in ``file``, its public half beside it.

    ``alice.pem`` has ``alice.pub`` beside it; another name than ``.pem`` gets ``.pub`` appended. The private
    file is the owner's alone (0600), and encrypted where a passphrase is given. Both files are durable, or
    there is neither. Raises AlreadyExists (nothing is ever overwritten), InvalidReference for the name,
    InvalidIdentity for a passphrase of no length, NotFound, InvalidInput or DiskTrouble.
    """
    public = public_of(file)
    identity = Identity.generate(name)
    _write((file, identity.to_pem(passphrase), 0o600), (public, possession.prove(identity) + b"\n", 0o644))
    keyid = identity.signing.verifying.keyid
    return Created(name, keyid, identity.public.fingerprint, file, public)


def public_of(file: Path) -> Path:
    """Where the public half of a private ``file`` lies. Raises InvalidInput for a name that ends in .pub."""
    if file.name.endswith(_PUBLIC):
        raise InvalidInput(
            "a private file is not called .pub: it might be given away",
            on=str(file),
            hint=f"call it {file.name.removesuffix(_PUBLIC)}{_PRIVATE}",
        )
    return file.parent / (file.name.removesuffix(_PRIVATE) + _PUBLIC)


def read_public(path: Path) -> bytes:
    """The proven public identity in a ``.pub`` file: the envelope's bytes, for ``possession.verify``.

    Raises InvalidIdentity (another file, or damaged), BadSignature (its keys did not sign it), NotFound,
    InvalidInput or DiskTrouble.
    """
    data = disk.read(path, possession.LIMIT)
    if b"-----BEGIN " in data:
        raise _pem(path, private=b"PRIVATE KEY-----" in data)
    try:
        possession.verify(data)
    except Malformed as error:
        raise InvalidIdentity(
            f"the file is not a public identity: {error}",
            on=str(path),
            hint="ask its owner for the .pub file that 'registry identity create' wrote",
        ) from error
    except BadSignature as error:
        raise BadSignature(
            f"the public identity is not signed by its own key: {error}",
            on=str(path),
            hint="it was changed: ask its owner for it again, by a way that you trust",
        ) from error
    return data.removesuffix(b"\n")


def _pem(path: Path, *, private: bool) -> InvalidIdentity:
    what = "a private identity, not a public one" if private else "not a public identity"
    return InvalidIdentity(
        f"the file is {what}", on=str(path), hint="give the .pub file; the .pem never leaves its owner"
    )


def _write(*files: _File) -> None:
    """Create all the files, or none."""
    _check_free([path for path, _, _ in files])
    begun: list[Path] = []
    try:
        for path, data, mode in files:
            begun.append(path)  # before: a creation that fails half-way leaves a file, too
            disk.create(path, data, mode)
    except BaseException as error:
        if isinstance(error, AlreadyExists):
            begun.pop()  # somebody was faster: that file is not ours to remove
        _remove(begun)
        raise


def _check_free(paths: Sequence[Path]) -> None:
    """So that no failure of a creation can be about a file that was there before."""
    for path in paths:
        with disk.translated(path):
            if not path.parent.is_dir():
                raise NotFound("there is no such directory", on=str(path.parent), hint="make it first")
            if os.path.lexists(path):
                raise AlreadyExists(
                    "the file exists, and an identity is never overwritten",
                    on=str(path),
                    hint="choose another file",
                )


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):  # the failure that led here is the one to tell
            path.unlink()
