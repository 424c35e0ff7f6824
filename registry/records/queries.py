"""The questions asked of the tables. Answers are what the database says: evidence, not proof."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa

from registry.errors import ReferenceNotFound
from registry.records.tables import (
    aliases,
    attestations,
    blobs,
    files,
    keys,
    models,
    opsets,
    parents,
    quantization,
    quantized_tensors,
    shares,
    vaults,
    version_metadata,
    versions,
    yanks,
)
from registry.refs import Reference

_CHUNK = 500  # values in one IN list

Record = dict[str, Any]
T = TypeVar("T")


def resolve(connection: sa.Connection, ref: Reference) -> Reference:
    """The exact version that ``ref`` names. Raises ReferenceNotFound."""
    if connection.execute(sa.select(models.c.model).where(models.c.model == ref.model)).first() is None:
        raise ReferenceNotFound(
            "there is no such model", on=ref.model, hint="'registry list' shows what there is"
        )
    number: int | None = connection.execute(_numbered(ref)).scalar_one_or_none()
    if number is None:
        raise ReferenceNotFound(
            "there is no such version", on=str(ref), hint=f"'registry show {ref.model}' lists its versions"
        )
    return Reference(ref.namespace, ref.name, version=number, digest=ref.digest)


def _numbered(ref: Reference) -> sa.Select[Any]:
    query = sa.select(versions.c.number).where(versions.c.model == ref.model)
    if ref.version is not None:
        return query.where(versions.c.number == ref.version)
    if ref.tag is not None:
        aliased = sa.select(aliases.c.number).where(aliases.c.model == ref.model, aliases.c.name == ref.tag)
        return query.where(sa.or_(versions.c.label == ref.tag, versions.c.number.in_(aliased))).limit(1)
    yanked = sa.select(yanks.c.number).where(yanks.c.model == ref.model)
    return query.where(versions.c.number.not_in(yanked)).order_by(versions.c.number.desc()).limit(1)


def newest_number(connection: sa.Connection, model: str) -> int:
    """The highest version number taken, 0 for none."""
    query = sa.select(sa.func.max(versions.c.number)).where(versions.c.model == model)
    return connection.execute(query).scalar_one() or 0


def blobs_of(connection: sa.Connection, model: str) -> list[Record]:
    """The rows of a model's blobs."""
    return list(_records(connection, sa.select(blobs).where(blobs.c.model == model)))


def stored(connection: sa.Connection, model: str, contents: Collection[str]) -> dict[str, str]:
    """Which of these plaintext digests the model has, and in which blob."""
    found: dict[str, str] = {}
    for part in _chunks(sorted(contents)):
        query = sa.select(blobs.c.content, blobs.c.id).where(
            blobs.c.model == model, blobs.c.content.in_(part)
        )
        found.update((content, blob) for content, blob in connection.execute(query))
    return found


def sealed_in_use(connection: sa.Connection) -> set[str]:
    """The SHA-256 of every sealed key that counts: of all blobs, and of the newest epoch of every vault."""
    newest = sa.select(vaults.c.vault, sa.func.max(vaults.c.epoch).label("epoch")).group_by(vaults.c.vault)
    epochs = newest.subquery()
    current = sa.select(shares.c.sealed).join(
        epochs, sa.and_(shares.c.vault == epochs.c.vault, shares.c.epoch == epochs.c.epoch)
    )
    held = set(connection.execute(current).scalars())
    return held | set(connection.execute(sa.select(blobs.c.sealed)).scalars())


def blob_rows(connection: sa.Connection, model: str, contents: Collection[str]) -> Iterator[Record]:
    """The rows of a model's blobs that hold these contents."""
    for part in _chunks(sorted(contents)):
        query = sa.select(blobs).where(blobs.c.model == model, blobs.c.content.in_(part))
        yield from _records(connection, query)


def known_sizes(connection: sa.Connection, model: str, sizes: Collection[int]) -> frozenset[int]:
    """Which of these plaintext sizes some file of the model has."""
    known: set[int] = set()
    for part in _chunks(sorted(sizes)):
        query = sa.select(files.c.size).distinct().where(files.c.model == model, files.c.size.in_(part))
        known.update(connection.execute(query).scalars())
    return frozenset(known)


def tags_taken(connection: sa.Connection, model: str) -> tuple[set[str], set[str]]:
    """The labels and the aliases of a model."""
    labels = sa.select(versions.c.label).where(versions.c.model == model, versions.c.label.is_not(None))
    named = sa.select(aliases.c.name).where(aliases.c.model == model)
    return {str(label) for label in connection.execute(labels).scalars()}, set(
        connection.execute(named).scalars()
    )


def version(connection: sa.Connection, ref: Reference) -> Record:
    """The row of an exact version. Raises ReferenceNotFound."""
    query = sa.select(versions).where(versions.c.model == ref.model, versions.c.number == ref.version)
    for record in _records(connection, query):
        return record
    raise ReferenceNotFound("there is no such version", on=str(ref))


def attest_seqs(connection: sa.Connection, model: str, number: int) -> list[int]:
    """The entries of the acts that attested to a version after its push."""
    query = (
        sa.select(attestations.c.seq)
        .join(versions, sa.and_(versions.c.model == model, versions.c.number == number))
        .where(
            attestations.c.model == model,
            attestations.c.number == number,
            attestations.c.seq != versions.c.seq,
        )
    )
    return list(connection.execute(query.order_by(attestations.c.seq)).scalars())


