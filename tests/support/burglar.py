"""A burglar: has a copy of the raw database and store, some private keys, and all the time in the world.

They know how the registry seals, read no deed of it, and ask no door. Whatever in the database
has the size of a sealed secret is tried with every key in hand: under the places that the database itself
names for it, and (``guesses``) under every other place that this key could be named in. What opens is a key
more, until nothing opens any more; then every blob is tried with every blob key.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import json
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.crypto.streaming import HEADER, Decryptor, ciphertext_span
from registry.errors import BadEncryption
from support.picklock import BLOB_KEY, SIZES, VAULT_KEY, Key, Place, pick

Opened = frozenset[tuple[str, str]]  # model, and SHA-256 of the plaintext
PURPOSES = ("vault-share", "blob-key", "release")


@dataclass(frozen=True)
class Haul:
    """What a burglary brought: blobs opened, and the keys that opened them."""

    opened: Opened
    keys: tuple[Key, ...] = field(repr=False)  # of vaults, new to the burglar
    blob_keys: frozenset[bytes] = field(repr=False)
    sealed: frozenset[bytes] = field(repr=False)  # the ciphertexts that opened

    def models(self) -> set[str]:
        return {model for model, _ in self.opened}


@dataclass(frozen=True)
class Told:
    """What the database says of a ciphertext: a share of ``vault`` for ``reader``, or a blob's key."""

    vault: str
    epoch: int
    reader: str

    @property
    def vault_ident(self) -> str:
        """The vault itself: what opens the keys of its blobs."""
        return f"{self.vault}#{self.epoch}"


