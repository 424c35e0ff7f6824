"""The law replayed from the ledger: one deletion, swap, repetition or flipped bit, and nobody believes it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry import acts
from registry.context import Context
from registry.crypto import dsse
from registry.crypto.checkpoint import LedgerKey
from registry.errors import BadAuthority, BadSignature, Malformed, NotPermitted, Untrusted, WrongRegistry
from registry.judge import authorised
from registry.law import rights
from registry.law.law import Law, from_genesis
from registry.law.rules import check
from registry.lawbook import check_whole
from registry.ledger import Entry
from registry.release import examine
from registry.ritual import Ritual
from support import courtroom
from support.courtroom import MODEL, Court


def law_of(court: Court) -> list[bytes]:
    """The acts of the law as the ledger has them, the genesis act first."""
    return [raw for raw in court.envelopes() if decoded(raw).is_law]


def decoded(raw: bytes) -> acts.Act:
    return acts.decode(dsse.Envelope.from_bytes(raw).payload)


def replay(envelopes: list[bytes], registry_id: str) -> Law:
    """What a client does who has nothing but the pin."""
    law = from_genesis(envelopes[0] if envelopes else b"", registry_id)
    for seq, raw in enumerate(envelopes[1:], 1):
        law.follow(raw, seq)
    return law


def refused(court: Court, envelopes: list[bytes], error: type[Untrusted], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        replay(envelopes, court.root.config.registry_id)
    assert type(caught.value) is error


# --- the chain as a whole -------------------------------------------------------------------------


def test_the_law_as_it_was_recorded_is_believed(court: Court) -> None:
    law = replay(law_of(court), court.root.config.registry_id)
    known = court.root.law()
    assert (law.head, law.state.position) == (known.head, known.state.position)
    check_whole(law, Entry(0, court.envelopes()[-1]))


def test_two_acts_in_another_order(court: Court) -> None:
    law = law_of(court)
    law[3], law[4] = law[4], law[3]
    refused(court, law, BadAuthority, "signed under another law")


def test_an_act_left_out(court: Court) -> None:
    law = law_of(court)
    del law[3]
    refused(court, law, BadAuthority, "signed under another law")


def test_the_newest_act_left_out(court: Court) -> None:
    """The chain is whole without it; the newest entry of the ledger says that it is missed."""
    court.admit("bob", court.about(acts.Pull, purpose="run"))
    law = replay(law_of(court)[:-1], court.root.config.registry_id)
    with pytest.raises(Untrusted, match="withholds an act of the law"):
        check_whole(law, Entry(0, court.envelopes()[-1]))


def test_an_act_twice(court: Court) -> None:
    law = law_of(court)
    refused(court, [*law[:4], law[3], *law[4:]], BadAuthority, "missing before this one")


def test_the_genesis_act_twice(court: Court) -> None:
    law = law_of(court)
    refused(court, [law[0], *law], BadAuthority, "missing before this one")


def test_an_act_of_another_registry(court: Court, tmp_path: Path) -> None:
    with courtroom.build(tmp_path / "other" / "home") as other:
        theirs = law_of(other)
    refused(court, [*law_of(court)[:3], theirs[3]], WrongRegistry, "another registry")
    refused(court, theirs, WrongRegistry, "another genesis")


def test_a_deed_among_the_acts_of_the_law(court: Court) -> None:
    deed = next(raw for raw in court.envelopes() if not decoded(raw).is_law)
    refused(court, [*law_of(court), deed], BadAuthority, "missing before this one")


# --- by whom --------------------------------------------------------------------------------------


def forged(court: Court, name: str, body: acts.LawBody) -> list[bytes]:
    """The law with one more act, as if the door had let it in."""
    return [*law_of(court), court.sign(name, body).to_bytes()]


TEAM = acts.Team(team="mine")


def test_by_a_member_who_is_no_admin(court: Court) -> None:
    body, _ = court.whole(TEAM)
    refused(court, forged(court, "bob", body), BadAuthority, "must not be: only an admin may change teams")


def test_by_who_was_disabled_before(court: Court) -> None:
    body, _ = court.whole(TEAM)
    refused(court, forged(court, "dis", body), BadAuthority, "not a member then: the member is disabled")


def test_by_an_admin_who_was_disabled_before(court: Court) -> None:
    court.enact("root", acts.Disable(name="ann"))
    body, _ = court.whole(TEAM)
    refused(court, forged(court, "ann", body), BadAuthority, "not a member then: the member is disabled")


def test_by_who_becomes_an_admin_only_later(court: Court) -> None:
    whole, _ = court.whole(TEAM)
    early = court.sign("eve", whole).to_bytes()
    law = law_of(court)
    court.enact("root", acts.Enroll(name="eve", identity=court.proof("eve"), role="admin"))
    refused(court, [*law, early], BadAuthority, "not a member")
    replay(law_of(court), court.root.config.registry_id)


def test_by_a_replaced_key(court: Court) -> None:
    body, _ = court.whole(TEAM)
    refused(court, forged(court, "old", body), BadAuthority, "another key by now")


def test_by_a_stranger_in_an_admins_name(court: Court) -> None:
    body, _ = court.whole(TEAM)
    raw = court.sign("stranger", body, actor=court.keyid("root")).to_bytes()
    refused(court, [*law_of(court), raw], BadSignature, "signature")


def test_a_right_that_had_ended_when_the_act_was_signed(court: Court) -> None:
    """gus may grant for an hour. An hour later not even the act's own time lets it through."""
    grant = acts.Grant(grantee="nobody", actions=("push",), target=MODEL, until=court.at(hours=3))
    late = court.sign("gus", grant, time=court.at(hours=2)).to_bytes()
    refused(court, [*law_of(court), late], BadAuthority, "gus may not grant here")


