"""A registry with several people: each has an identity file, and opens the registry as if in a new process.

Whoever opens it anew remembers no key: what they can read, they can read by what the registry gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry import access, acts, identities, keyring, members, vaults
from registry.checkout import checkout
from registry.context import Context, utc_now
from registry.crypto.identity import Identity
from registry.crypto.sealing import SealingPrivateKey
from registry.errors import BadEncryption, NotPermitted
from registry.fsck import fsck
from registry.law.law import Law
from registry.push import push
from registry.records import tables
from registry.records.database import reading
from registry.ways import ident
from support import worlds

ADMIN = "alice"
MODEL, OTHER = "vision/net", "vision/other"
REMAIN = (ADMIN, "carol", "dave")  # who can read MODEL without bob


class Company:
    """alice founds it and is its first admin; the others are enrolled by her."""

    def __init__(self, root: Path, backend: worlds.Backend | None = None) -> None:
        self.root = root
        self.home = worlds.make_home(root / "company", backend, ADMIN)
        self.late = timedelta(0)  # how far the clock has moved

    # --- people -------------------------------------------------------------------------------

    def file(self, name: str) -> Path:
        """The private identity file of this name."""
        return self.home / "identity.pem" if name == ADMIN else self.root / f"{name}.pem"

    def makes(self, name: str, file: str | None = None) -> Path:
        """A new identity of ``name``, enrolled nowhere yet; its public file."""
        return identities.create(name, self.root / f"{file or name}.pem", None).public

    def enroll(self, *names: str, role: str = "member") -> None:
        for name in names:
            with self.open() as context:
                members.add(context, self.makes(name), role)

    def team(self, team: str, *names: str) -> None:
        with self.open() as context:
            members.create_team(context, team)
            for name in names:
                members.join_team(context, team, name)

    def staff(self, source: Path) -> Company:
        """bob reads MODEL directly, carol the namespace, dave by way of team ml; there is a version of
        MODEL and of OTHER."""
        self.enroll("bob", "carol", "dave")
        self.team("ml", "dave")
        self.grant("carol", "pull", "vision/")
        self.grant("ml", "pull", MODEL)
        self.grant("bob", "pull", MODEL)
        self.publish(source)
        self.publish(source, OTHER)
        assert self.readers("bob", *REMAIN) == {"bob", *REMAIN}
        return self

    def now(self) -> datetime:
        return utc_now() + self.late

    def at(self, **by: float) -> str:
        """A time so far from now, as acts write it."""
        return acts.timestamp(self.now() + timedelta(**by))

    @contextmanager
    def open(self, name: str = ADMIN) -> Iterator[Context]:
        """The registry as ``name`` opens it: nothing is remembered from the time before."""
        own = None if name == ADMIN else self.file(name)
        with worlds.open_context(self.home, identity_file=own, now=self.now) as context:
            yield context

    # --- deeds --------------------------------------------------------------------------------

    def grant(
        self, grantee: str, actions: str, target: str, *, by: str = ADMIN, until: str | None = None
    ) -> members.Changed:
        with self.open(by) as context:
            return access.grant(context, grantee, actions.split(","), target, until)

    def revoke(
        self, grantee: str, actions: str, target: str, *, by: str = ADMIN, reencrypt: bool = False
    ) -> members.Changed:
        with self.open(by) as context:
            return access.revoke(context, grantee, actions.split(","), target, reencrypt=reencrypt)

    def publish(self, source: Path, ref: str = MODEL, *, by: str = ADMIN) -> int:
        """Push; the number of the version."""
        with self.open(by) as context:
            return push(context, source, ref).ref.version or 0

    def read(self, name: str, ref: str = MODEL) -> dict[str, bytes]:
        """The files of a version as ``name`` gets them. Raises Denied."""
        with self.open(name) as context:
            return {path: bytes(view) for path, view in checkout(context, ref).files.items()}

    def readers(self, *names: str, ref: str = MODEL) -> set[str]:
        """Those of ``names`` who can read the version; the others are told that they may not."""
        return {name for name in names if self._reads(name, ref)}

    def _reads(self, name: str, ref: str) -> bool:
        try:
            return bool(self.read(name, ref))
        except NotPermitted:
            return False

    def refused(
        self, by: str, deed: Callable[..., object], *arguments: object, error: type[Exception] = NotPermitted
    ) -> None:
        """``deed`` is refused to ``by``: nothing changes, and the refusal alone is on record."""
        with self.open(by) as context:
            before = worlds.dump(context)
            with pytest.raises(error):
                deed(context, *arguments)
            (told,) = worlds.only_refused(context, before)
            # A permit is asked for without a signature: then nobody is accused.
            assert told.member == (by if told.act else "")

    # --- what lies in the database --------------------------------------------------------------

    def epochs(self) -> dict[str, int]:
        """Every vault's present epoch."""
        with self.open() as context:
            return {name: vault.epoch for name, vault in context.law().state.vaults.items()}

    def sealed(self) -> dict[str, bytes]:
        """The table of sealed keys."""
        with self.open() as context, reading(context.engine) as connection:
            rows = connection.execute(sa.select(tables.sealed))
            return {digest: bytes(ciphertext) for digest, ciphertext in rows}

    def blob_keys(self, model: str = MODEL) -> dict[str, str]:
        """Of a model's blobs: plaintext digest to the digest of the sealed key."""
        with self.open() as context:
            rows = worlds.dump(context)["blobs"]
        return {row["content"]: row["sealed"] for row in rows if row["model"] == model}

    def blobs(self) -> dict[str, int]:
        with self.open() as context:
            return worlds.blobs_of(context)

    def clean(self) -> None:
        """fsck finds nothing, and no blob too many."""
        with self.open() as context:
            found = fsck(context)
        assert (found.findings, found.orphans, found.under_way) == ((), (), ())

    # --- what somebody can open by themselves ---------------------------------------------------

    def vault_key(self, name: str, vault: str) -> SealingPrivateKey:
        """The private half of a vault, by the private key of ``name`` alone: with all of the database, and
        without the door. Raises BadEncryption where no share of theirs opens."""
        with self.open() as context, reading(context.engine) as connection:
            law = context.law()
            rows = connection.execute(sa.select(tables.sealed))
            found = {digest: bytes(ciphertext) for digest, ciphertext in rows}
        identity = Identity.from_pem(self.file(name).read_bytes(), None)
        return _open(law, identity, found, vault)


def _open(law: Law, identity: Identity, found: dict[str, bytes], vault: str) -> SealingPrivateKey:
    """Try every share of the vault, by every reader whose key can be opened."""
    for reader, share in law.state.vaults[vault].shares.items():
        try:
            if reader in law.state.vaults:
                key = _open(law, identity, found, reader)
                named = ident(law, reader)
            else:
                key, named = identity.sealing, identity.signing.verifying.keyid
            return vaults.open_share(
                law.registry_id,
                keyring.public(law, vault),
                found[share.sealed.sha256],
                share.sealed.suite,
                key,
                named,
            )
        except BadEncryption:
            continue
    raise BadEncryption("no share opens", on=vault)
