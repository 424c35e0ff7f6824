"""Known hostile files through the whole scan, child included: found, and nobody dies or hangs."""

from __future__ import annotations

import time

import pytest

from hostile.corpus import cases
from registry.errors import Hostile, InvalidInput
from registry.onnx.findings import Finding
from registry.scanning import Report, check_codes, may_allow, require, rules, scan_files, serious

LIMIT = 60.0  # seconds on a busy machine
NOTED = {
    "a-file-of-the-machine-by-traversal": {"external-traversal"},
    "a-file-of-the-machine-by-its-path": {"external-absolute"},
    "an-address-in-memory": {"external-memory-address"},
    "a-range-behind-the-end": {"external-range"},
    "the-least-integer-divided-by-minus-one": {"integer-trap"},
    "twenty-four-doubling-functions": {"function-expansion"},
    "two-initializers-of-one-name": {"duplicate-name"},
    "a-condition-that-is-passed-on": {"endless-loop"},
    "four-gigabytes-of-a-constant": {"size-explosion"},
    "a-scale-of-zero": {"scale-zero"},
    "a-scale-that-is-not-a-number": {"scale-not-finite"},
    "an-infinite-scale": {"scale-not-finite"},
    "a-negative-scale": {"scale-negative"},
    "a-megabyte-in-an-unknown-field": {"unknown-field"},
    "training-information": {"training-data"},
    "a-payload-in-an-unused-initializer": {"unused-initializer"},
    "numbers-beyond-the-last-column": {"packed-padding"},
    "a-stride-of-zero": {"impossible-attribute"},
    "empty-file": {"unreadable"},
}


@pytest.mark.parametrize("name", NOTED)
def test_the_whole_scan_refuses_it_in_time(name: str) -> None:
    began = time.monotonic()
    report = scan_files(cases()[name].build())
    assert time.monotonic() - began < LIMIT
    assert set(serious(report)) >= NOTED[name]
    with pytest.raises(Hostile):
        require(report)


def test_what_is_critical_is_not_loaded_even_in_a_child() -> None:
    """What the static rules call critical would kill or hang the child; what it would say is not missed."""
    (found,) = scan_files(cases()["twenty-four-doubling-functions"].build()).findings
    assert found.code == "function-expansion"


def test_two_models_of_a_version_are_both_scanned() -> None:
    files = {"a/one.onnx": cases()["a-scale-of-zero"].build()["model.onnx"]}
    files |= {"two.onnx": cases()["a-stride-of-zero"].build()["model.onnx"]}
    found = {(one.path, one.code) for one in scan_files(files).findings}
    assert {("a/one.onnx", "scale-zero"), ("two.onnx", "impossible-attribute")} <= found


def test_the_worst_comes_first() -> None:
    found = scan_files(cases()["a-trap-in-a-branch"].build()).findings
    assert [one.severity for one in found] == ["critical", "critical", "info"]


def _report(*codes: str) -> Report:
    return Report(tuple(Finding(code, rules()[code].severity, "model.onnx", "", "") for code in codes))


def test_a_code_that_is_allowed_passes() -> None:
    require(_report("hard-link", "old-opset"), ["hard-link"])


def test_an_allowed_code_allows_no_other() -> None:
    with pytest.raises(Hostile) as caught:
        require(_report("hard-link", "scale-zero"), ["hard-link"])
    assert caught.value.message == "the scan found scale-zero"
    assert "--allow scale-zero" in (caught.value.hint or "")


def test_what_is_critical_cannot_be_allowed() -> None:
    with pytest.raises(Hostile) as caught:
        require(_report("unreadable"), ["unreadable"])
    assert "--allow" not in (caught.value.hint or "")


def test_a_code_that_no_rule_has_allows_nothing() -> None:
    """An act that an older release signed may name one; it is no reason to refuse the version."""
    require(_report("old-opset"), ["gone-since"])
    with pytest.raises(Hostile):
        require(_report("hard-link"), ["gone-since"])


def test_a_misspelt_code_is_told() -> None:
    check_codes(["hard-link"])
    with pytest.raises(InvalidInput):
        check_codes(["hard-lnik"])


def test_every_rule_explains_itself() -> None:
    assert len(rules()) > 70
    for code, rule in rules().items():
        assert (code, rule.code) == (rule.code, code)
        assert rule.title
        assert rule.why.endswith(".")


def test_critical_findings_are_those_that_may_not_be_allowed() -> None:
    kept = {code for code in rules() if not may_allow(_report(code).findings[0])}
    assert {"unreadable", "external-traversal", "function-expansion", "integer-trap", "symbolic-link"} <= kept
    assert "unused-initializer" not in kept
