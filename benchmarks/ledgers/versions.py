"""Versions without files: what a push says of them, signed as a real push is."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, NamedTuple

from benchmarks.ledgers.chance import stream
from benchmarks.ledgers.keys import SteadyKey
from benchmarks.tensors import tensor
from registry import acts, bundle, statements
from registry.crypto import sealing, streaming
from registry.manifest import Manifest
from registry.onnx.lineage.verdict import Lineage
from registry.onnx.quantization import QuantizationFacts

_KEY = 1168  # bytes of a sealed blob key
_CONFIG = "config.json"
_ONNX = "model.onnx"
_TOOLS = {"hallmark": "0.1.0", "onnxruntime": "1.31.0"}


class Parent(NamedTuple):
    """What a version is made from."""

    reference: str
    digest: str


class Publication(NamedTuple):
    """What a push says, but for what follows from it."""

    model: str
    number: int
    files: int
    epoch: int  # of the model's vault
    label: str | None
    aliases: tuple[str, ...]
    metadata: dict[str, str]
    parent: Parent | None
    proven: bool  # with a proof of its lineage


class Statement(NamedTuple):
    """What an attestation says, but for what follows from it."""

    model: str
    number: int
    digest: str
    kind: str
    parent: Parent | None


def files_of(seed: str, model: str, number: int, count: int) -> tuple[acts.File, ...]:
    """The files of a version: one ONNX file of its own, its external data, and what all versions share."""
    drawn = stream(seed, 16, "sizes", model, number)
    found = [_file(seed, _ONNX, 1 << 16, drawn[:4], model, number)]
    if count > 1:
        found.append(_file(seed, f"{_ONNX}.data", 1 << 24, drawn[4:8], model, number))
    if count > 2:
        found.append(_file(seed, _CONFIG, 1 << 9, b"\0\0\0\1", model))
    return tuple(found)


def _file(seed: str, path: str, least: int, drawn: bytes, *words: object) -> acts.File:
    size = least + int.from_bytes(drawn, "big") % (15 * least)
    return acts.File(path=path, size=size, sha256=stream(seed, 32, "file", path, *words).hex())


def digest_of(model: str, files: tuple[acts.File, ...]) -> str:
    """The OMS root digest."""
    return Manifest.of(model, {file.path: file.sha256 for file in files}).digest


def blobs_of(seed: str, model: str, number: int, files: tuple[acts.File, ...], epoch: int) -> list[acts.Blob]:
    """The blobs that a version brings: those of its files that the first one has not brought already."""
    new = [file for file in files if file.path != _CONFIG or number == 1]
    return [_blob(seed, model, file, epoch) for file in new]


def _blob(seed: str, model: str, file: acts.File, epoch: int) -> acts.Blob:
    name = stream(seed, 16, "blob", model, file.sha256).hex()
    return acts.Blob(
        id=f"{name}-0",
        format=acts.BLOB_FORMAT,
        size=streaming.ciphertext_size(file.size),
        sha256=stream(seed, 32, "ciphertext", model, file.sha256).hex(),
        content=file.sha256,
        epoch=epoch,
        key=acts.Sealed(sealing.DEFAULT, hashlib.sha256(sealed(seed, model, file.sha256, epoch)).hexdigest()),
    )


def sealed(seed: str, model: str, content: str, epoch: int) -> bytes:
    """What lies in the place of a sealed blob key."""
    return stream(seed, _KEY, "blob key", model, content, epoch)


def push(seed: str, said: Publication, key: SteadyKey) -> acts.Push:
    """The push act, its bundle and attestations signed."""
    files = files_of(seed, said.model, said.number, said.files)
    manifest = Manifest.of(said.model, {file.path: file.sha256 for file in files})
    facts = _facts(stream(seed, 1, "weights", said.model)[0], quantized=said.parent is not None)
    found = [statements.quantization(said.model, manifest.digest, [(_ONNX, facts)], key)]
    if said.parent:
        recipe = {"model": _ONNX, **_made_from(said.parent), "recipe": {"mode": "static"}, "tools": _TOOLS}
        found.append(statements.signed(said.model, manifest.digest, acts.RECIPE, recipe, key))
        if said.proven:
            proof = _lineage(said.parent)
            found.append(statements.signed(said.model, manifest.digest, acts.LINEAGE, proof, key))
    return acts.Push(
        model=said.model,
        number=said.number,
        digest=manifest.digest,
        label=said.label,
        aliases=said.aliases,
        metadata=said.metadata,
        bundle=bundle.sign(manifest, key),
        files=files,
        blobs=tuple(blobs_of(seed, said.model, said.number, files, said.epoch)),
        attestations=tuple(found),
    )


def attest(said: Statement, key: SteadyKey) -> acts.Attest:
    """The attestation act, its statement signed."""
    predicate: dict[str, Any] = {"approved": True, "ticket": f"REV-{int(said.digest[:4], 16)}"}
    if said.kind == acts.LINEAGE and said.parent:
        predicate = _lineage(said.parent)
    elif said.kind == acts.EVALUATION and said.parent:
        predicate = _evaluation(said.parent, said.digest)
    envelope = statements.signed(said.model, said.digest, said.kind, predicate, key)
    return acts.Attest(model=said.model, number=said.number, digest=said.digest, statement=envelope)


def _made_from(parent: Parent) -> dict[str, Any]:
    return {"parent": {"reference": parent.reference, "digest": parent.digest, "model": _ONNX}}


def _lineage(parent: Parent) -> dict[str, Any]:
    proven = int(parent.digest[:2], 16) > 60
    counts = (("recomputed", 54),) if proven else (("recomputed", 51), ("unexplained", 3))
    verdict = "derived" if proven else "unexplained"
    found = Lineage(verdict, (), "8-bit, per channel", None, "as it is", counts, (), 0, ())
    return {"model": _ONNX, **_made_from(parent), "calibration": None, "tools": _TOOLS, **found.to_dict()}


def _evaluation(parent: Parent, digest: str) -> dict[str, Any]:
    agreement = 1_000_000 - int(digest[:4], 16)
    output = {"name": "logits", "parent": "logits", "type": "tensor(float)", "elements": 10_000}
    measured = {"agreement_ppm": agreement, "cosine_ppm": 999_000, "sqnr_mdb": 31_500}
    return {
        "model": _ONNX,
        **_made_from(parent),
        "data": {"digest": digest, "samples": 1_000},
        **measured,
        "outputs": [{**output, **measured, "largest_error": "0.25", "unlike": 0}],
        "layers": [],
        "layers_measured": 0,
        "tools": _TOOLS,
    }


@lru_cache(maxsize=64)
def _facts(drawn: int, *, quantized: bool) -> QuantizationFacts:
    weights = 2 + drawn % 5 if quantized else 0
    return QuantizationFacts(
        mode="static" if quantized else "float",
        format="QDQ" if quantized else "none",
        opsets=(("ai.onnx", 21),),
        operators=(("DequantizeLinear", weights),) if quantized else (),
        quantized_weights=weights,
        quantized_elements=weights * 36_864,
        float_weights=1 if quantized else 54,
        float_elements=64 if quantized else 54 * 36_864,
        tensors=tuple(map(tensor, range(weights))),
    )
