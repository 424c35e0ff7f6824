"""The projection: the same acts write the same rows, whatever the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import sqlalchemy as sa

from registry import acts, authority, ledger
from registry.crypto import dsse
from registry.errors import Malformed
from registry.records import projection, queries, schema, tables
from registry.records.database import open_engine, reading
from registry.refs import parse
from support.publisher import MODEL, SEALED, Publisher, sha256


def _all_kinds(alice: Publisher) -> None:
    """A history with every kind of act in it, and a row in every table."""
    text = "naïve 模型 \U0001f9ea 'quoted' \"twice\" %s :name\n\t\x01"
    first = {"model.onnx": b"graph 1", "weights.bin": b"w", "深/нет.bin": b""}
    alice.admit(alice.push(first, label="1.0", aliases=("prod",), metadata={text: text}))
    alice.admit(alice.push({"model.onnx": b"graph 2", "weights.bin": b"w"}))
    for model in ("audio/vad", "Audio/vad", "audio-/vad", "audio./vad"):
        alice.admit(alice.push({"model.onnx": b"graph 1"}, model=model))
    alice.admit(alice.about(acts.Alias, 2, name="prod"))
    alice.admit(alice.about(acts.Pull, 2, purpose="run"))
    alice.admit(alice.about(acts.Yank, 1, reason=text))


def _dump(engine: sa.Engine) -> dict[str, list[dict[str, Any]]]:
    with reading(engine) as connection:
        return {
            table.name: sorted(
                (
                    {name: _plain(value) for name, value in row._mapping.items()}
                    for row in connection.execute(sa.select(table))
                ),
                key=lambda row: [repr(row[column.name]) for column in table.primary_key],
            )
            for table in (*tables.LEDGER, *tables.PROJECTION)
        }


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.fixture
def both(tmp_path: Path, postgres_url: str) -> Iterator[tuple[sa.Engine, sa.Engine]]:
    """The same acts, admitted in SQLite and then in PostgreSQL."""
    sqlite, postgres = open_engine(f"sqlite:///{tmp_path / 'both'}"), open_engine(postgres_url)
    for engine in (sqlite, postgres):
        schema.upgrade(engine)
    alice = Publisher(sqlite)
    _all_kinds(alice)
    other = authority.found(postgres, alice.key, alice.genesis)
    for envelope in alice.envelopes()[1:]:
        authority.submit(other, dsse.Envelope.from_bytes(envelope), alice.now)
    yield sqlite, postgres
    for engine in (sqlite, postgres):
        engine.dispose()


def test_the_same_acts_make_the_same_tables_and_answers(both: tuple[sa.Engine, sa.Engine]) -> None:
    sqlite, postgres = both
    expected = _dump(sqlite)
    assert _dump(postgres) == expected
    assert [name for name, rows in expected.items() if not rows] == []
    assert _answers(postgres) == _answers(sqlite)


def _answers(engine: sa.Engine) -> dict[str, object]:
    """Every question, asked. Names are compared byte for byte, and no locale sorts them."""
    with reading(engine) as connection:
        names = (MODEL, "audio/vad", "Audio/vad", "none/at-all")
        listing = queries.listing(connection)
        assert [record["model"] for record in listing] == sorted(record["model"] for record in listing)
        first = parse(f"{MODEL}:1")
        digests = {record["content"] for record in _dump(engine)["blobs"]}
        answers = {
            "listing": listing,
            "of a namespace": queries.listing(connection, "vision"),
            "history": [queries.history(connection, name) for name in names],
            "newest": [queries.newest_number(connection, name) for name in names],
            "vaults": [queries.current_vault(connection, name) for name in names],
            "tags": [queries.tags_taken(connection, name) for name in names],
            "stored": [queries.stored(connection, name, digests) for name in names],
            "sizes": [queries.known_sizes(connection, name, range(20)) for name in names],
            "resolved": [
                queries.resolve(connection, parse(f"{MODEL}{tag}")) for tag in ("", ":1.0", ":prod")
            ],
            "version": queries.version(connection, first),
            "yank": queries.yank_of(connection, first),
            "blobs": list(queries.blob_ids(connection)),
            "details": queries.details(connection, first),
            "recent": ledger.recent(connection, 4),
        }
        return {name: _settled(answer) for name, answer in answers.items()}


def _settled(value: Any) -> Any:
    """Bytes for the memoryviews that PostgreSQL's driver may hand out."""
    if isinstance(value, dict):
        return {name: _settled(one) for name, one in value.items()}
    return [_settled(one) for one in value] if isinstance(value, list) else _plain(value)


