"""Each hostile case is refused by its code; each rule has a case."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hostile.corpus import MODEL, Case, cases, write
from registry.errors import Hostile
from registry.onnx.findings import SEVERITIES, THRESHOLD, Finding
from registry.onnx.loaded import load
from registry.onnx.scan import RULES, scan
from registry.scanning import Report, require

CASES = cases()
LIMIT = 5.0  # seconds of processor time for one case; most take a millisecond


def _scanned(case: Case) -> tuple[Finding, ...]:
    parent = load(case.parent(), MODEL) if case.parent is not None else None
    return scan(case.build(), MODEL, parent=parent)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_a_hostile_file_is_found_by_its_code(case: Case) -> None:
    began = time.process_time()
    found = _scanned(case)
    assert time.process_time() - began < LIMIT
    mine = [one for one in found if one.code == case.code]
    assert mine, f"found only {sorted({one.code for one in found})}"
    assert {one.severity for one in mine} == {case.severity or RULES[case.code].severity}


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_what_is_serious_is_refused(case: Case) -> None:
    severity = case.severity or RULES[case.code].severity
    report = Report(_scanned(case))
    if SEVERITIES.index(severity) < SEVERITIES.index(THRESHOLD):
        require(report)
        return
    with pytest.raises(Hostile) as caught:
        require(report)
    assert case.code in caught.value.message


def test_every_rule_has_a_case() -> None:
    assert {case.code for case in CASES.values()} == set(RULES)


def test_there_are_as_many_cases_as_were_asked_for() -> None:
    assert len(CASES) >= 60


def test_the_corpus_is_the_same_every_time() -> None:
    assert {name: case.build() for name, case in CASES.items()} == {
        name: case.build() for name, case in CASES.items()
    }


def test_the_corpus_can_be_written(tmp_path: Path) -> None:
    write(tmp_path)
    assert {place.name for place in tmp_path.iterdir()} == set(CASES)
    assert (tmp_path / "a-stride-of-zero" / MODEL).read_bytes() == CASES["a-stride-of-zero"].build()[MODEL]
