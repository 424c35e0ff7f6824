"""Versions without files: signed push acts as a real push makes them, for models that nobody runs."""

from __future__ import annotations

import hashlib
import secrets

from benchmarks.scribe import Scribe
from benchmarks.tensors import tensor
from registry import acts, bundle, statements
from registry.crypto import streaming
from registry.crypto.identity import Identity
from registry.manifest import Manifest
from registry.onnx.quantization import QuantizationFacts

RESNET = 54  # quantized weights in a ResNet-50
_FILE = "model.onnx"


def publish(scribe: Scribe, publisher: Identity, model: str, number: int, weights: int) -> acts.Push:
    """Add the next version of ``model``: one ONNX file of its own, with so many quantized weights."""
    content = hashlib.sha256(secrets.token_bytes(16)).hexdigest()
    file = acts.File(path=_FILE, size=1 << 20, sha256=content)
    manifest = Manifest.of(model, {_FILE: content})
    signing = publisher.signing
    push = acts.Push(
        model=model,
        number=number,
        digest=manifest.digest,
        bundle=bundle.sign(manifest, signing),
        files=(file,),
        blobs=(_blob(scribe, model, file),),
        attestations=(statements.quantization(model, manifest.digest, [(_FILE, _facts(weights))], signing),),
    )
    scribe.add(push)
    return push


def _blob(scribe: Scribe, model: str, file: acts.File) -> acts.Blob:
    name = f"bench-{secrets.token_hex(8)}"
    return acts.Blob(
        id=name,
        format=acts.BLOB_FORMAT,
        size=streaming.ciphertext_size(file.size),
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        content=file.sha256,
        epoch=1,
        key=scribe.sealer.blob_key(scribe.vault(model), name, streaming.new_key()),
    )


def _facts(weights: int) -> QuantizationFacts:
    return QuantizationFacts(
        mode="static",
        format="QDQ",
        opsets=(("ai.onnx", 21),),
        operators=(("DequantizeLinear", weights),),
        quantized_weights=weights,
        quantized_elements=weights * 36864,
        float_weights=0,
        float_elements=0,
        tensors=tuple(map(tensor, range(weights))),
    )