@pytest.fixture
def alice(tmp_path: Path) -> Publisher:
    engine = open_engine(f"sqlite:///{tmp_path / 'db'}")
    schema.upgrade(engine)
    return Publisher(engine)


def _act(alice: Publisher, body: acts.Body) -> acts.Act:
    return acts.decode(alice.sign(body).payload)


def test_rows_follow_from_the_act_alone(alice: Publisher) -> None:
    act = _act(
        alice, alice.push({"model.onnx": b"graph", "w.bin": b"weights"}, label="1.0", aliases=("prod",))
    )
    first, second = projection.rows(act, 7), projection.rows(act, 7)
    assert first == second
    assert {row.table.name for row in first} == {
        "namespaces", "models", "vaults", "shares", "blobs", "versions", "files", "aliases", "attestations",
        "quantization", "opsets", "quantized_tensors",
    }  # fmt: skip
    for row in first:
        assert set(row.values) == {column.name for column in row.table.columns}


def test_parents_come_before_their_children(alice: Publisher) -> None:
    act = _act(alice, alice.push({"model.onnx": b"graph"}, aliases=("prod",)))
    written: set[str] = {"members"}
    for row in projection.rows(act, 1):
        for key in row.table.foreign_keys:
            assert key.column.table.name in written
        written.add(row.table.name)


def test_a_pull_writes_nothing_but_the_ledger(alice: Publisher) -> None:
    alice.admit(alice.push())
    assert projection.rows(_act(alice, alice.about(acts.Pull, 1, purpose="run")), 2) == []


def test_the_size_of_a_version_is_the_sum_of_its_files(alice: Publisher) -> None:
    act = _act(alice, alice.push({"model.onnx": b"12345", "w.bin": b"678"}))
    (version,) = [row for row in projection.rows(act, 1) if row.table is tables.versions]
    assert version.values["size"] == 8


def test_one_blob_may_hold_two_files(alice: Publisher) -> None:
    alice.admit(alice.push({"model.onnx": b"same", "copy.onnx": b"same"}))
    with reading(alice.authority.engine) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.blobs)).scalar_one() == 1
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.files)).scalar_one() == 2


DAMAGED: dict[str, Any] = {
    "no predicate": {"predicateType": acts.QUANTIZATION},
    "predicate is a list": {"predicateType": acts.QUANTIZATION, "predicate": []},
    "models is a number": {"predicateType": acts.QUANTIZATION, "predicate": {"models": 3}},
    "a model is a string": {"predicateType": acts.QUANTIZATION, "predicate": {"models": ["x"]}},
    "a fact is missing": {"predicateType": acts.QUANTIZATION, "predicate": {"models": [{"path": "m.onnx"}]}},
    "no type": {"predicate": {}},
    "type is a number": {"predicateType": 3},
}


@pytest.mark.parametrize("statement", DAMAGED.values(), ids=DAMAGED)
def test_an_attestation_that_does_not_parse_writes_nothing(
    alice: Publisher, statement: dict[str, Any]
) -> None:

    envelope = dsse.sign(rfc8785.dumps(statement), alice.identity.signing).to_bytes()
    act = _act(alice, alice.push(attestations=(envelope,)))
    with pytest.raises(Malformed):
        projection.rows(act, 1)


def test_an_attestation_nested_without_end_is_malformed(alice: Publisher) -> None:
    deep = b'{"predicateType":"x","predicate":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(Malformed):
        projection.attested(dsse.sign(deep, alice.identity.signing).to_bytes())


def test_a_sealed_key_travels_as_it_is(alice: Publisher) -> None:
    alice.admit(alice.push({"model.onnx": b"graph"}))
    with reading(alice.authority.engine) as connection:
        row = connection.execute(sa.select(tables.blobs)).one()
    assert (row.model, row.suite, bytes(row.ciphertext)) == (MODEL, SEALED.suite, SEALED.ciphertext)
    assert row.content == sha256(b"graph")
