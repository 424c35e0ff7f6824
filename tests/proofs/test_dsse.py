"""Envelopes: the published vector, lengths in bytes, exact bytes kept, and how one might pass off another."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from registry.crypto import dsse
from registry.crypto.dsse import Envelope, Signature
from registry.crypto.keys import SigningKey, VerifyingKey
from registry.errors import BadSignature, Malformed

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "dsse_v1.json").read_text(encoding="utf-8")
)
KEY, OTHER = SigningKey.generate(), SigningKey.generate()
_text = st.text(st.characters(codec="utf-8"))


def _envelope(payload: bytes = b'{"a": 1}') -> Envelope:
    return dsse.sign(payload, KEY)


def _changed(**fields: object) -> bytes:
    return json.dumps({**_envelope().to_dict(), **fields}).encode()


def _protocol_key() -> VerifyingKey:
    vector = VECTORS["protocol"]
    numbers = ec.EllipticCurvePublicNumbers(int(vector["x"]), int(vector["y"]), ec.SECP256R1())
    return VerifyingKey.of(numbers.public_key())


def test_the_example_of_the_protocol_verifies() -> None:
    vector = VECTORS["protocol"]
    assert dsse.pae(vector["payload_type"], vector["payload"].encode()) == vector["pae"].encode()
    envelope = Envelope.from_bytes(json.dumps(vector["envelope"]).encode())
    raw = envelope.signatures[0].sig
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    signed = replace(envelope, signatures=(Signature("", der),))
    assert dsse.verify(signed, _protocol_key(), vector["payload_type"]) == b"hello world"


def test_lengths_count_bytes_not_characters() -> None:
    vector = VECTORS["beyond_ascii"]
    expected = bytes.fromhex(vector["pae_hex"])
    assert dsse.pae(vector["payload_type"], vector["payload"].encode()) == expected


@given(_text, st.integers(0, 20), st.integers(0, 20))
def test_type_and_payload_cannot_flow_into_each_other(text: str, here: int, there: int) -> None:
    one, other = ((text[:cut], text[cut:].encode()) for cut in (here, there))
    assert (dsse.pae(*one) == dsse.pae(*other)) == (one == other)


@given(_text, st.binary(), st.lists(st.builds(Signature, _text, st.binary()), min_size=1, max_size=16))
def test_an_envelope_reads_back_as_it_was(kind: str, payload: bytes, signatures: list[Signature]) -> None:
    envelope = Envelope(kind, payload, tuple(signatures))
    assert Envelope.from_bytes(envelope.to_bytes()) == envelope


def test_the_signed_bytes_are_kept_not_rewritten() -> None:
    payload = b'{ "b":1,  "a":2 }\n'
    assert dsse.verify(Envelope.from_bytes(dsse.sign(payload, KEY).to_bytes()), KEY.verifying) == payload


def test_a_changed_payload_is_refused() -> None:
    with pytest.raises(BadSignature):
        dsse.verify(replace(_envelope(), payload=b'{"a": 2}'), KEY.verifying)


def test_a_changed_payload_type_is_refused() -> None:
    with pytest.raises(BadSignature):
        dsse.verify(replace(_envelope(), payload_type="text/plain"), KEY.verifying, "text/plain")


def test_another_type_of_payload_is_refused_even_when_signed() -> None:
    with pytest.raises(Malformed):
        dsse.verify(dsse.sign(b"x", KEY, "text/plain"), KEY.verifying)


def test_another_key_is_refused() -> None:
    with pytest.raises(BadSignature, match="expected key"):
        dsse.verify(_envelope(), OTHER.verifying)


def test_another_keys_signature_under_our_key_id_is_refused() -> None:
    forged = replace(dsse.sign(b"x", OTHER).signatures[0], keyid=KEY.verifying.keyid)
    with pytest.raises(BadSignature, match="does not verify"):
        dsse.verify(Envelope(dsse.PAYLOAD_TYPE, b"x", (forged,)), KEY.verifying)


def test_our_signature_under_another_key_id_is_not_tried() -> None:
    renamed = replace(_envelope().signatures[0], keyid=OTHER.verifying.keyid)
    with pytest.raises(BadSignature, match="expected key"):
        dsse.verify(replace(_envelope(), signatures=(renamed,)), KEY.verifying)


def test_a_signature_without_key_id_is_tried() -> None:
    envelope = _envelope()
    bare = replace(envelope.signatures[0], keyid="")
    assert dsse.verify(replace(envelope, signatures=(bare,)), KEY.verifying) == envelope.payload


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_good_signature_suffices_wherever_it_stands(place: int) -> None:
    envelope = _envelope()
    signatures = [Signature("", b"junk"), dsse.sign(b"else", KEY).signatures[0]]
    signatures.insert(place, envelope.signatures[0])
    assert dsse.verify(replace(envelope, signatures=tuple(signatures)), KEY.verifying) == envelope.payload


@pytest.mark.parametrize("count", [1, 2, 16])
def test_many_signatures_that_do_not_verify_are_refused(count: int) -> None:
    forged = replace(dsse.sign(b"x", OTHER).signatures[0], keyid=KEY.verifying.keyid)
    with pytest.raises(BadSignature, match="does not verify"):
        dsse.verify(Envelope(dsse.PAYLOAD_TYPE, b"x", (forged,) * count), KEY.verifying)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: c.name)
def test_every_curve_signs_and_verifies(curve: ec.EllipticCurve) -> None:
    key = SigningKey(ec.generate_private_key(curve))
    read = VerifyingKey.from_spki(key.verifying.spki)
    assert dsse.verify(dsse.sign(b"x", key), read) == b"x"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_changed(extra=1), id="unknown-field"),
        pytest.param(_changed(payload="e30"), id="payload-unpadded"),
        pytest.param(_changed(payload="_-8="), id="payload-url-safe"),
        pytest.param(_changed(payload=None), id="payload-null"),
        pytest.param(_changed(payloadType=1), id="type-a-number"),
        pytest.param(_changed(signatures=[]), id="no-signature"),
        pytest.param(_changed(signatures=[{"sig": "QQ=="}] * 17), id="17-signatures"),
        pytest.param(_changed(signatures=[{"keyid": ""}]), id="signature-without-bytes"),
        pytest.param(_changed(signatures=[{"sig": "QQ==", "cert": ""}]), id="unknown-signature-field"),
        pytest.param(
            _changed(signatures=[{"sig": base64.b64encode(bytes(4097)).decode()}]), id="signature-too-long"
        ),
        pytest.param(b'{"payload":"","payload":"","payloadType":"","signatures":[]}', id="field-twice"),
        pytest.param(b"[]", id="not-an-object"),
    ],
)
def test_malformed_envelopes_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Envelope.from_bytes(data)


def test_an_envelope_over_its_limit_is_refused() -> None:
    data = _envelope().to_bytes()
    assert Envelope.from_bytes(data, limit=len(data)).to_bytes() == data
    with pytest.raises(Malformed, match="too long"):
        Envelope.from_bytes(data, limit=len(data) - 1)


def test_a_second_name_on_an_envelope_of_one_signer_is_refused() -> None:
    """Whoever reads the first name only would take it for the signer."""
    ours, another = SigningKey.generate(), SigningKey.generate()
    envelope = dsse.sign(b"payload", ours)
    assert dsse.verify_only(envelope, ours.verifying) == b"payload"
    for signatures in (
        (Signature(another.keyid, b"junk"), *envelope.signatures),
        (*envelope.signatures, *dsse.sign(b"payload", another).signatures),
        (Signature("", envelope.signatures[0].sig),),
    ):
        with pytest.raises(BadSignature, match="other signatures"):
            dsse.verify_only(replace(envelope, signatures=signatures), ours.verifying)
