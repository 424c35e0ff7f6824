"""``registry audit verify``: an honest ledger holds; of one that does not, the first thing wrong is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from registry import acts, bundle
from registry.audit.verify import chunk, verifying
from registry.audit.verify.finding import Finding
from registry.context import Context
from registry.crypto import dsse
from registry.crypto.keys import SigningKey
from registry.errors import (
    BadSignature,
    Untrusted,
)
from registry.manifest import Manifest
from registry.records import tables
from registry.records.database import reading
from support import ledgers
from support.courtroom import Court
from support.rewriting import envelope, execute, first, rewrite
from support.verifying import findings, resigned, verify


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Context]:
    """A generated ledger of 300 acts, this test's own."""
    with Context(ledgers.copied(tmp_path)) as context:
        yield context


# --- what holds -----------------------------------------------------------------------------------


def test_an_honest_ledger_holds(home: Context) -> None:
    done = verifying.verify(home)
    assert (done.acts, done.start, done.resumed) == (ledgers.SMALL, 0, None)
    assert done.law > 20
    assert findings(home) == []


def test_pulls_of_an_honest_ledger_take_no_closer_look(
    home: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the short way expects of index and event is what is written: else all would go the long way."""
    kinds: list[str] = []
    closer = chunk._Chunk.entry

    def looked(self: Any, found: Any, *, judged: bool) -> Any:
        kinds.append(found[2])
        return closer(self, found, judged=judged)

    monkeypatch.setattr(chunk._Chunk, "entry", looked)
    assert findings(home) == []
    assert "pull" not in kinds
    assert len(kinds) > 20


def test_it_works_on_each_database(anywhere: Court) -> None:
    context = anywhere.root
    assert findings(context) == findings(context, jobs=2) == []
    with context.engine.begin() as connection:
        connection.execute(sa.update(tables.activity).values(acts=7))
        connection.execute(sa.update(tables.sayings).where(tables.sayings.c.saying == 2).values(text="else"))
        connection.execute(sa.delete(tables.events).where(tables.events.c.seq == 4))
    found = {(one.code, one.on.partition(" ")[0]) for one in findings(context)}
    assert found >= {
        ("row-differs", "activity.acts"),
        ("row-differs", "sayings.text"),
        ("row-missing", "events"),
    }


# --- what does not --------------------------------------------------------------------------------

HIDDEN = "UPDATE acts SET kind = 'pull' WHERE seq = ?"


def test_the_first_thing_that_is_wrong_is_named(home: Context) -> None:
    rewrite(home, {seq: resigned(home, seq) for seq in (120, 121)})
    execute(home, "UPDATE acts SET actor = ? WHERE seq = 119", "0" * 64)
    with pytest.raises(Untrusted, match=r"index-differs: .*entry 119, acts.actor"):
        verify(home)
    execute(home, "UPDATE acts SET actor = ? WHERE seq = 119", _actor(home, 119))
    with pytest.raises(BadSignature, match="entry 120"):
        verify(home)


def _actor(context: Context, seq: int) -> str:
    return acts.decode(dsse.Envelope.from_bytes(envelope(context, seq)).payload).header.actor


def test_an_act_of_the_law_that_the_index_hides_is_all_that_is_found(home: Context) -> None:
    """It is missing from the chain, so the entries themselves are read: what rests on it still does."""
    middle, last = first(home, "grant", 40), _last_of_law(home)
    execute(home, HIDDEN, middle)
    execute(home, HIDDEN, last)
    assert [(one.code, one.on) for one in findings(home)] == [
        ("index-differs", f"entry {seq}, acts.kind") for seq in (middle, last)
    ]


def _last_of_law(context: Context) -> int:
    with reading(context.engine) as connection:
        query = sa.select(sa.func.max(tables.acts.c.seq)).where(tables.acts.c.kind.in_(acts.LAW))
        return int(connection.execute(query).scalar_one())


def test_a_bundle_that_another_signed_is_found(home: Context) -> None:
    """The act is rightly signed, by somebody who has the right; the version's own signature is not theirs."""
    seq = first(home, "push")
    assert findings_of(home, seq, home.identity.signing)[0].code == "index-differs"  # all but the actor holds
    found = findings_of(home, seq, SigningKey.generate())
    assert (found[0].code, found[0].on) == ("bad-signature", f"entry {seq}")


def findings_of(context: Context, seq: int, key: SigningKey) -> list[Finding]:
    """Of a push by the admin, whose bundle and attestations are signed with ``key``."""
    act = acts.decode(dsse.Envelope.from_bytes(envelope(context, seq)).payload)
    assert isinstance(act.body, acts.Push)
    manifest = Manifest.of("model", {file.path: file.sha256 for file in act.body.files})
    admin, attested = context.identity.signing, act.body.attestations
    statements = tuple(dsse.sign(dsse.Envelope.from_bytes(one).payload, admin).to_bytes() for one in attested)
    body = replace(act.body, bundle=bundle.sign(manifest, key), attestations=statements)
    header = replace(act.header, actor=admin.keyid)
    rewrite(context, {seq: dsse.sign(acts.encode(header, body), admin).to_bytes()})
    return findings(context)


def test_a_text_that_is_not_utf8_is_found(home: Context) -> None:
    """It does not end the reading of the rows that come with it."""
    execute(home, "UPDATE events SET member = CAST(x'ff' AS TEXT) WHERE seq = 7")
    one = findings(home)[0]
    assert (one.code, one.on) == ("row-differs", "events.member 7")


def test_a_value_of_another_type_is_found(home: Context) -> None:
    execute(home, "UPDATE acts SET envelope = 'forged' WHERE seq = 9")
    one = findings(home)[0]
    assert (one.code, one.on) == ("malformed", "entry 9")


def test_entries_of_a_whole_chunk_removed_are_found(home: Context) -> None:
    execute(home, "DELETE FROM acts WHERE seq BETWEEN 60 AND 130")
    found = [(one.code, one.on) for one in findings(home)]
    assert found[:3] == [("missing-act", f"entry {seq}") for seq in (60, 64, 128)]
    assert found == [(one.code, one.on) for one in findings(home, jobs=2)]


def test_an_entry_far_beyond_the_ledger_does_not_keep_it_busy(home: Context) -> None:
    execute(home, "UPDATE acts SET seq = 1 << 60 WHERE seq = 299")
    found = [(one.code, one.on) for one in findings(home)]
    assert ("missing-act", "entry 299") in found
