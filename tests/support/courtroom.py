"""A registry with people of every standing, and acts made by hand: what an attacker brings to the door.

Nothing lies in the store: the door judges what is signed, and the keys that follow from it are real.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec
import sqlalchemy as sa

from registry import acts, authority, bundle, enacting, keyring, statements
from registry.authority import Receipt
from registry.context import Context
from registry.crypto import dsse, possession, streaming
from registry.crypto.identity import Identity
from registry.errors import Denied
from registry.manifest import Manifest
from registry.onnx.quantization import QuantizationFacts
from registry.records import queries, tables
from registry.records.database import reading, writing
from registry.vaults import Sealer
from support import worlds

MODEL = "vision/net"
OTHER = "audio/vad"
FLOAT = QuantizationFacts(
    mode="float",
    format="none",
    opsets=(("ai.onnx", 21),),
    operators=(("Relu", 1),),
    quantized_weights=0,
    quantized_elements=0,
    float_weights=1,
    float_elements=4,
    tensors=(),
)
Rows = dict[str, list[tuple[Any, ...]]]
Keys = Mapping[str, bytes]


class Court:
    """One registry and everybody's identity. The clock stands still until ``later`` moves it."""

    def __init__(self, home: Path, now: datetime) -> None:
        self.home, self.now = home, now
        self._open: dict[str, Context] = {}
        self._people: dict[str, Identity] = {}

    # --- people -------------------------------------------------------------------------------

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def at(self, **by: float) -> str:
        """A time so far from now, as acts write it."""
        return acts.timestamp(self.now + timedelta(**by))

    def known(self, name: str) -> Identity:
        """Whoever has this name in the court's files; made when first asked for, and enrolled nowhere."""
        if name not in self._people:
            file = self._file(name)
            if not file.exists():
                worlds.make_identity(file, name.partition("-")[0])
            self._people[name] = Identity.from_pem(file.read_bytes(), None)
        return self._people[name]

    def _file(self, name: str) -> Path:
        return self.home / "identity.pem" if name == "root" else self.home.parent / f"{name}.pem"

    def by(self, name: str) -> Context:
        """The registry as this person has it open."""
        if name not in self._open:
            self.known(name)
            self._open[name] = worlds.open_context(
                self.home, identity_file=self._file(name), now=lambda: self.now
            )
        return self._open[name]

    @property
    def root(self) -> Context:
        return self.by("root")

    @property
    def engine(self) -> sa.Engine:
        return self.root.engine

    def keyid(self, name: str) -> str:
        return self.known(name).signing.verifying.keyid

    def proof(self, name: str) -> bytes:
        """The public identity that its owner signed."""
        return possession.prove(self.known(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for context in self._open.values():
            context.close()

    # --- acts ---------------------------------------------------------------------------------

    def header(self, name: str, **changes: Any) -> acts.Header:
        values: dict[str, Any] = {
            "registry": self.root.config.registry_id,
            "actor": self.keyid(name),
            "time": acts.timestamp(self.now),
            "nonce": secrets.token_hex(16),
            "law": changes["law"] if "law" in changes else self.root.law().head,
            "client": acts.Client(program="a program", host="a machine"),
        }
        return acts.Header(**{**values, **changes})

    def sign(self, name: str, body: acts.Body, **header: Any) -> dsse.Envelope:
        """``body`` under a header of this person's, whose fields ``header`` replaces, signed by them."""
        return dsse.sign(acts.encode(self.header(name, **header), body), self.known(name).signing)

    def submit(self, envelope: dsse.Envelope, keys: Keys | None = None, **options: Any) -> Receipt:
        return authority.submit(self.root.authority, envelope, self.now, keys=keys or {}, **options)

    def admit(self, name: str, body: acts.Body, keys: Keys | None = None, **header: Any) -> Receipt:
        return self.submit(self.sign(name, body, **header), keys)

    def enact(self, name: str, body: acts.LawBody) -> Receipt:
        """An honest act of the law, with the keys that follow from it."""
        return enacting.enact(self.by(name), body)

    def whole(self, body: acts.LawBody, maker: str = "root", **header: Any) -> tuple[Any, dict[str, bytes]]:
        """``body`` with its custody, by the keys of somebody who may open what must be opened."""
        law, context = self.root.law(), self.by(maker)
        need = law.need(acts.Act(header=self.header(maker, **header), body=body, digest=""), maker)
        made = enacting.Made(context, law, body)
        with made.follow(need, reencrypt=False) as rekeyed:
            whole = msgspec.structs.replace(body, custody=made.custody(rekeyed))
        return whole, dict(made.sealer.sealed)

    def push(
        self, name: str, model: str = MODEL, signer: str | None = None, **changes: Any
    ) -> tuple[acts.Push, dict[str, bytes]]:
        """A push of one new file that the door admits next, and its sealed key."""
        signing = self.known(signer or name).signing
        content = hashlib.sha256(secrets.token_bytes(8)).hexdigest()
        manifest = Manifest.of(model, {"model.onnx": content})
        sealer, law = Sealer(self.root.config.registry_id, self.root.law().release), self.root.law()
        vault, blob = keyring.public(law, model), f"{secrets.token_hex(16)}-1"
        with reading(self.engine) as connection:
            number = queries.newest_number(connection, model) + 1
        brought = acts.Blob(
            id=blob,
            format=acts.BLOB_FORMAT,
            size=streaming.ciphertext_size(9),
            sha256=secrets.token_hex(32),
            content=content,
            epoch=vault.epoch,
            key=sealer.blob_key(vault, blob, streaming.new_key()),
        )
        values: dict[str, Any] = {
            "model": model,
            "number": number,
            "digest": manifest.digest,
            "bundle": bundle.sign(manifest, signing),
            "files": (acts.File(path="model.onnx", size=9, sha256=content),),
            "blobs": (brought,),
            "attestations": (
                statements.quantization(model, manifest.digest, [("model.onnx", FLOAT)], signing),
            ),
        }
        return acts.Push(**{**values, **changes}), sealer.sealed

    def about(self, kind: type[Any], number: int = 1, model: str = MODEL, **fields: Any) -> Any:
        """An act about a version, with the digest that it has."""
        with reading(self.engine) as connection:
            ref = queries.Reference(*model.split("/"), version=number)
            digest = queries.version(connection, ref)["digest"]
        return kind(**{"model": model, "number": number, "digest": digest, **fields})

    # --- what there is ------------------------------------------------------------------------

    def rows(self) -> Rows:
        """Every row of every table."""
        with reading(self.engine) as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
                for table in tables.metadata.sorted_tables
            }

    def ledger(self) -> list[acts.Act]:
        """Every act, oldest first."""
        return [acts.decode(dsse.Envelope.from_bytes(raw).payload) for raw in self.envelopes()]

    def envelopes(self) -> list[bytes]:
        with reading(self.engine) as connection:
            query = sa.select(tables.acts.c.envelope).order_by(tables.acts.c.seq)
            return [bytes(raw) for raw in connection.execute(query).scalars()]

    def refusals(self) -> list[acts.Refusal]:
        """The refusals on record, oldest first."""
        return [act.body for act in self.ledger() if isinstance(act.body, acts.Refusal)]


def build(home: Path, backend: worlds.Backend | None = None) -> Court:
    """root and ann are admins, aud an auditor, the others members; only vision/net has a version.

    bob may pull vision/net, gus grant on it for an hour, pusher push to vision/, and mel is in team ml, which
    may pull vision/. nobody has no right at all, dis was disabled, old has a new key (old-2).
    """
    court = Court(worlds.make_home(home, backend, name="root"), datetime.now(UTC))
    roles = {"ann": "admin", "aud": "auditor"}
    for name in ("ann", "aud", "bob", "gus", "pusher", "mel", "nobody", "dis", "old"):
        role: Any = roles.get(name, "member")
        court.enact("root", acts.Enroll(name=name, identity=court.proof(name), role=role))
    court.enact("root", acts.Team(team="ml"))
    court.enact("root", acts.TeamAdd(team="ml", name="mel"))
    for model in (MODEL, OTHER):
        court.enact("root", acts.Create(model))
    court.enact("root", acts.Grant(grantee="ml", actions=("pull",), target="vision/"))
    court.enact("root", acts.Grant(grantee="bob", actions=("pull",), target=MODEL))
    court.enact("root", acts.Grant(grantee="pusher", actions=("push",), target="vision/"))
    court.enact("root", acts.Grant(grantee="gus", actions=("grant",), target=MODEL, until=court.at(hours=1)))
    court.enact("root", acts.Disable(name="dis"))
    court.enact("old", acts.Replace(name="old", identity=court.proof("old-2")))
    court.admit("root", *court.push("root"))
    return court


@contextmanager
def undone(court: Court) -> Iterator[None]:
    """Whatever happens to the database and the clock inside, it has not happened afterwards."""
    checkpoint, now = court.root.paths.checkpoint, court.now
    every, seen = tables.metadata.sorted_tables, checkpoint.read_bytes()
    with reading(court.engine) as connection:
        rows = {table: connection.execute(sa.select(table)).mappings().all() for table in every}
    yield
    with writing(court.engine) as connection:
        for table in reversed(every):
            connection.execute(sa.delete(table))
        for table in every:
            if rows[table]:
                connection.execute(sa.insert(table), [dict(row) for row in rows[table]])
    checkpoint.write_bytes(seen)
    court.now = now


@dataclass(frozen=True)
class Database:
    """A home whose database is on a server, and whose store is its own."""

    database: str
    store: str | None = None


def copied(court: Court, directory: Path) -> Court:
    """The same court in another place, for one test to spoil. SQLite only."""
    shutil.copytree(court.home.parent, directory, dirs_exist_ok=True)
    return Court(directory / court.home.name, court.now)


def pester(home: Path, start: float, times: int) -> None:
    """Bring so many refused acts of bob's, from a process of its own that waits for ``start``."""
    with Court(home, datetime.now(UTC)) as court:
        body = court.about(acts.Yank, reason="x")
        time.sleep(max(0.0, start - time.time()))
        for _ in range(times):
            with suppress(Denied):
                court.admit("bob", body)
