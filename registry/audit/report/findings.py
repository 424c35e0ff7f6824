"""What a reader has to know first: each finding a sentence that stands for itself, the worst ones first."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import timedelta

from registry.acts import timestamp
from registry.audit.report import words
from registry.audit.report.denied import BURST
from registry.audit.report.facts import Denied, Facts, Finding
from registry.audit.report.words import listed, number, several

LEVELS = {"act": "Act now", "look": "Look into", "know": "Good to know"}
_ORDER = tuple(LEVELS)
_VERIFIED = timedelta(days=30)  # how old a full verification may be


def findings(facts: Facts) -> list[Finding]:
    """All of them, the worst first; within a level in the order of the page's sections."""
    found = [*_ledger(facts), *_attempts(facts), *_law(facts), *_rights(facts), *_versions(facts)]
    return sorted(found, key=lambda one: _ORDER.index(one.level))


def _ledger(facts: Facts) -> Iterator[Finding]:
    health = facts.health
    if health.broken:
        yield Finding(
            "act",
            "The ledger does not hold together",
            f"{health.broken[:1].upper()}{health.broken[1:]}. Believe nothing on this page before that is "
            "explained.",
            "health",
            "registry audit verify",
        )
    elif health.counted != health.size:
        yield Finding(
            "act",
            "The tables do not match the ledger",
            f"The ledger has {several(health.size, 'act')}, the tables that this page is made from tell of "
            f"{number(health.counted)}.",
            "health",
            "registry audit verify",
        )
    yield from _verification(facts)
    if health.unwitnessed:
        yield Finding(
            "act",
            "The witnesses do not vouch for the ledger as this home demands",
            f"{health.unwitnessed[:1].upper()}{health.unwitnessed[1:]}.",
            "health",
            "registry audit witnesses",
        )
    elif not health.witnesses:
        yield Finding(
            "know",
            "No witness vouches for the ledger",
            "Nobody outside has cosigned a checkpoint, so whoever runs the database could show different "
            "histories to people who never compare notes.",
            "health",
            "registry audit witness",
        )


def _verification(facts: Facts) -> Iterator[Finding]:
    health, command = facts.health, "registry audit verify"
    known = health.verified
    if known is None:
        yield Finding(
            "look",
            "The ledger was never verified in full from here",
            "Every signature, right and hash of it can be checked again; nothing on record here says that "
            "somebody has.",
            "health",
            command,
        )
    elif known.time < timestamp(facts.made - _VERIFIED):
        yield Finding(
            "look",
            f"The last full verification was on {words.day(known.time)}",
            f"{several(health.size - known.size, 'act')} came after it.",
            "health",
            command,
        )


def _attempts(facts: Facts) -> Iterator[Finding]:
    denied = facts.denied
    since = f"--since {facts.period.first.isoformat()}"
    if failed := denied.failed:
        yield Finding(
            "act",
            f"{several(failed, 'checkout')} failed after the pull was allowed",
            "What came out of the store was not what had been signed, or did not run: a damaged store, or "
            "somebody who tampers with it.",
            "denied",
            f"registry audit search --outcome failed {since}",
        )
    if forged := denied.count(*words.FORGED):
        codes = [one.code for one in denied.reasons if one.code in words.FORGED]
        yield Finding(
            "act",
            f"{several(forged, 'attempt')} carried something forged or broken",
            f"A signature, a proof or a content that does not hold ({listed(codes)}). Members who make "
            "mistakes do not get there; a broken program may, and so does whoever tampers.",
            "denied",
            f"registry audit search --outcome {_typed(codes[0])} {since}",
        )
    if gone := denied.count("disabled"):
        yield Finding(
            "act",
            f"{several(gone, 'attempt')} with the key of a disabled member",
            "Access had been ended, and somebody still tries it: a forgotten program, or a key in the wrong "
            "hands.",
            "denied",
            f"registry audit search --outcome disabled {since}",
        )
    if denied.bursts:
        yield _bursts(denied, since)
    if denied.strangers:
        yield Finding(
            "look",
            f"{several(denied.strangers, 'attempt')} by nobody whom the registry knows",
            "No member's signature stands behind them.",
            "denied",
            f"registry audit search --actor - --outcome refused {since}",
        )


