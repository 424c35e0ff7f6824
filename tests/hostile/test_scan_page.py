"""docs/scan.md has every rule with its severity, title and reason, and no other."""

from __future__ import annotations

import re

from registry.scanning import rules
from support.sources import ROOT

PAGE = (ROOT / "docs" / "scan.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (\w+) \| (.+) \| (.+) \|$", re.MULTILINE)


def test_the_page_lists_every_rule() -> None:
    listed = {code: told for code, *told in ROW.findall(PAGE)}
    assert listed == {code: [rule.severity, rule.title, rule.why] for code, rule in rules().items()}
