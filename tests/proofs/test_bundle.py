"""Signed manifests: what is refused, and that nothing but the key and the exact bytes decides."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from registry import bundle, strictjson
from registry.crypto import dsse
from registry.crypto.keys import SigningKey
from registry.errors import BadDigest, BadSignature, Malformed, Untrusted
from registry.manifest import Manifest

KEY, OTHER = SigningKey.generate(), SigningKey.generate()
MODEL = Manifest.of("resnet50", {"model.onnx": "aa" * 32, "größe/模型.bin": "bb" * 32})
SIGNED = bundle.sign(MODEL, KEY)


def _parsed(data: bytes = SIGNED) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(data)
    return value


def _with(path: str, value: object) -> bytes:
    """The bundle with one field replaced."""
    whole = _parsed()
    *way, last = path.split("/")
    place = whole
    for step in way:
        place = place[step]
    place[last] = value
    return json.dumps(whole).encode()


def _signed_payload(payload: bytes, payload_type: str = dsse.PAYLOAD_TYPE) -> bytes:
    """A bundle around any payload, with a good signature."""
    envelope = dsse.sign(payload, KEY, payload_type).to_dict()
    envelope["signatures"] = [{**envelope["signatures"][0], "keyid": ""}]  # type: ignore[index]
    return _with("dsseEnvelope", envelope)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: c.name)
def test_a_bundle_reads_back_as_it_was(curve: ec.EllipticCurve) -> None:
    key = SigningKey(ec.generate_private_key(curve))
    assert bundle.verify(bundle.sign(MODEL, key), key.verifying) == MODEL


def test_the_statement_is_signed_in_canonical_form() -> None:
    payload = base64.b64decode(_parsed()["dsseEnvelope"]["payload"])
    assert payload == strictjson.canonical(MODEL.to_statement())
    assert strictjson.canonical(_parsed()) == SIGNED


@pytest.mark.parametrize(
    "public",
    [{}, {"hint": None}, {"hint": ""}, {"rawBytes": "QQ==", "keyDetails": "PKIX_ECDSA_P256_SHA_256"}],
    ids=["absent", "null", "empty", "older-fields"],
)
def test_a_bundle_without_hint_verifies_by_its_signature(public: dict[str, object]) -> None:
    assert bundle.verify(_with("verificationMaterial/publicKey", public), KEY.verifying) == MODEL
    with pytest.raises(BadSignature):
        bundle.verify(_with("verificationMaterial/publicKey", public), OTHER.verifying)


def test_a_bundle_without_log_entries_verifies() -> None:
    material = {"publicKey": {"hint": bundle.hint_of(KEY.verifying)}}
    assert bundle.verify(_with("verificationMaterial", material), KEY.verifying) == MODEL


def test_another_key_is_refused_by_the_hint() -> None:
    with pytest.raises(BadSignature, match="names another key"):
        bundle.verify(SIGNED, OTHER.verifying)


def test_a_hint_rewritten_to_our_key_does_not_help_a_foreign_signature() -> None:
    forged = _parsed(bundle.sign(MODEL, OTHER))
    forged["verificationMaterial"] = _parsed()["verificationMaterial"]
    with pytest.raises(BadSignature, match="does not verify"):
        bundle.verify(json.dumps(forged).encode(), KEY.verifying)


def test_a_changed_file_list_is_refused() -> None:
    other = Manifest.of("resnet50", {"model.onnx": "cc" * 32})
    payload = strictjson.to_b64(strictjson.canonical(other.to_statement()))
    with pytest.raises(BadSignature):
        bundle.verify(_with("dsseEnvelope/payload", payload), KEY.verifying)


def test_the_signature_of_another_model_by_the_same_key_is_refused() -> None:
    other = _parsed(bundle.sign(Manifest.of("other", {"model.onnx": "cc" * 32}), KEY))
    with pytest.raises(BadSignature):
        bundle.verify(_with("dsseEnvelope/signatures", other["dsseEnvelope"]["signatures"]), KEY.verifying)


def test_a_second_signature_is_refused() -> None:
    signatures = _parsed()["dsseEnvelope"]["signatures"]
    with pytest.raises(Malformed, match="more than one"):
        bundle.verify(_with("dsseEnvelope/signatures", signatures * 2), KEY.verifying)


def test_the_escaped_encoding_of_model_signing_0_2_is_refused() -> None:
    envelope = _parsed()["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    escaped = f"DSSEV1 {len(dsse.PAYLOAD_TYPE)} {dsse.PAYLOAD_TYPE} {len(payload)} {payload!r}".encode()
    envelope["signatures"] = [{"keyid": "", "sig": strictjson.to_b64(KEY.sign(escaped))}]
    with pytest.raises(BadSignature):
        bundle.verify(_with("dsseEnvelope", envelope), KEY.verifying)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_with("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2"), id="v0.2"),
        pytest.param(_with("verificationMaterial/certificate", {}), id="key-and-certificate"),
        pytest.param(_with("verificationMaterial/publicKey", {"hint": 1}), id="hint-a-number"),
        pytest.param(_with("messageSignature", {}), id="message-signature"),
        pytest.param(_with("dsseEnvelope", None), id="no-envelope"),
        pytest.param(_with("dsseEnvelope/payloadType", "application/json"), id="payload-type"),
        pytest.param(_with("extra", 1), id="unknown-field"),
        pytest.param(b"{}", id="empty-object"),
        pytest.param(b"", id="nothing"),
        pytest.param(SIGNED[:-1], id="cut-short"),
        pytest.param(SIGNED + b" " * (32 << 20), id="over-32-mib"),
        pytest.param(b'{"mediaType":"",' + SIGNED[1:], id="media-type-twice"),
        pytest.param(_signed_payload(b"not json"), id="signed-but-not-json"),
        pytest.param(_signed_payload(b"[]"), id="signed-but-not-a-statement"),
        pytest.param(_signed_payload(b'{"_type":"","_type":""}'), id="signed-name-twice"),
        pytest.param(_signed_payload(b"{}", "application/json"), id="signed-as-another-type"),
    ],
)
def test_what_is_not_such_a_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        bundle.verify(data, KEY.verifying)


def test_a_bundle_of_the_certificate_method_is_refused_as_one() -> None:
    with pytest.raises(Malformed, match="not signed by a key"):
        bundle.verify(_with("verificationMaterial", {"certificate": {"rawBytes": "QQ=="}}), KEY.verifying)


def _other_predicate(statement: dict[str, Any]) -> None:
    statement["predicateType"] = "https://hallmark-registry/push/v1"


def _climbing_path(statement: dict[str, Any]) -> None:
    statement["predicate"]["resources"][0]["name"] = "../model.onnx"


def _other_root(statement: dict[str, Any]) -> None:
    statement["subject"][0]["digest"]["sha256"] = "00" * 32


@pytest.mark.parametrize(
    ("change", "error"),
    [(_other_predicate, Malformed), (_climbing_path, Malformed), (_other_root, BadDigest)],
)
def test_a_good_signature_excuses_no_bad_statement(
    change: Callable[[dict[str, Any]], None], error: type[Untrusted]
) -> None:
    statement: dict[str, Any] = json.loads(strictjson.canonical(MODEL.to_statement()))
    change(statement)
    with pytest.raises(error):
        bundle.verify(_signed_payload(strictjson.canonical(statement)), KEY.verifying)