def test_an_act_with_other_keys_than_must_follow(court: Court) -> None:
    body = acts.Revoke(grantee="bob", actions=("pull",), target=MODEL)
    refused(court, forged(court, "root", body), Malformed, "begins other vaults")


def test_a_refusal_that_the_ledgers_key_did_not_sign(court: Court) -> None:
    law, body = court.root.law(), acts.Refusal(member="bob", count=1, since=court.at())
    with pytest.raises(BadAuthority, match="not by the ledger's key"):
        law.admitted(court.sign("root", body))
    for key in (LedgerKey.generate(), court.known("root").signing):
        payload = acts.encode(court.header("root", actor=law.ledger.keyid), body)
        with pytest.raises(BadSignature):
            law.admitted(dsse.sign(payload, key))
    payload = acts.encode(court.header("root", actor=law.ledger.keyid), body)
    law.admitted(dsse.sign(payload, court.root.authority.key))


# --- then and now ---------------------------------------------------------------------------------


def test_what_a_member_signed_while_enrolled_stays_valid(court: Court) -> None:
    court.admit("pusher", *court.push("pusher"))
    court.enact("root", acts.Disable(name="pusher"))
    said = step(court.root, 4)
    assert said.startswith("pushed by pusher, disabled since")
    replay(law_of(court), court.root.config.registry_id)


def test_what_a_member_signed_with_a_key_replaced_since_stays_valid(court: Court) -> None:
    court.admit("pusher", *court.push("pusher"))
    court.enact("pusher", acts.Replace(name="pusher", identity=court.proof("pusher-2")))
    assert step(court.root, 4).startswith("pushed by pusher, with a key replaced since")


def step(context: Context, number: int) -> str:
    """What a step of the ritual says of version 2."""
    ritual = Ritual()
    examine(context, f"{MODEL}:2", ritual, lambda *_: "")
    return ritual.outcomes[number - 1].detail


def test_rights_are_those_of_the_acts_own_law(court: Court) -> None:
    """A push before the grant, or after the revocation, is no push, whatever today's law says."""
    before = court.root.law().head
    court.enact("root", acts.Grant(grantee="nobody", actions=("push",), target=MODEL))
    during = court.root.law().head
    court.enact("root", acts.Revoke(grantee="nobody", actions=("push",), target=MODEL))
    after = court.root.law().head
    push, _ = court.push("nobody")
    law = court.root.law()
    authorised(law, court.sign("nobody", push, law=during).to_bytes())
    for head in (before, after):
        with pytest.raises(BadAuthority, match="no right to it then: nobody may not push"):
            authorised(law, court.sign("nobody", push, law=head).to_bytes())
    with pytest.raises(BadAuthority, match="another law"):
        authorised(law, court.sign("nobody", push, law="5a" * 32).to_bytes())


