"""Identities that are another's, statements that are nobody's to make, versions without the right to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry import acts
from registry.crypto import dsse, possession
from registry.errors import (
    AlreadyExists,
    BadAttestation,
    BadSignature,
    Conflict,
    InvalidInput,
    Malformed,
    NotPermitted,
    VersionTaken,
)
from registry.strictjson import canonical
from support import courtroom, forging
from support.courtroom import OTHER, Court, Database
from support.forging import Brought, Forgery, bare

FORGERIES: dict[str, Forgery] = {}
forgery = forging.table(FORGERIES)


# --- whose keys -----------------------------------------------------------------------------------


def enroll(court: Court, name: str, identity: bytes) -> Brought:
    return bare(court, "root", acts.Enroll(name=name, identity=identity, role="member"))


def renamed(court: Court, name: str, by: str = "eve") -> bytes:
    """Somebody's keys, with which they sign that they are called otherwise."""
    return possession.prove(replace(court.known(name), name=by))


@forgery(InvalidInput, "another name")
def an_enrollment_of_anothers_identity_under_a_new_name(court: Court) -> Brought:
    return enroll(court, "eve", court.proof("bob"))


@forgery(AlreadyExists, "has or had this key")
def an_enrollment_with_the_key_of_a_member(court: Court) -> Brought:
    return enroll(court, "eve", renamed(court, "bob"))


@forgery(AlreadyExists, "has or had this key")
def an_enrollment_with_the_key_of_a_disabled_member(court: Court) -> Brought:
    return enroll(court, "eve", renamed(court, "dis"))


@forgery(AlreadyExists, "has or had this key")
def an_enrollment_with_a_replaced_key(court: Court) -> Brought:
    return enroll(court, "eve", renamed(court, "old"))


@forgery(AlreadyExists, "has this name")
def an_enrollment_under_a_disabled_members_name(court: Court) -> Brought:
    return enroll(court, "dis", court.proof("dis-2"))


@forgery(AlreadyExists, "has this name")
def an_enrollment_under_a_teams_name(court: Court) -> Brought:
    return enroll(court, "ml", court.proof("ml"))


@forgery(BadSignature, "signer|signature")
def an_enrollment_with_an_identity_that_another_signed(court: Court) -> Brought:
    eve = dsse.Envelope.from_bytes(court.proof("eve"))
    return enroll(court, "eve", dsse.sign(eve.payload, court.known("bob").signing).to_bytes())


@forgery(BadSignature, "signature")
def an_enrollment_with_an_identity_that_was_changed(court: Court) -> Brought:
    """The sealing key is another's: what is sealed to eve would be sealed to them."""
    eve, bob = (dsse.Envelope.from_bytes(court.proof(name)) for name in ("eve", "bob"))
    theirs = replace(court.known("eve").public, sealing=court.known("bob").public.sealing)

    def change(said: dict[str, Any]) -> None:
        said["predicate"] = theirs.to_dict()
        said["subject"][0]["digest"]["sha256"] = theirs.fingerprint

    assert forging.reworded(bob, lambda said: None) == bob
    return enroll(court, "eve", forging.reworded(eve, change).to_bytes())


@forgery(AlreadyExists, "has or had this key")
def a_replacement_by_the_key_of_another(court: Court) -> Brought:
    return bare(court, "bob", acts.Replace(name="bob", identity=renamed(court, "ann", "bob")))


@forgery(InvalidInput, "another name")
def a_replacement_by_the_identity_of_another(court: Court) -> Brought:
    return bare(court, "bob", acts.Replace(name="bob", identity=court.proof("eve")))


# --- what is not anybody's to sign ----------------------------------------------------------------


def second_genesis(court: Court) -> acts.Genesis:
    body = court.ledger()[0].body
    assert isinstance(body, acts.Genesis)
    return body


@forgery(Conflict, "genesis act already")
def a_second_genesis_by_an_admin(court: Court) -> Brought:
    return bare(court, "root", second_genesis(court), registry="")


@forgery(NotPermitted, "not a member")
def a_second_genesis_by_a_stranger(court: Court) -> Brought:
    return bare(court, "stranger", second_genesis(court), registry="", law="")


def refusal(court: Court) -> acts.Refusal:
    return acts.Refusal(member="ann", count=1, since=court.at())


@forgery(Malformed, "only the door")
def a_refusal_by_an_admin(court: Court) -> Brought:
    return bare(court, "root", refusal(court))


@forgery(NotPermitted, "not a member")
def a_refusal_in_the_name_of_the_ledgers_key(court: Court) -> Brought:
    return bare(court, "root", refusal(court), actor=court.root.authority.key.keyid)


