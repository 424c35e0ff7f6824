"""Facts of a report made by hand: everything that the page can show is there, under names of one's choice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from registry.audit.report.estate import (
    Cell,
    Change,
    Coverage,
    Ending,
    Gap,
    Grantee,
    Health,
    Holdings,
    Namespace,
    Ranked,
    Right,
    Unused,
    Verified,
    Versions,
    Witness,
)
from registry.audit.report.facts import Activity, Attempt, Denied, Facts, Reason, Refused, Series
from registry.audit.report.period import Period

NOW = datetime(2026, 11, 20, 22, 14, tzinfo=UTC)
_THEN = "2026-11-12T09:31:00.000000Z"
_ROWS = ("pull", "push", "point", "attest", "law", "failed", "refused")
Named = Callable[[str], str]  # what to call somebody or something, from a plain word for them


def facts(named: Named = str, days: int = 30) -> Facts:
    """A report in which every finding is due."""
    first = date.fromordinal(date(2026, 11, 20).toordinal() - days + 1)
    period = Period(first, date(2026, 11, 20))
    each = (*[3] * (len(period.buckets) - 1), 417)
    change = Change(named("judy"), named("alice"), _THEN, 7)
    return Facts(
        registry_id="4b" * 32,
        made=NOW,
        made_by=named("auditor"),
        program=named("hallmark/0"),
        period=period,
        activity=Activity(
            series=tuple(Series(row, row.title(), each) for row in _ROWS),
            acts=1234,
            before=1200,
            members=3,
            models=2,
            pullers=(Ranked(named("bob"), 9), Ranked(named("carol"), 3)),
            pulled=(Ranked(named("vision/net"), 12),),
        ),
        denied=_denied(named, each),
        holdings=_holdings(named, change),
        unused=Unused(
            90, 2, 1, (("pull", 2, 5),), (Right(named("ml"), "pull", named("vision/"), _THEN, ""),)
        ),
        versions=Versions(
            Coverage(5, 4, 3, 2, 1),
            Coverage(3, 3, 2, 1, 1),
            1,
            (Gap(named("vision/net"), 2, 7, (named("prod"),), False, False),),
            2,
            (named("prod of vision/net:3"),),
        ),
        health=Health(
            1300,
            "9f" * 32,
            _THEN,
            named("a node of the ledger's tree is missing"),
            0,
            Verified(900, "2026-01-02T03:00:00.000000Z", True),
            (Witness(named("witness.example.org"), 1200, _THEN, False),),
            "",
            (("2026-10-01", 20), ("2026-11-20", 1300)),
            1300,
        ),
    )


def _denied(named: Named, each: tuple[int, ...]) -> Denied:
    codes = ("not-permitted", "disabled", "bad-signature", named("some-code"), "")
    return Denied(
        told=40,
        uncounted=5,
        members=(Refused(named("mallory"), each, codes[3], named("vision/net")),),
        people=1,
        reasons=tuple(Reason(code, 9, 1) for code in codes),
        places=(Ranked(named("vision/net"), 40),),
        latest=(Attempt(12, _THEN, named("mallory"), named("pull"), named("vision/net:2"), codes[3]),),
        bursts=(Ranked(named("mallory"), 30, "2026-11-14"),),
        strangers=2,
        failed=1,
    )


def _holdings(named: Named, change: Change) -> Holdings:
    cells = (Cell(("pull", "grant")), Cell(("push",), 2), Cell())
    return Holdings(
        members=5,
        admins=(named("alice"),),
        auditors=(named("auditor"),),
        disabled=1,
        teams=1,
        grants=6,
        handing=1,
        columns=(named("vision/"), named("sound/"), named("text/")),
        grantees=(Grantee(named("ml"), "team", 3, cells), Grantee(named("bob"), "member", 1, cells)),
        namespaces=(Namespace(named("vision/"), 4, 3, 2, 1, 1),),
        widest=(Ranked(named("bob"), 4),),
        models=6,
        ending=(Ending(named("bob"), "pull", named("vision/net"), _THEN),),
        endings=2,
        new_admins=(change,),
        new_members=1,
        policies=(change,),
        replaced=(change,),
    )
