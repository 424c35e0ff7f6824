"""The projection: the same acts write the same rows, whatever the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import rfc8785
import sqlalchemy as sa

from registry import acts, authority, ledger, strictjson
from registry.crypto import dsse, possession
from registry.crypto.identity import Identity
from registry.errors import Malformed
from registry.records import projection, queries, schema, sealed, tables
from registry.records.database import open_engine, reading
from registry.refs import parse
from support.publisher import MODEL, Publisher, sha256


def _all_kinds(alice: Publisher) -> None:
    """A history with every kind of act in it, and a row in every table of the projection."""
    text = "naïve 模型 \U0001f9ea 'quoted' \"twice\" %s :name\n\t\x01"
    _law(alice, text)
    first = {"model.onnx": b"graph 1", "weights.bin": b"w", "深/нет.bin": b""}
    alice.admit(alice.push(first, label="1.0", aliases=("prod",), metadata={text: text}))
    alice.admit(alice.push({"model.onnx": b"graph 2", "weights.bin": b"w"}))
    for model in ("audio/vad", "Audio/vad", "audio-/vad", "audio./vad"):
        alice.admit(alice.push({"model.onnx": b"graph 1"}, model=model))
    alice.admit(alice.about(acts.Alias, 2, name="prod"))
    alice.admit(alice.about(acts.Pull, 2, purpose="run"))
    alice.admit(alice.about(acts.Failure, 2, purpose="run", step=9, code="bad-encryption"))
    alice.admit(alice.about(acts.Yank, 1, reason=text))
    alice.admit(alice.about(acts.Failure, 2, purpose="run", step=10, code="bad-digest"))
    alice.admit(_attest(alice, "https://example.org/review/v1", {}))
    alice.admit(_attest(alice, acts.RECIPE, {"parent": {"digest": f"sha256:{sha256(b'parent')}"}}))
    alice.revoke("bob", ("pull", "grant"), "vision/")
    alice.rotate("vision/")


def _law(alice: Publisher, text: str) -> None:
    for name, role in (("bob", "member"), ("carol", "admin"), ("dan", "auditor"), ("gone", "member")):
        alice.enroll(name, role)  # type: ignore[arg-type]
    alice.team("ml", "bob", "gone")
    alice.team("night")
    alice.create("vision/empty")
    alice.grant("ml", ("pull",), "vision/")
    alice.grant("bob", ("pull", "push", "grant"), "vision/", alice.now + timedelta(hours=1))
    alice.grant("bob", ("push",), "vision/")
    alice.leave("ml", "gone")
    alice.replace("bob")
    alice.enact(acts.Disable("gone", text))
    alice.policy(f"// {text}".replace("\n", " ") + "\npermit(principal, action, resource);")


def _attest(alice: Publisher, kind: str, predicate: dict[str, Any]) -> acts.Attest:
    body: acts.Attest = alice.about(acts.Attest, 1, statement=b"-")
    said = {
        "_type": acts.STATEMENT_TYPE,
        "subject": [{"name": body.model, "digest": {"sha256": body.digest}}],
        "predicateType": kind,
        "predicate": predicate,
    }
    signed = dsse.sign(rfc8785.dumps(said), alice.identity.signing).to_bytes()
    return msgspec.structs.replace(body, statement=signed)


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
    _again(postgres, alice)
    yield sqlite, postgres
    for engine in (sqlite, postgres):
        engine.dispose()


def _again(engine: sa.Engine, alice: Publisher) -> None:
    """Every act once more, through the door of another database."""
    first, *rest = map(dsse.Envelope.from_bytes, alice.envelopes())
    other = authority.found(engine, alice.key, first, alice.beside(first))
    for envelope in rest:
        authority.submit(other, envelope, alice.now, keys=alice.beside(envelope))


def test_every_kind_of_act_is_in_the_history(both: tuple[sa.Engine, sa.Engine]) -> None:
    from registry.acts.deeds import DEED_BODIES

    with reading(both[0]) as connection:
        kinds = set(connection.execute(sa.select(tables.acts.c.kind)).scalars())
    assert kinds == acts.LAW | {body.kind for body in DEED_BODIES} - {"refusal"}


def test_the_sealed_keys_in_both_are_those_that_count(both: tuple[sa.Engine, sa.Engine]) -> None:
    """What was superseded is gone, and nothing that counts is."""
    for engine in both:
        with reading(engine) as connection:
            kept = {digest: bytes(data) for digest, data in connection.execute(sa.select(tables.sealed))}
            assert kept.keys() == queries.sealed_in_use(connection)
            sealed.get(connection, kept)


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
            "sealed": sorted(queries.sealed_in_use(connection)),
            "attests": [queries.attest_seqs(connection, MODEL, number) for number in (1, 2)],
            "blobs of": [
                sorted(queries.blobs_of(connection, name), key=lambda row: row["content"]) for name in names
            ],
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
        "blobs", "versions", "files", "aliases", "attestations",
        "quantization", "opsets", "quantized_tensors",
    }  # fmt: skip
    for row in first:
        assert set(row.values) == {column.name for column in row.table.columns}


WRITES: dict[str, tuple[Any, set[str]]] = {
    "enroll": (lambda alice: acts.Enroll("zoe", _proof("zoe"), "admin"), {"members", "keys", "shares"}),
    "disable": (lambda alice: acts.Disable("bob"), {"disabled", "vaults", "shares", "blobs"}),
    "replace": (lambda alice: acts.Replace("bob", _proof("bob")), {"keys", "vaults", "shares", "blobs"}),
    "team": (lambda alice: acts.Team("ml"), {"teams", "vaults", "shares"}),
    "grant": (lambda alice: acts.Grant("carol", ("pull", "push"), MODEL), {"grants", "shares"}),
    "revoke": (lambda alice: acts.Revoke("bob", ("pull",), MODEL), {"vaults", "shares", "blobs"}),
    "create": (lambda alice: acts.Create("vision/other"), {"models", "vaults", "shares"}),
    "create beside": (
        lambda alice: acts.Create("audio/vad"),
        {"namespaces", "models", "vaults", "shares"},
    ),
    "rotate": (lambda alice: acts.Rotate(MODEL), {"vaults", "shares", "blobs"}),
    "policy": (lambda alice: acts.Policy(""), {"policies"}),
}


def _proof(name: str) -> bytes:
    return possession.prove(Identity.generate(name))


def _peopled(alice: Publisher) -> None:
    alice.enroll("bob")
    alice.enroll("carol")
    alice.admit(alice.push())
    alice.grant("bob", ("pull",), MODEL)


@pytest.mark.parametrize("what", WRITES)
def test_an_act_of_the_law_writes_its_rows_parents_first(alice: Publisher, what: str) -> None:
    """No row waits for a later one of the same act."""
    _peopled(alice)
    make, wanted = WRITES[what]
    rows = projection.rows(_act(alice, alice.whole(make(alice))), 9)
    assert {row.table.name for row in rows} == wanted
    for position, row in enumerate(rows):
        assert set(row.values) == {column.name for column in row.table.columns}
        assert row.values["seq"] == 9
        assert not [other for other in rows[position + 1 :] if _parent(other, row)]


def _parent(one: projection.Row, of: projection.Row) -> bool:
    """Whether a foreign key of ``of`` leads to the row ``one``."""
    return any(
        constraint.referred_table is one.table
        and all(of.values[key.parent.name] == one.values[key.column.name] for key in constraint.elements)
        for constraint in of.table.foreign_key_constraints
    )


def test_a_revocation_takes_its_grants_away_and_no_other(alice: Publisher) -> None:
    _peopled(alice)
    alice.grant("bob", ("push", "promote"), MODEL)
    alice.grant("bob", ("push",), "vision/")
    alice.revoke("bob", ("pull", "push"), MODEL)
    assert _rows(alice, tables.grants, "target", "action") == {(MODEL, "promote"), ("vision/", "push")}


def test_who_leaves_a_team_is_out_of_its_rows_and_can_come_back(alice: Publisher) -> None:
    _peopled(alice)
    alice.team("ml", "bob", "carol")
    alice.leave("ml", "bob")
    assert _rows(alice, tables.team_members, "team", "name") == {("ml", "carol")}
    alice.enact(acts.TeamAdd("ml", "bob"))
    assert _rows(alice, tables.team_members, "team", "name") == {("ml", "carol"), ("ml", "bob")}


def test_a_second_grant_replaces_the_first(alice: Publisher) -> None:
    _peopled(alice)
    end = alice.now + timedelta(days=1)
    alice.grant("bob", ("pull",), MODEL, end)
    assert _rows(alice, tables.grants, "grantee", "until") == {("bob", acts.timestamp(end))}
    shares = _rows(alice, tables.shares, "vault", "recipient", "limited")
    assert {one for one in shares if one[1] == "bob"} == {(MODEL, "bob", True)}


def test_a_rotation_replaces_the_rows_of_blobs_and_keeps_those_of_epochs(alice: Publisher) -> None:
    """The old epochs' rows stay for people to see; what they name is deleted from beside the ledger."""
    _peopled(alice)
    (before,) = alice.blobs_of(MODEL)
    old = alice.law().state.vaults[MODEL]
    alice.rotate(MODEL)
    (after,) = alice.blobs_of(MODEL)
    assert (after.epoch, before.epoch) == (2, 1)
    assert (after.id, after.sha256, after.content) == (before.id, before.sha256, before.content)
    assert after.key != before.key
    assert {(MODEL, 1), (MODEL, 2)} <= _rows(alice, tables.vaults, "vault", "epoch")
    beside = {digest for (digest,) in _rows(alice, tables.sealed, "sha256")}
    gone = {before.key.sha256, *(share.sealed.sha256 for share in old.shares.values())}
    assert not beside & gone
    assert after.key.sha256 in beside


