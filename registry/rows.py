"""The rows of a version held against the acts that wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from registry.acts import Act
from registry.errors import BadReference
from registry.evidence import Evidence
from registry.records import projection, tables
from registry.records.law_rows import Row

_WHOLE = (
    tables.versions,
    tables.version_metadata,
    tables.files,
    tables.quantization,
    tables.opsets,
    tables.quantized_tensors,
    tables.attestations,
)

Key = tuple[Any, ...]


def hold_rows(evidence: Evidence, proven: Mapping[int, Act]) -> None:
    """Raise BadReference unless the rows are exactly what the acts write: none edited, added or lost."""
    written = {seq: _indexed(projection.rows(act, seq)) for seq, act in proven.items()}
    for row in evidence.rows:
        seq = row.values.get("seq", evidence.push)
        expected = written.get(seq, {}).get(_key(row))
        if expected != row.values:
            _refuse(row, expected)
    _complete(evidence, written)


def _complete(evidence: Evidence, written: Mapping[int, Mapping[Key, dict[str, Any]]]) -> None:
    """No row was lost of what the push wrote, and no blob that it uses."""
    found = {_key(row) for row in evidence.rows}
    needed = {table.name for table in _WHOLE}
    for key, values in written[evidence.push].items():
        if key[0] in needed and key not in found:
            raise BadReference("the database has lost a row of this version", on=f"{key[0]} {_where(values)}")
    for row in evidence.rows:
        used = (tables.blobs.name, row.values.get("model"), row.values.get("sha256"))
        if row.table is tables.files and used not in found:
            raise BadReference("the database has lost a blob of this version", on=f"{evidence.ref}")


def _refuse(row: Row, expected: Mapping[str, Any] | None) -> None:
    changed = [name for name in row.values if expected is not None and expected.get(name) != row.values[name]]
    what = f"{row.table.name}.{', '.join(changed)}" if changed else f"a row of {row.table.name}"
    raise BadReference(
        "the database does not say what the signed act says", on=f"{what} {_where(row.values)}"
    )


def _where(values: Mapping[str, Any]) -> str:
    return " ".join(str(values[name]) for name in ("model", "number", "path", "name", "id") if name in values)


def _indexed(rows: Iterable[Row]) -> dict[Key, dict[str, Any]]:
    return {_key(row): row.values for row in rows}


def _key(row: Row) -> Key:
    return (row.table.name, *(row.values[column.name] for column in row.table.primary_key))