class Loot:
    """The database file and the store directory of a home, copied as they lie on the disk."""

    def __init__(self, home: Path, into: Path) -> None:
        into.mkdir(parents=True)
        self.files = [Path(shutil.copy(found, into)) for found in sorted(home.glob("registry.db*"))]
        self.raw = b"".join(file.read_bytes() for file in self.files)  # before SQLite tidies the copy
        store = home / "blobs"
        found = [path for path in store.rglob("*") if path.is_file()] if store.exists() else []
        self.blobs = {path.name: path.read_bytes() for path in found}
        with closing(sqlite3.connect(into / "registry.db")) as connection:
            connection.row_factory = sqlite3.Row
            names = [
                row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            self.tables = {
                name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')] for name in names
            }
        self._read()

    def _read(self) -> None:
        self.registry_id = self.tables["acts"][0]["digest"]
        self.pool: dict[str, bytes] = {}  # by SHA-256: whatever may be a sealed secret
        self.plain: set[bytes] = set()  # whatever may be a secret in the clear
        for rows in self.tables.values():
            for row in rows:
                for value in row.values():
                    self._consider(value)
        self._tell()
        self.of_blob = {row["id"]: (row["model"], row["content"]) for row in self.tables["blobs"]}

    def _consider(self, value: Any) -> None:
        """Every byte string in a value: as it is, in hexadecimal, in base64, in JSON, and in those again."""
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for one in value:
                self._consider(one)
        elif isinstance(value, bytes):
            self._bytes(value)
        elif isinstance(value, str):
            for decoded in _decoded(value):
                self._bytes(decoded)

    def _bytes(self, value: bytes) -> None:
        if len(value) in SIZES:
            self.pool[hashlib.sha256(value).hexdigest()] = value
        if len(value) in (BLOB_KEY, VAULT_KEY):
            self.plain.add(value)
        if value[:1] in (b"{", b"["):
            try:
                self._consider(json.loads(value))
            except ValueError:
                return

    def _tell(self) -> None:
        self.told: dict[str, list[Told]] = defaultdict(list)
        self.idents: dict[str, set[str]] = defaultdict(set)  # reader to how they were ever named
        for row in self.tables["shares"]:
            self.told[row["sealed"]].append(Told(row["vault"], row["epoch"], row["recipient"]))
        for row in self.tables["blobs"]:
            self.told[row["sealed"]].append(Told(row["model"], row["epoch"], f"vault:{row['id']}"))
        for row in self.tables["keys"]:
            self.idents[row["name"]].add(row["keyid"])
        self.epochs: dict[str, int] = {}
        for row in self.tables["vaults"]:
            self.epochs[row["vault"]] = max(row["epoch"], self.epochs.get(row["vault"], 0))
            self.idents[row["vault"]].add(f"{row['vault']}#{row['epoch']}")

    def plus(self, links: Iterable[tuple[str, str, bytes]]) -> Loot:
        """The same with ciphertexts that the door gave out: vault, reader and share of each."""
        more = copy.copy(self)
        more.pool, more.told = dict(self.pool), dict(self.told)
        for vault, reader, share in links:
            digest = hashlib.sha256(share).hexdigest()
            more.pool[digest] = share
            more.told[digest] = [Told(vault, self.epochs[vault], reader)]
        return more

    def contents(self, models: Iterable[str]) -> Opened:
        """Every blob of these models, as the tables tell."""
        wanted = set(models)
        return frozenset(place for place in self.of_blob.values() if place[0] in wanted)


def _decoded(text: str) -> Iterator[bytes]:
    if len(text) in (2 * BLOB_KEY, 2 * VAULT_KEY):
        with suppress(ValueError):
            yield bytes.fromhex(text)
    try:
        yield base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        yield text.encode()


def burgle(loot: Loot, keys: Iterable[Key], *, blob_keys: Iterable[bytes] = (), guesses: int = 0) -> Haul:
    """Open whatever these keys lead to.

    ``guesses``: how many of the newest epochs of each vault are tried as the place of every ciphertext,
    whatever the database says of it. What it says nothing of is tried that way in any case.
    """
    work = _Burglary(loot, list(keys), set(blob_keys), guesses)
    own = len(work.keys)
    while work.round():
        pass
    opened = frozenset(_blobs(loot, work.secrets))
    return Haul(opened, tuple(work.keys[own:]), frozenset(work.secrets), frozenset(work.opened))


class _Burglary:
    def __init__(self, loot: Loot, keys: list[Key], secrets: set[bytes], guesses: int) -> None:
        self.keys, self.secrets, self.opened = keys, secrets, set[bytes]()
        self._loot, self._guesses = loot, guesses
        self._closed = {digest: (data, loot.told.get(digest, [])) for digest, data in loot.pool.items()}
        self._tried: set[tuple[str, Key]] = set()

    def round(self) -> bool:
        """Try every key on every ciphertext that is still closed; say whether anything opened."""
        before = len(self.opened)
        for digest, (data, told) in list(self._closed.items()):
            # The key that the database names comes first: where it opens, no other needs to be tried.
            for key in sorted(self.keys, key=lambda key: not self._named(told, key)):
                if (digest, key) not in self._tried and self._try(digest, data, told, key):
                    break
        return len(self.opened) > before

    def _named(self, told: list[Told], key: Key) -> bool:
        return any(
            key.ident in self._loot.idents.get(one.reader, ()) or key.ident == one.vault_ident for one in told
        )

    def _try(self, digest: str, data: bytes, told: list[Told], key: Key) -> bool:
        self._tried.add((digest, key))
        hit = pick(key, data, [*self._told_places(told, key), *self._guessed(told, key)])
        if hit is None:
            return False
        del self._closed[digest]
        self.opened.add(data)
        self._keep(hit[0], hit[1], told)
        return True

    def _keep(self, place: Place, secret: bytes, told: list[Told]) -> None:
        ident = f"{place.vault}#{place.epoch}"
        if len(secret) == VAULT_KEY:
            self.keys.append(Key.of_secret(ident, secret))
        elif len(secret) == BLOB_KEY:
            self.secrets.add(secret)
            if place.purpose != "blob-key":
                self.keys.append(Key.of_secret(ident, secret))
        else:  # sealed once more: what is inside belongs where the outside did
            self._closed[hashlib.sha256(secret).hexdigest()] = (secret, told)

    def _told_places(self, told: list[Told], key: Key) -> Iterator[Place]:
        for one in told:
            for ident in {*self._newest(one.reader), key.ident}:
                for purpose in PURPOSES:
                    yield from self._places(purpose, one.vault, one.epoch, ident)

    def _newest(self, reader: str) -> set[str]:
        """How a reader may be named: a member by every key they ever had, a vault by its newest epoch."""
        if reader in self._loot.epochs:
            return {f"{reader}#{self._loot.epochs[reader]}"}
        return self._loot.idents.get(reader, {reader})

    def _guessed(self, told: list[Told], key: Key) -> Iterator[Place]:
        depth = self._guesses or (0 if told else 2)
        blobs = [f"vault:{blob}" for blob in self._loot.blobs]
        for vault, newest in self._loot.epochs.items():
            for epoch in range(newest, max(0, newest - depth), -1):
                idents = [key.ident, *(blobs if key.ident == f"{vault}#{epoch}" else ())]
                for ident in idents:
                    for purpose in PURPOSES:
                        yield from self._places(purpose, vault, epoch, ident)

    def _places(self, purpose: str, vault: str, epoch: int, ident: str) -> Iterator[Place]:
        yield Place(self._loot.registry_id, purpose, vault, epoch, ident)
        if (vault, epoch) == ("/", 1):  # from before the registry had an id
            yield Place("", purpose, vault, epoch, ident)


def lying_open(loot: Loot) -> Opened:
    """The blobs that any 32 bytes in the database open, as they are: keys in the clear, digests as keys."""
    return frozenset(_blobs(loot, [value for value in loot.plain if len(value) == BLOB_KEY]))


def _blobs(loot: Loot, secrets: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    for name, data in loot.blobs.items():
        for secret in secrets:
            plaintext = _decrypt(secret, data)
            if plaintext is not None:
                model, _ = loot.of_blob.get(name, (f"? {name}", ""))
                yield model, hashlib.sha256(plaintext).hexdigest()
                break


def _decrypt(secret: bytes, data: bytes) -> bytes | None:
    try:
        stream = Decryptor(secret, data[:HEADER], len(data))
        out = memoryview(bytearray(stream.plaintext_size + 1))
        done = 0
        for index in range(stream.count):
            start, length = ciphertext_span(index, len(data))
            done += stream.segment(index, data[start : start + length], out[done:])
        return bytes(out[:done])
    except BadEncryption:
        return None