def yank_of(connection: sa.Connection, ref: Reference) -> Record | None:
    """Who withdrew the version, when and why; None for a version in use."""
    query = sa.select(yanks).where(yanks.c.model == ref.model, yanks.c.number == ref.version)
    return next(_records(connection, query), None)


def blob_ids(connection: sa.Connection) -> Iterator[tuple[str, int, str]]:
    """Every recorded blob: id, bytes of ciphertext, SHA-256 of the ciphertext."""
    for row in connection.execute(sa.select(blobs.c.id, blobs.c.size, blobs.c.sha256).order_by(blobs.c.id)):
        yield row[0], row[1], row[2]


def listing(connection: sa.Connection, namespace: str | None = None) -> list[Record]:
    """One record per model: its newest version in use, how many versions, its aliases, size, mode.

    Where every version is yanked, the newest of them stands for the model.
    """
    used = sa.case((yanks.c.number.is_(None), versions.c.number))
    counted = (
        sa.select(
            versions.c.model,
            sa.func.count().label("versions"),
            sa.func.coalesce(sa.func.max(used), sa.func.max(versions.c.number)).label("newest"),
        )
        .outerjoin(yanks, sa.and_(yanks.c.model == versions.c.model, yanks.c.number == versions.c.number))
        .group_by(versions.c.model)
        .subquery()
    )
    query = (
        sa.select(counted, versions.c.digest, versions.c.label, versions.c.size, versions.c.time)
        .join(versions, sa.and_(versions.c.model == counted.c.model, versions.c.number == counted.c.newest))
        .join(models, models.c.model == counted.c.model)
        .order_by(counted.c.model)
    )
    if namespace is not None:
        query = query.where(models.c.namespace == namespace)
    records = list(_records(connection, query))
    named = _aliases_by_model(connection)
    modes = _modes(connection)
    for record in records:
        record["aliases"] = named.get(record["model"], {})
        record["quantization"] = modes.get((record["model"], record["newest"]), [])
    return records


def _aliases_by_model(connection: sa.Connection) -> dict[str, dict[str, int]]:
    named: dict[str, dict[str, int]] = {}
    for record in _records(connection, sa.select(aliases).order_by(aliases.c.model, aliases.c.name)):
        named.setdefault(record["model"], {})[record["name"]] = record["number"]
    return named


def _modes(connection: sa.Connection) -> dict[tuple[str, int], list[str]]:
    found: dict[tuple[str, int], list[str]] = {}
    columns = (quantization.c.model, quantization.c.number, quantization.c.mode, quantization.c.format)
    for model, number, mode, form in connection.execute(sa.select(*columns).distinct().order_by(*columns)):
        found.setdefault((model, number), []).append(_mode(mode, form))
    return found


def modes(connection: sa.Connection, ref: Reference) -> list[str]:
    """How the files of an exact version are quantized, each way once: "float", "static QDQ", ..."""
    columns = (quantization.c.mode, quantization.c.format)
    query = sa.select(*columns).where(quantization.c.model == ref.model, quantization.c.number == ref.version)
    return [_mode(mode, form) for mode, form in connection.execute(query.distinct().order_by(*columns))]


def _mode(mode: str, form: str) -> str:
    return mode if form == "none" else f"{mode} {form}"


def history(connection: sa.Connection, model: str) -> list[Record]:
    """Every version of a model, newest first, with its aliases and its yank."""
    query = (
        sa.select(versions, yanks.c.reason.label("yanked"))
        .outerjoin(yanks, sa.and_(yanks.c.model == versions.c.model, yanks.c.number == versions.c.number))
        .where(versions.c.model == model)
        .order_by(versions.c.number.desc())
    )
    records = list(_records(connection, query))
    named = _aliases_by_model(connection).get(model, {})
    for record in records:
        record["aliases"] = sorted(name for name, number in named.items() if number == record["number"])
    return records


def details(connection: sa.Connection, ref: Reference) -> dict[str, list[Record]]:
    """What the tables say of one version: metadata, files, attestations, quantization facts."""
    wanted = (version_metadata, files, attestations, quantization, opsets, quantized_tensors)
    return {table.name: list(_records(connection, _of_version(table, ref))) for table in wanted}


def _of_version(table: sa.Table, ref: Reference) -> sa.Select[Any]:
    return (
        sa.select(table)
        .where(table.c.model == ref.model, table.c.number == ref.version)
        .order_by(*table.primary_key.columns)
    )


def _records(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Record]:
    for row in connection.execute(query):
        yield dict(row._mapping)


def _chunks(values: list[T]) -> Iterable[list[T]]:
    return (values[begin : begin + _CHUNK] for begin in range(0, len(values), _CHUNK))


def member_name(connection: sa.Connection, keyid: str) -> str:
    """The name of the member with this key, or the beginning of the key id."""
    name = connection.execute(sa.select(keys.c.name).where(keys.c.keyid == keyid)).scalar_one_or_none()
    return str(name) if name else keyid[:16]


def children_of(connection: sa.Connection, parent: str) -> Iterator[Record]:
    """Model, number and digest of every version that an attestation says was made from this digest."""
    same = sa.and_(parents.c.model == versions.c.model, parents.c.number == versions.c.number)
    columns = (versions.c.model, versions.c.number, versions.c.digest)
    query = sa.select(*columns).join(parents, same).where(parents.c.parent == parent).distinct()
    yield from _records(connection, query.order_by(versions.c.model, versions.c.number))
