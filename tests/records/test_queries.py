"""The questions asked of the tables. ``test_projection`` asks both databases and compares the answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rfc8785
import sqlalchemy as sa

from registry import acts
from registry.crypto import dsse
from registry.errors import ReferenceNotFound
from registry.records import queries, schema
from registry.records.database import open_engine, reading
from registry.refs import parse
from support.madefacts import FACTS
from support.publisher import MODEL, Publisher, sha256

WEIGHTS = b"weights of the first two"


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Publisher]:
    """vision/net with three versions, the newest yanked; audio/vad with one; names and aliases."""
    engine = open_engine(f"sqlite:///{tmp_path / 'db'}")
    schema.upgrade(engine)
    alice = Publisher(engine)
    first = {"model.onnx": b"graph 1", "weights.bin": WEIGHTS}
    second = {"model.onnx": b"graph 2", "weights.bin": WEIGHTS, "tokenizer.json": b"{}"}
    alice.admit(alice.push(first, label="1.0-int8", aliases=("prod", "old")))
    alice.admit(alice.push(second, label="1.1-int8", metadata={"team": "vision", "a": ""}))
    alice.admit(alice.push({"model.onnx": b"graph 3"}, aliases=("prod",)))
    alice.admit(alice.push({"model.onnx": b"voices"}, model="audio/vad"))
    alice.admit(alice.about(acts.Yank, 3, reason="wrong labels"))
    alice.admit(alice.about(acts.Alias, 2, name="stable"))
    yield alice
    engine.dispose()


@pytest.fixture
def connection(published: Publisher) -> Iterator[sa.Connection]:
    with reading(published.authority.engine) as opened:
        yield opened


RESOLVED = {
    "vision/net": 2,  # the newest that is not yanked
    "vision/net:1": 1,
    "vision/net:3": 3,  # an exact version resolves, yanked or not: to refuse it is the door's business
    "vision/net:1.0-int8": 1,
    "vision/net:1.1-int8": 2,
    "vision/net:old": 1,
    "vision/net:prod": 3,  # the alias moved
    "vision/net:stable": 2,
    "audio/vad": 1,
}
MISSING = {
    "vision/net:4": "no such version",
    "vision/net:1.2-int8": "no such version",
    "vision/net:PROD": "no such version",
    "audio/vad:prod": "no such version",
    "vision/ne": "no such model",
    "vision/nett": "no such model",
    "Vision/net": "no such model",
    "audio/net": "no such model",
}


def test_a_reference_names_one_version(connection: sa.Connection) -> None:
    found = {text: queries.resolve(connection, parse(text)) for text in RESOLVED}
    assert {text: one.version for text, one in found.items()} == RESOLVED
    assert {one.tag for one in found.values()} == {None}
    assert [one.model for one in found.values()] == [parse(text).model for text in RESOLVED]


def test_what_is_not_there_is_not_found(connection: sa.Connection) -> None:
    for text, message in MISSING.items():
        with pytest.raises(ReferenceNotFound, match=message) as caught:
            queries.resolve(connection, parse(text))
        assert "registry" in (caught.value.hint or "")


def test_a_digest_asked_for_is_carried_along(connection: sa.Connection) -> None:
    assert queries.resolve(connection, parse(f"{MODEL}:1@sha256:{'0' * 64}")).digest == "0" * 64


def test_when_every_version_is_yanked_there_is_no_newest(published: Publisher) -> None:
    for number in (1, 2):
        published.admit(published.about(acts.Yank, number, reason="all wrong"))
    with reading(published.authority.engine) as connection:
        with pytest.raises(ReferenceNotFound):
            queries.resolve(connection, parse(MODEL))
        assert queries.resolve(connection, parse(f"{MODEL}:2")).version == 2
        assert queries.newest_number(connection, MODEL) == 3
        assert queries.listing(connection)[1]["newest"] == 3


def test_numbers_are_counted_by_model(connection: sa.Connection) -> None:
    names = (MODEL, "audio/vad", "audio/none")
    assert [queries.newest_number(connection, name) for name in names] == [3, 1, 0]


def test_the_listing_has_one_record_for_each_model(connection: sa.Connection) -> None:
    audio, vision = queries.listing(connection)
    assert (audio["model"], audio["versions"], audio["newest"], audio["aliases"]) == ("audio/vad", 1, 1, {})
    assert (vision["model"], vision["versions"]) == (MODEL, 3)
    assert vision["aliases"] == {"old": 1, "prod": 3, "stable": 2}
    assert vision["quantization"] == ["static QDQ"]


def test_the_listing_shows_the_newest_version_in_use(connection: sa.Connection) -> None:
    """A yanked version is not what a pull without a suffix brings."""
    vision = queries.listing(connection)[1]
    assert (vision["newest"], vision["label"]) == (2, "1.1-int8")
    assert vision["size"] == len(b"graph 2") + len(WEIGHTS) + len(b"{}")


def test_the_listing_can_be_of_one_namespace(connection: sa.Connection) -> None:
    assert [record["model"] for record in queries.listing(connection, "audio")] == ["audio/vad"]
    assert queries.listing(connection, "aud") == []


def test_the_history_is_newest_first_with_names_and_yanks(connection: sa.Connection) -> None:
    found = [
        (record["number"], record["label"], record["aliases"], record["yanked"])
        for record in queries.history(connection, MODEL)
    ]
    assert found == [
        (3, None, ["prod"], "wrong labels"),
        (2, "1.1-int8", ["stable"], None),
        (1, "1.0-int8", ["old"], None),
    ]


def test_the_details_of_a_version_are_its_own(connection: sa.Connection) -> None:
    details = queries.details(connection, parse(f"{MODEL}:2"))
    assert {row["name"]: row["value"] for row in details["version_metadata"]} == {"team": "vision", "a": ""}
    assert [row["path"] for row in details["files"]] == ["model.onnx", "tokenizer.json", "weights.bin"]
    assert [row["type"] for row in details["attestations"]] == [acts.QUANTIZATION]
    (facts,) = details["quantization"]
    assert (facts["mode"], facts["format"], facts["quantized_weights"]) == ("static", "QDQ", 1)
    assert [(row["domain"], row["version"]) for row in details["opsets"]] == [("ai.onnx", 21)]
    (tensor,) = details["quantized_tensors"]
    shown = ("name", "type", "bits", "symmetric", "granularity", "axis", "block_size")
    assert [tensor[name] for name in shown] == ["w", "INT8", 8, True, "per-channel", 0, None]
    assert FACTS.tensors[0].name == tensor["name"]


def test_what_is_stored_is_known_by_content_and_by_model(connection: sa.Connection) -> None:
    wanted = {sha256(WEIGHTS), sha256(b"voices"), sha256(b"never seen")}
    assert set(queries.stored(connection, MODEL, wanted)) == {sha256(WEIGHTS)}
    assert set(queries.stored(connection, "audio/vad", wanted)) == {sha256(b"voices")}
    assert queries.stored(connection, MODEL, ()) == {}


def test_more_contents_than_one_query_takes_can_be_asked_about(connection: sa.Connection) -> None:
    before = {f"{number:064x}" for number in range(1200)}  # they sort before any real digest
    (blob,) = queries.stored(connection, MODEL, before | {sha256(WEIGHTS)}).values()
    rows = queries.blob_rows(connection, MODEL, before | {sha256(WEIGHTS)})
    assert [row["id"] for row in rows] == [blob]
    assert queries.known_sizes(connection, MODEL, range(-1200, len(WEIGHTS) + 1)) >= {len(WEIGHTS), 7}


def test_sizes_are_known_by_model(connection: sa.Connection) -> None:
    assert queries.known_sizes(connection, MODEL, {len(WEIGHTS), 6, 99}) == {len(WEIGHTS)}
    assert queries.known_sizes(connection, "audio/vad", {len(WEIGHTS), 6, 99}) == {6}


def test_names_in_use_are_told_apart(connection: sa.Connection) -> None:
    assert queries.tags_taken(connection, MODEL) == ({"1.0-int8", "1.1-int8"}, {"old", "prod", "stable"})


def test_a_member_is_shown_by_name(published: Publisher, connection: sa.Connection) -> None:
    assert queries.member_name(connection, published.keyid) == "alice"
    assert queries.member_name(connection, "f" * 64) == "f" * 16


def test_the_blobs_of_a_model_are_its_own(connection: sa.Connection) -> None:
    vision, audio = queries.blobs_of(connection, MODEL), queries.blobs_of(connection, "audio/vad")
    assert {row["model"] for row in vision} == {MODEL}
    assert [row["content"] for row in audio] == [sha256(b"voices")]
    assert len(vision) == 5
    assert queries.blobs_of(connection, "audio/none") == []
    wanted = {sha256(WEIGHTS), sha256(b"voices")}
    assert [row["content"] for row in queries.blob_rows(connection, MODEL, wanted)] == [sha256(WEIGHTS)]


def test_later_attestations_are_told_from_the_pushs_own(published: Publisher) -> None:
    def seqs(number: int) -> list[int]:
        with reading(published.authority.engine) as connection:
            return queries.attest_seqs(connection, MODEL, number)

    assert seqs(1) == seqs(2) == []
    statement = {
        "_type": acts.STATEMENT_TYPE,
        "predicateType": "https://example.org/review/v1",
        "predicate": {},
    }
    body = published.about(acts.Attest, 1, statement=b"-")
    statement["subject"] = [{"name": MODEL, "digest": {"sha256": body.digest}}]
    signed = dsse.sign(rfc8785.dumps(statement), published.identity.signing).to_bytes()
    told = [
        published.admit(published.about(acts.Attest, 1, statement=signed)).proof.entry.seq for _ in range(2)
    ]
    assert (seqs(1), seqs(2)) == (told, [])


def test_a_sealed_key_is_in_use_until_it_is_superseded(published: Publisher) -> None:
    def in_use() -> set[str]:
        with reading(published.authority.engine) as connection:
            return queries.sealed_in_use(connection)

    before = in_use()
    blobs = {blob.key.sha256 for blob in published.blobs_of(MODEL)}
    shares = {one.sealed.sha256 for one in published.law().state.vaults[MODEL].shares.values()}
    assert blobs | shares <= before
    published.rotate(MODEL)
    after = in_use()
    assert not (blobs | shares) & after
    assert before - after == blobs | shares
    assert len(before) == len(after)