def _bursts(denied: Denied, since: str) -> Finding:
    worst = denied.bursts[0]
    told = [f"{one.name} {several(one.count, 'time')} on {words.day(one.note)}" for one in denied.bursts]
    were = "member was" if len(told) == 1 else "members were"
    return Finding(
        "look",
        f"{number(len(told))} {were} refused {BURST} times or more in one day",
        f"{listed(told, 3)}. Rarely a slip: a program that lost its rights, or somebody who tries doors.",
        "denied",
        f"registry audit search --actor {_typed(worst.name)} --outcome refused {since}",
    )


def _law(facts: Facts) -> Iterator[Finding]:
    held = facts.holdings
    if held.new_admins:
        yield Finding(
            "look",
            f"{several(len(held.new_admins), 'new admin')}: {listed([one.name for one in held.new_admins])}",
            "An admin can read every model and change every right. "
            + " ".join(
                f"{one.name} was enrolled by {one.by} on {words.day(one.time)}."
                for one in held.new_admins[:3]
            ),
            "holdings",
            f"registry audit member {_typed(held.new_admins[0].name)}",
        )
    if held.replaced:
        told = [f"{one.name} (by {one.by}, {words.day(one.time)})" for one in held.replaced]
        yield Finding(
            "look",
            f"{several(len(held.replaced), 'key')} replaced by somebody else",
            f"An admin gave new keys to {listed(told)}. Ask them whether they had lost the old ones.",
            "holdings",
        )
    if held.policies:
        told = [f"{one.by} on {words.day(one.time)}" for one in held.policies]
        yield Finding(
            "know",
            f"The policies changed {'once' if len(told) == 1 else f'{number(len(told))} times'}",
            f"By {listed(told)}.",
            "holdings",
            "registry policy show",
        )
    if held.endings:
        first = held.ending[0]
        yield Finding(
            "know",
            f"{several(held.endings, 'grant')} will end within 30 days",
            f"The next one: {first.grantee} may {first.action} on {first.target} until "
            f"{words.moment(first.until)} UTC.",
            "holdings",
        )


def _rights(facts: Facts) -> Iterator[Finding]:
    unused = facts.unused
    if not unused.count:
        return
    handing = next((count for action, count, _ in unused.by_action if action == "grant"), 0)
    also = f" {number(handing)} of them can be handed on." if handing else ""
    yield Finding(
        "look",
        f"{several(unused.count, 'right')} unused for {unused.days} days",
        f"{number(unused.never)} {'was' if unused.never == 1 else 'were'} never used at all.{also} What "
        "nobody needs can be taken back.",
        "unused",
        f"registry audit stale-grants --days {unused.days}",
    )


def _versions(facts: Facts) -> Iterator[Finding]:
    versions, used = facts.versions, facts.versions.used
    if versions.gap_count:
        lineage, evaluation = used.quantized - used.lineage, used.quantized - used.evaluation
        yield Finding(
            "look",
            f"{several(versions.gap_count, 'version')} in use without lineage or an evaluation",
            f"Of {several(used.quantized, 'quantized version')} in use {_none(lineage)} what they were made "
            f"from, {_none(evaluation)} how near they are to it.",
            "versions",
        )
    if withdrawn := versions.yanked_aliases:
        yield Finding(
            "look",
            f"{number(len(withdrawn))} {'alias points' if len(withdrawn) == 1 else 'aliases point'} to a "
            "withdrawn version",
            f"{listed(withdrawn)}: whoever asks by that name is refused.",
            "versions",
        )


def _none(missing: int) -> str:
    return f"{number(missing)} do not say" if missing else "all say"


def _typed(name: str) -> str:
    """A name as a shell takes it for one, whoever put it into the tables."""
    return shlex.quote(words.inert(name))


def in_order(facts: Facts) -> str:
    """What was looked for and not found, as one sentence; "" for nothing."""
    denied, held = facts.denied, facts.holdings
    found = [
        ("the ledger's signature, tree and history hold", not facts.health.broken),
        ("nobody tried anything forged", not denied.count(*words.FORGED)),
        ("no checkout failed after its pull", not denied.failed),
        ("no disabled member's key was tried", not denied.count("disabled")),
        ("no member was refused in bursts", not denied.bursts),
        ("no admin was enrolled", not held.new_admins),
        ("nobody's key was replaced by another", not held.replaced),
        ("no right lay idle", not facts.unused.count),
        ("every version in use has lineage and evaluation", not facts.versions.gap_count),
    ]
    good = [text for text, holds in found if holds]
    return f"{'; '.join(good)}." if good else ""
