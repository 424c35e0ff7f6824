"""Acts made by hand for tests of the door: valid by default, so that one change is the only flaw.

Nothing is stored anywhere: the door judges what is signed, and the blobs that a push names need not exist
for that.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from registry import acts, authority, bundle, ledger, statements
from registry.authority import Authority, Receipt
from registry.chain import keys_of
from registry.crypto import dsse, streaming
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.crypto.sealing import SealingPrivateKey
from registry.manifest import Manifest
from registry.onnx.quantization import QuantizationFacts, QuantizedTensor
from registry.records import queries
from registry.records.database import reading

MODEL = "vision/net"
SEALED = acts.Sealed(suite="hpke-mlkem768x25519-hkdf-sha256-aes256gcm", ciphertext=b"a sealed key")
WEIGHT = QuantizedTensor(
    name="w",
    scope="",
    role="weight",
    operator="DequantizeLinear",
    type="INT8",
    bits=8,
    symmetric=True,
    granularity="per-channel",
    axis=0,
    block_size=None,
    shape=(4, 4),
    stored=True,
)
FACTS = QuantizationFacts(
    mode="static",
    format="QDQ",
    opsets=(("ai.onnx", 21),),
    operators=(("DequantizeLinear", 1),),
    quantized_weights=1,
    quantized_elements=16,
    float_weights=0,
    float_elements=0,
    tensors=(WEIGHT,),
)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Publisher:
    """An admin before the door of an otherwise empty database."""

    def __init__(self, engine: sa.Engine, name: str = "alice") -> None:
        self.identity = Identity.generate(name)
        self.key = LedgerKey.generate()
        self.now = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
        self.genesis = self.sign(self.genesis_body(), registry="")
        self.authority: Authority = authority.found(engine, self.key, self.genesis)

    @property
    def keyid(self) -> str:
        return self.identity.signing.verifying.keyid

    def genesis_body(self) -> acts.Genesis:
        return acts.Genesis(
            name=self.identity.name, admin=keys_of(self.identity.public), ledger=self.key.public.raw
        )

    def header(self, **changes: Any) -> acts.Header:
        values = {
            "registry": self.authority.registry_id if "registry" not in changes else "",
            "actor": self.keyid,
            "time": acts.timestamp(self.now),
            "nonce": secrets.token_hex(16),
        }
        return acts.Header(**{**values, **changes})

    def sign(self, body: acts.Body, identity: Identity | None = None, **header: Any) -> dsse.Envelope:
        """``body`` under a header, signed by ``identity``, by default the admin."""
        return dsse.sign(acts.encode(self.header(**header), body), (identity or self.identity).signing)

    def submit(self, envelope: dsse.Envelope, **options: Any) -> Receipt:
        return authority.submit(self.authority, envelope, self.now, **options)

    def admit(self, body: acts.Body) -> Receipt:
        return self.submit(self.sign(body))

    def push(
        self,
        files: Mapping[str, bytes] | None = None,
        *,
        model: str = MODEL,
        signer: Identity | None = None,
        **changes: Any,
    ) -> acts.Push:
        """A push of ``files`` (path to content) that the door admits next; ``changes`` replace its fields."""
        contents = files or {"model.onnx": secrets.token_bytes(16)}
        signing = (signer or self.identity).signing
        digests = {path: sha256(data) for path, data in contents.items()}
        manifest = Manifest.of(model, digests)
        with reading(self.authority.engine) as connection:
            number = queries.newest_number(connection, model) + 1
            stored = queries.stored(connection, model, set(digests.values()))
            vault = queries.current_vault(connection, model)
        names = {content: stored.get(content, f"push-{secrets.token_hex(8)}") for content in digests.values()}
        listed = tuple(
            acts.File(path=path, size=len(data), sha256=digests[path], blob=names[digests[path]])
            for path, data in contents.items()
        )
        values: dict[str, Any] = {
            "model": model,
            "number": number,
            "digest": manifest.digest,
            "bundle": bundle.sign(manifest, signing),
            "files": listed,
            "blobs": _blobs(listed, stored.keys()),
            "vault": None if vault else self.vault(),
            "attestations": (self.attestation(model, manifest.digest, sorted(contents), signer=signer),),
        }
        return acts.Push(**{**values, **changes})

    def vault(self, epoch: int = 1, recipient: str | None = None) -> acts.Vault:
        public = SealingPrivateKey.generate().public
        share = acts.Share(recipient=recipient or self.keyid, sealed=SEALED)
        return acts.Vault(epoch=epoch, suite=public.suite, public=public.to_bytes(), shares=(share,))

    def attestation(
        self, model: str, digest: str, paths: Sequence[str], *, signer: Identity | None = None
    ) -> bytes:
        facts = [(path, FACTS) for path in paths if path.endswith(".onnx")]
        return statements.quantization(model, digest, facts, (signer or self.identity).signing)

    def about(self, kind: type[Any], number: int, model: str = MODEL, **fields: Any) -> Any:
        """An Alias, Yank or Pull of a version, with the digest that the database has for it."""
        with reading(self.authority.engine) as connection:
            ref = queries.Reference(*model.split("/"), version=number)
            digest = queries.version(connection, ref)["digest"]
        return kind(**{"model": model, "number": number, "digest": digest, **fields})

    def envelopes(self) -> list[bytes]:
        """The ledger, in order."""
        with reading(self.authority.engine) as connection:
            return [entry.envelope for entry in ledger.entries(connection)]


def _blobs(files: Sequence[acts.File], stored: Any) -> tuple[acts.Blob, ...]:
    fresh = {file.sha256: file for file in files if file.sha256 not in stored}
    return tuple(
        acts.Blob(
            id=file.blob,
            format=acts.BLOB_FORMAT,
            size=streaming.ciphertext_size(file.size),
            sha256=sha256(file.blob.encode()),
            content=content,
            epoch=1,
            key=SEALED,
        )
        for content, file in fresh.items()
    )
