"""The scan at both ends: a push is refused or allowed on record, a checkout looks again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from registry import acts, catalog, ledger, scanning
from registry.checkout import checkout, verify
from registry.context import Context
from registry.crypto import dsse
from registry.errors import BadContent, Hostile, InvalidInput, PolicyDenied
from registry.policies import put
from registry.pull import pull
from registry.push import push
from registry.records.database import reading
from registry.scanning import Report
from registry.screening import scan
from support import graphs

REF = "vision/net"


@pytest.fixture
def carrier(tmp_path: Path) -> Path:
    """A model with a payload: an initializer that nothing uses."""
    model = graphs.mlp()
    payload = np.random.default_rng(0).integers(0, 256, 4096, np.uint8)
    model.graph.initializer.append(numpy_helper.from_array(payload, "payload"))
    return graphs.save(model, tmp_path / "carrier.onnx")


@pytest.fixture
def crasher(tmp_path: Path) -> Path:
    """A model that kills ONNX Runtime as it loads: the smallest integer, divided by -1."""
    model = graphs.mlp()
    for name, number in (("low", -(2**31)), ("minus", -1)):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray([number], np.int32), name))
    model.graph.node.append(helper.make_node("Div", ["low", "minus"], ["boom"], "boom"))
    model.graph.output.append(helper.make_tensor_value_info("boom", onnx.TensorProto.INT32, [1]))
    return graphs.save(model, tmp_path / "crasher.onnx")


def _codes(report: Report) -> set[str]:
    return set(scanning.serious(report))


def test_a_push_of_a_carrier_is_refused_with_the_code_to_allow(context: Context, carrier: Path) -> None:
    with pytest.raises(Hostile) as caught:
        push(context, carrier, REF)
    (code,) = _codes(scan(None, str(carrier)))
    assert f"--allow {code}" in str(caught.value.hint)
    assert catalog.list_models(context) == []


def test_what_is_allowed_is_in_the_signed_act(context: Context, carrier: Path) -> None:
    codes = tuple(sorted(_codes(scan(None, str(carrier)))))
    done = push(context, carrier, REF, allow=codes)
    assert done.allowed == codes
    assert checkout(context, REF).ref.version == 1
    step = verify(context, REF)[10]
    assert all(code in step.detail for code in codes)


def test_an_allowance_that_nothing_needs_is_not_recorded(context: Context, carrier: Path, tiny: Path) -> None:
    codes = _codes(scan(None, str(carrier)))
    assert push(context, tiny, REF, allow=codes).allowed == ()


def test_a_code_that_does_not_exist_cannot_be_allowed(context: Context, carrier: Path) -> None:
    with pytest.raises(InvalidInput, match="no rule"):
        push(context, carrier, REF, allow=["everything"])


def test_what_kills_the_runtime_cannot_be_allowed_by_another_code(
    context: Context, carrier: Path, crasher: Path
) -> None:
    with pytest.raises(Hostile):
        push(context, crasher, REF, allow=_codes(scan(None, str(carrier))))


def test_a_publisher_who_does_not_scan_is_found_out_at_checkout(
    context: Context, carrier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The door cannot read models: it admits what is well signed, and whoever opens it looks again."""
    with monkeypatch.context() as blind:
        blind.setattr(scanning, "scan_source", lambda files: Report(()))
        push(context, carrier, REF)
    with pytest.raises(BadContent) as caught:
        checkout(context, REF)
    assert caught.value.step == "11 (content)"
    with pytest.raises(BadContent):
        pull(context, REF, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [one.number for one in verify(context, REF) if not one.ok] == [11]
    assert _codes(scan(context, REF)) == _codes(scan(None, str(carrier)))


def test_a_policy_can_refuse_what_was_waved_through(context: Context, carrier: Path, tiny: Path) -> None:
    put(
        context,
        '@id("clean") forbid (principal, action == Action::"push", resource) '
        "unless { resource.allowed.isEmpty() };",
    )
    with pytest.raises(PolicyDenied, match="clean"):
        push(context, carrier, REF, allow=_codes(scan(None, str(carrier))))
    push(context, tiny, REF)


def test_the_act_names_what_was_allowed(context: Context, carrier: Path) -> None:
    codes = _codes(scan(None, str(carrier)))
    push(context, carrier, REF, allow=codes)
    with reading(context.engine) as connection:
        seq = catalog.log(context, 1)[0]["seq"]
        envelope = dsse.Envelope.from_bytes(ledger.entry(connection, seq).envelope)
    body = acts.decode(envelope.payload).body
    assert isinstance(body, acts.Push)
    assert set(body.allowed) == codes