# --- versions -------------------------------------------------------------------------------------


def attest(court: Court, by: str, signer: str, kind: str, **about: Any) -> Brought:
    act = court.about(acts.Attest, statement=b"x")
    subject = {"name": act.model, "digest": {"sha256": act.digest}, **about}
    statement = {"_type": acts.STATEMENT_TYPE, "subject": [subject], "predicateType": kind, "predicate": {}}
    envelope = dsse.sign(canonical(statement), court.known(signer).signing).to_bytes()
    return bare(court, by, court.about(acts.Attest, statement=envelope))


@forgery(BadSignature, "signature")
def an_attestation_that_another_member_signed(court: Court) -> Brought:
    return attest(court, "bob", "ann", "https://example.org/review/v1")


@forgery(BadAttestation, "something else")
def an_attestation_about_another_version(court: Court) -> Brought:
    return attest(court, "bob", "bob", "https://example.org/review/v1", digest={"sha256": "5a" * 32})


@forgery(BadAttestation, "something else")
def an_attestation_about_another_model(court: Court) -> Brought:
    return attest(court, "bob", "bob", "https://example.org/review/v1", name=OTHER)


@forgery(BadAttestation, "come with the push")
def an_attestation_of_the_reserved_type(court: Court) -> Brought:
    return attest(court, "bob", "bob", acts.QUANTIZATION)


@forgery(BadAttestation, "without spaces")
def an_attestation_with_a_space_in_its_type(court: Court) -> Brought:
    return attest(court, "bob", "bob", "https://example.org/review /v1")


@forgery(BadAttestation, "without spaces")
def an_attestation_of_no_type(court: Court) -> Brought:
    return attest(court, "bob", "bob", "")


@forgery(NotPermitted, "no right on the model")
def an_attestation_without_any_right(court: Court) -> Brought:
    return attest(court, "nobody", "nobody", "https://example.org/review/v1")


@forgery(NotPermitted, "bob may not push")
def a_push_without_the_right(court: Court) -> Brought:
    push, keys = court.push("bob")
    return court.sign("bob", push), keys


@forgery(NotPermitted, "pusher may not promote")
def a_push_with_an_alias_without_the_right_to_promote(court: Court) -> Brought:
    push, keys = court.push("pusher", aliases=("prod",))
    return court.sign("pusher", push), keys


@forgery(NotPermitted, "pusher may not push")
def a_push_to_another_namespace(court: Court) -> Brought:
    push, keys = court.push("pusher", OTHER)
    return court.sign("pusher", push), keys


@forgery(BadSignature, "names another key")
def a_push_of_what_another_signed(court: Court) -> Brought:
    push, keys = court.push("pusher", signer="root")
    return court.sign("pusher", push), keys


@forgery(VersionTaken, "next version is 2")
def a_push_with_a_version_number_that_is_taken(court: Court) -> Brought:
    push, keys = court.push("pusher", number=1)
    return court.sign("pusher", push), keys


@forgery(VersionTaken, "next version is 2")
def a_push_with_a_version_number_to_come(court: Court) -> Brought:
    push, keys = court.push("pusher", number=3)
    return court.sign("pusher", push), keys


@forgery(NotPermitted, "pusher may not promote")
def an_alias_without_the_right(court: Court) -> Brought:
    return bare(court, "pusher", court.about(acts.Alias, name="prod"))


@forgery(NotPermitted, "pusher may not promote")
def a_yank_without_the_right(court: Court) -> Brought:
    return bare(court, "pusher", court.about(acts.Yank, reason="x"))


@forgery(NotPermitted, "pusher may not pull")
def a_pull_by_who_may_only_push(court: Court) -> Brought:
    return bare(court, "pusher", court.about(acts.Pull, purpose="run"))


@forgery(NotPermitted, "aud may not pull")
def a_pull_by_an_auditor(court: Court) -> Brought:
    return bare(court, "aud", court.about(acts.Pull, purpose="run"))


@forgery(NotPermitted, "mel may not pull")
def a_pull_after_leaving_the_team(court: Court) -> Brought:
    court.enact("root", acts.TeamRemove(team="ml", name="mel"))
    return bare(court, "mel", court.about(acts.Pull, purpose="run"))


# --- the tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_by_name(court: Court, name: str) -> None:
    forging.refuse(court, FORGERIES[name])


def test_every_forgery_is_refused_on_postgresql_too(tmp_path: Path, postgres_url: str) -> None:
    with courtroom.build(tmp_path / "home", Database(postgres_url)) as court:
        for one in FORGERIES.values():
            with courtroom.undone(court):
                forging.refuse(court, one)