def _rows(alice: Publisher, table: sa.Table, *columns: str) -> set[tuple[Any, ...]]:
    with reading(alice.authority.engine) as connection:
        chosen = connection.execute(sa.select(*(table.c[name] for name in columns)))
        return {tuple(row) for row in chosen}


def test_parents_come_before_their_children(alice: Publisher) -> None:
    act = _act(alice, alice.push({"model.onnx": b"graph"}, aliases=("prod",)))
    written: set[str] = {"members", "models"}  # enrolled and created before
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


def test_the_ledger_names_a_sealed_key_and_does_not_hold_it(alice: Publisher) -> None:
    """What the ledger keeps it keeps for ever: a key in it could never be destroyed."""
    _peopled(alice)
    alice.rotate(MODEL)
    with reading(alice.authority.engine) as connection:
        rows = connection.execute(sa.select(tables.blobs)).all()
        beside = {digest: bytes(data) for digest, data in connection.execute(sa.select(tables.sealed))}
    assert [row.model for row in rows] == [MODEL]
    assert all(row.sealed in beside for row in rows)
    ledger_bytes = b"".join(
        acts.encode(act.header, act.body)
        for act in (acts.decode(dsse.Envelope.from_bytes(envelope).payload) for envelope in alice.envelopes())
    )
    assert len(alice.custodian.sealed) > len(beside)
    for digest, ciphertext in alice.custodian.sealed.items():
        assert sha256(ciphertext) == digest
        assert digest.encode() in ledger_bytes
        assert ciphertext not in ledger_bytes
        assert strictjson.to_b64(ciphertext).encode() not in ledger_bytes
