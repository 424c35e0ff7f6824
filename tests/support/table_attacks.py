"""Attacks on the tables beside the ledger: what a projection, or the audit's own record of it, says."""

from __future__ import annotations

import sqlalchemy as sa

from registry.records import tables
from support.ledger_attacks import Does, added, changed, dropped, family, where
from support.outcomes import UNSEEN, Absent, Outcome, Stopped, Withdrawn
from support.victim import MODEL, VERSION, YANKED, Victim
from support.writers_attacks import PULL, REVIEW

_RECORD, _ROWS = "the audit's record", "a row"
_ROW = Stopped(5, "bad-reference")


def _event(**values: object) -> Does:
    return changed(tables.events, {"seq": PULL}, **values)


def _said(victim: Victim) -> dict[str, object]:
    saying = victim.row(tables.events, seq=PULL)["saying"]
    return victim.row(tables.sayings, saying=saying)


def _saying(**values: object) -> Does:
    return lambda victim: changed(tables.sayings, {"saying": _said(victim)["saying"]}, **values)(victim)


def _blamed(victim: Victim) -> None:
    """A pull is another member's, wherever it is told and counted."""
    table = tables.activity
    counted = [
        row
        for row in victim.rows["activity"]
        if row["first"] <= PULL <= row["last"] and row["action"] == "pull"
    ]
    row = next(one for one in counted if one["member"] == "bob")
    _event(member="carol")(victim)
    at = {name: row[name] for name in table.primary_key.columns.keys()}  # noqa: SIM118
    changed(table, at, member="carol")(victim)


def _counted(victim: Victim) -> None:
    victim.execute(sa.update(tables.activity).where(tables.activity.c.first == PULL).values(acts=7))


def _forged_count(victim: Victim) -> None:
    row = {**victim.rows["activity"][0], "member": "mallory"}
    victim.execute(sa.insert(tables.activity).values(row))


def _lost(table: sa.Table, **at: object) -> Does:
    """One row is gone: the first with these values."""

    def does(victim: Victim) -> None:
        row = next(row for row in victim.rows[table.name] if at.items() <= row.items())
        key = {column.name: row[column.name] for column in table.primary_key}
        victim.execute(sa.delete(table).where(where(table, key)))

    return does


_ANOTHER: dict[str, object] = {
    "time": "2001-01-01T00:00:00.000000Z",
    "member": "carol",
    "action": "push",
    "outcome": "refused",
    "code": "denied",
    "place": "vision/other",
    "number": 1,
    "saying": 0,
}

RECORD = (
    *family(
        _RECORD,
        *(
            (
                f"an event's {column}",
                _event(**{column: value}),
                f"row-differs: events.{column} {PULL}",
                UNSEEN,
            )
            for column, value in _ANOTHER.items()
        ),
        ("an event dropped", dropped((tables.events, {"seq": PULL})), f"row-missing: events {PULL}", UNSEEN),
        (
            "an event of no act",
            added(tables.events, {"seq": PULL}, seq=1000),
            "row-forged: events 1000",
            UNSEEN,
        ),
        (
            "a pull put on another member, in every table",
            _blamed,
            f"row-differs: events.member {PULL}",
            UNSEEN,
        ),
        ("words", _saying(text="else"), "row-differs: sayings.text", UNSEEN),
        ("the name of words", _saying(sha256="0" * 64), "row-differs: sayings.sha256", UNSEEN),
        ("words dropped", _lost(tables.sayings), "row-missing: sayings 0", UNSEEN),
        (
            "words that nobody said",
            added(tables.sayings, {"saying": 0}, saying=1000, sha256="0" * 64),
            "row-forged: sayings 1000",
            UNSEEN,
        ),
        ("a count", _counted, "row-differs: activity.acts", UNSEEN),
        ("a count dropped", _lost(tables.activity), "row-missing: activity", UNSEEN),
        ("a count of nothing", _forged_count, "row-forged: activity", UNSEEN),
        ("a parent dropped", _lost(tables.parents), "row-missing: parents", UNSEEN),
        (
            "another parent",
            changed(tables.parents, {"seq": 23}, parent="f" * 64),
            "row-differs: parents.parent",
            UNSEEN,
        ),
        (
            "a parent that nobody named",
            added(tables.parents, {"seq": 23}, seq=REVIEW),
            f"row-forged: parents {REVIEW}",
            UNSEEN,
        ),
    ),
)

_OF_VERSION = {"model": MODEL, "number": VERSION}
_DROPPED: dict[sa.Table, tuple[dict[str, object], Outcome]] = {
    # what people are shown, and no decision reads
    **dict.fromkeys(
        (
            tables.members,
            tables.keys,
            tables.disabled,
            tables.teams,
            tables.team_members,
            tables.grants,
            tables.policies,
            tables.vaults,
            tables.namespaces,
        ),
        ({}, UNSEEN),
    ),
    tables.shares: ({"vault": MODEL, "epoch": 1}, UNSEEN),
    # what a checkout reads, and holds against the acts
    tables.models: ({"model": MODEL}, Absent()),
    tables.versions: (_OF_VERSION, Absent(f"{MODEL}:{VERSION}")),
    tables.version_metadata: (_OF_VERSION, _ROW),
    tables.files: (_OF_VERSION, _ROW),
    tables.aliases: ({"name": "prod"}, Absent()),
    tables.attestations: (_OF_VERSION, _ROW),
    tables.quantization: (_OF_VERSION, _ROW),
    tables.opsets: (_OF_VERSION, _ROW),
    tables.quantized_tensors: (_OF_VERSION, _ROW),
    # that a version was withdrawn is in its acts as well, and they are read
    tables.yanks: ({}, Withdrawn(YANKED)),
}


def _lost_blob(victim: Victim) -> None:
    _lost(tables.blobs, id=victim.blob("tokenizer.json"))(victim)


TABLES = (
    *family(
        "a row dropped from",
        *(
            (f"`{table.name}`", _lost(table, **at), f"row-missing: {table.name}", client)
            for table, (at, client) in _DROPPED.items()
        ),
        ("`blobs`", _lost_blob, "row-missing: blobs", _ROW),
    ),
    *family(
        _ROWS,
        (
            "a member made an admin",
            changed(tables.members, {"name": "frank"}, role="admin"),
            "row-differs: members.role frank",
            UNSEEN,
        ),
        (
            "a grant that nobody gave",
            added(tables.grants, {"grantee": "carol"}, grantee="frank"),
            f"row-forged: grants {MODEL} frank",
            UNSEEN,
        ),
        (
            "an alias led elsewhere",
            changed(tables.aliases, {"name": "prod"}, number=1),
            "row-differs: aliases.number",
            _ROW,
        ),
        (
            "an alias set back to an older act",
            changed(tables.aliases, {"name": "prod"}, number=1, seq=8),
            "row-differs: aliases.number, seq",
            _ROW,
        ),
        (
            "a file's digest",
            changed(tables.files, {**_OF_VERSION, "path": "tokenizer.json"}, sha256="0" * 64),
            "row-differs: files.sha256",
            _ROW,
        ),
        (
            "a version's bundle",
            changed(tables.versions, _OF_VERSION, bundle=b"{}"),
            "row-differs: versions.bundle",
            _ROW,
        ),
        (
            "a fact",
            changed(tables.quantization, _OF_VERSION, format="QOperator"),
            "row-differs: quantization.format",
            _ROW,
        ),
    ),
)

ATTACKS = (*RECORD, *TABLES)