def test_a_failure_is_told_by_who_may_pull(court: Court) -> None:
    failure = court.about(acts.Failure, purpose="run", step=9, code="bad-encryption")
    law = court.root.law()
    authorised(law, court.sign("mel", failure).to_bytes())
    for name in ("nobody", "pusher", "aud"):
        with pytest.raises(BadAuthority, match=f"no right to it then: {name} may not pull"):
            authorised(law, court.sign(name, failure).to_bytes())


def test_a_law_can_be_asked_at_every_position(court: Court) -> None:
    """Each act's own position tells what held just after it."""
    law, time = court.root.law(), acts.timestamp(court.now)
    for position in range(1, law.state.position + 1):
        earlier = replay(law_of(court)[:position], law.registry_id)
        for name in law.state.members:
            assert law.state.active(name, position) == earlier.state.active(name)
            for action in acts.ACTIONS:
                then = rights.why(law.state, name, action, MODEL, time, position)
                known = name in earlier.state.members
                assert then == (rights.why(earlier.state, name, action, MODEL, time) if known else [])


def test_an_act_that_is_refused_leaves_the_law_as_it_was(court: Court) -> None:
    law = replay(law_of(court), court.root.config.registry_id)
    body, _ = court.whole(TEAM)
    with pytest.raises(BadAuthority):
        law.follow(court.sign("bob", body).to_bytes(), 99)
    with pytest.raises(Malformed):
        law.follow(court.sign("root", TEAM).to_bytes(), 99)
    assert "mine" not in law.state.teams
    law.follow(court.sign("root", body).to_bytes(), 99)
    assert "mine" in law.state.teams


def test_rules_are_checked_without_changing_anything(court: Court) -> None:
    law = court.root.law()
    act = acts.Act(header=court.header("bob"), body=TEAM, digest="")
    with pytest.raises(NotPermitted):
        check(law.state, act, "bob", act.header.time)
    assert "mine" not in law.state.teams


# --- any change -----------------------------------------------------------------------------------


@cache
def recorded(directory: Path) -> tuple[list[bytes], bytes, str]:
    """A recorded law, the newest entry of its ledger, and the pin."""
    with courtroom.build(directory / "home") as court:
        court.admit("bob", court.about(acts.Pull, purpose="run"))
        return law_of(court), court.envelopes()[-1], court.root.config.registry_id


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recorded")


def disbelieved(place: Path, envelopes: list[bytes]) -> None:
    _, newest, registry_id = recorded(place)
    with pytest.raises(Untrusted):
        check_whole(replay(envelopes, registry_id), Entry(0, newest))


def test_the_unchanged_record_is_believed(place: Path) -> None:
    envelopes, newest, registry_id = recorded(place)
    check_whole(replay(list(envelopes), registry_id), Entry(0, newest))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_single_deletion_is_noticed(place: Path, data: st.DataObject) -> None:
    envelopes = list(recorded(place)[0])
    del envelopes[data.draw(st.integers(0, len(envelopes) - 1))]
    disbelieved(place, envelopes)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_swap_is_noticed(place: Path, data: st.DataObject) -> None:
    envelopes = list(recorded(place)[0])
    places = st.lists(st.integers(0, len(envelopes) - 1), min_size=2, max_size=2, unique=True)
    first, second = data.draw(places)
    envelopes[first], envelopes[second] = envelopes[second], envelopes[first]
    disbelieved(place, envelopes)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_flipped_bit_is_noticed(place: Path, data: st.DataObject) -> None:
    envelopes = list(recorded(place)[0])
    index = data.draw(st.integers(0, len(envelopes) - 1))
    at, bit = data.draw(st.integers(0, len(envelopes[index]) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(envelopes[index])
    flipped[at] ^= 1 << bit
    envelopes[index] = bytes(flipped)
    disbelieved(place, envelopes)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_repetition_is_noticed(place: Path, data: st.DataObject) -> None:
    envelopes = list(recorded(place)[0])
    at = data.draw(st.integers(0, len(envelopes) - 1))
    to = data.draw(st.integers(0, len(envelopes)))
    envelopes.insert(to, envelopes[at])
    disbelieved(place, envelopes)
