"""A door that signs what it should not, and proofs from its ledger: refused, though every hash is right.

The door has the ledger's key and helps an attacker; checkpoints and inclusion proofs are therefore genuine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import acts, bundle
from registry.audit.checking import Checked, check_proof
from registry.audit.ranges import check_range
from registry.crypto import dsse, possession
from registry.crypto.identity import Identity
from registry.errors import BadAuthority, BadProof, BadSignature, Malformed, Untrusted
from registry.manifest import Manifest
from support import notary
from support.notary import MODEL, OTHER, Json, Notary, written

EVE, DISABLE = 7, 9
PULL = acts.Pull(MODEL, 1, "ab" * 32, "test")


@pytest.fixture
def door() -> Notary:
    return notary.told()


def check(door: Notary, proof: Json) -> Checked:
    return check_proof(written(proof), door.registry_id)


def law_before(door: Notary, entry: int) -> str:
    """The digest of the law's newest act before an entry."""
    newest = max(index for index in door.laws if index < entry)
    return acts.decode(dsse.Envelope.from_bytes(door.entries[newest]).payload).digest


def old_law(door: Notary, seq: int, **changes: object) -> Json:
    """The proof of an act signed under the law before ``DISABLE``."""
    law = [index for index in door.laws if index < DISABLE]
    shown = {"law": [door.envelope(index) for index in law], "head": door.place(law[-1])}
    return door.proof(seq, **{**shown, "after": door.shown(DISABLE), **changes})


def refused_both_ways(door: Notary, proof: Json, directory: Path, error: type[Untrusted], says: str) -> None:
    """Neither a proof of the entry nor an export with it passes."""
    with pytest.raises(error, match=says):
        check(door, proof)
    with pytest.raises(Untrusted):
        check_range(door.parcel(directory / "export", 0), door.registry_id)


def test_what_the_signer_did_before_being_disabled_stays_proven(door: Notary) -> None:
    assert check(door, door.proof(EVE)).event.actor == "eve"


def test_an_act_signed_after_the_signer_was_disabled(door: Notary, tmp_path: Path) -> None:
    seq = door.pull("eve")
    refused_both_ways(door, door.proof(seq), tmp_path, BadAuthority, "not a member then")


def test_an_act_signed_under_the_law_of_before_the_signer_was_disabled(door: Notary, tmp_path: Path) -> None:
    seq = door.pull("eve", law=law_before(door, DISABLE))
    door.pull("bob")
    refused_both_ways(door, old_law(door, seq), tmp_path, BadAuthority, "changed before")
    for after in (None, door.shown(seq + 1), door.shown(seq)):
        with pytest.raises(BadAuthority):
            check(door, old_law(door, seq, after=after))


def test_the_same_hidden_behind_a_second_act_is_no_secret_to_an_export(door: Notary, tmp_path: Path) -> None:
    """What one proof cannot show: that the law did not change between two of its entries. A door that helps,
    and an accomplice who signs twice, can make one; whoever sees all entries refuses them."""
    law = law_before(door, DISABLE)
    seq = door.pull("eve", law=law)
    door.pull("eve", law=law)
    assert check(door, old_law(door, seq, after=door.shown(seq + 1))).event.actor == "eve"
    with pytest.raises(BadAuthority, match="another law than the newest"):
        check_range(door.parcel(tmp_path / "export", 0), door.registry_id)
    with pytest.raises(BadAuthority, match="another law"):
        check_range(door.parcel(tmp_path / "later", DISABLE + 1), door.registry_id)


def test_what_came_after_signed_under_an_older_law_shows_nothing(door: Notary) -> None:
    seq, later = door.pull("bob"), door.pull("eve", law=law_before(door, DISABLE))
    with pytest.raises(BadAuthority, match="names another"):
        check(door, door.proof(seq, after=door.shown(later)))


def test_what_came_after_without_the_right_to_it_shows_nothing(door: Notary) -> None:
    seq, later = door.pull("bob"), door.pull("bob", OTHER)
    with pytest.raises(BadAuthority, match="no right to it"):
        check(door, door.proof(seq, after=door.shown(later)))


def test_a_push_whose_bundle_its_publisher_did_not_sign(door: Notary, tmp_path: Path) -> None:
    file = acts.File(path="model.onnx", size=1, sha256="cd" * 32)
    manifest = Manifest.of(MODEL, {file.path: file.sha256})
    signed = bundle.sign(manifest, door.members["bob"].signing)
    push = acts.Push(model=MODEL, number=1, digest=manifest.digest, bundle=signed, files=(file,))
    refused_both_ways(
        door, door.proof(door.write(door.sign(push))), tmp_path, BadSignature, "names another key"
    )


def test_an_act_without_the_right_to_it(door: Notary, tmp_path: Path) -> None:
    seq = door.pull("bob", OTHER)
    refused_both_ways(door, door.proof(seq), tmp_path, BadAuthority, "no right to it")


def test_an_act_by_a_stranger(door: Notary, tmp_path: Path) -> None:
    door.members["mallory"] = Identity.generate("mallory")
    seq = door.pull("mallory")
    refused_both_ways(door, door.proof(seq), tmp_path, BadAuthority, "not a member")


def test_an_act_under_somebody_elses_name(door: Notary, tmp_path: Path) -> None:
    forged = dsse.sign(acts.encode(door.header("bob"), PULL), door.members["eve"].signing)
    seq = door.write(forged)
    refused_both_ways(door, door.proof(seq), tmp_path, BadSignature, "other signatures")


def test_a_refusal_that_the_ledger_did_not_sign(door: Notary, tmp_path: Path) -> None:
    seq = door.refuse("bob", actor=door.members["eve"].signing.keyid)
    refused_both_ways(door, door.proof(seq), tmp_path, BadAuthority, "not by the ledger's key")


def test_an_act_of_the_law_by_who_is_no_admin(door: Notary, tmp_path: Path) -> None:
    seq = door.write(
        door.sign(acts.Enroll("mal", possession.prove(Identity.generate("mal")), "admin"), "bob")
    )
    door.laws.append(seq)
    refused_both_ways(door, door.proof(seq), tmp_path, BadAuthority, "must not be")


def test_rights_from_an_act_of_the_law_that_must_not_be(door: Notary, tmp_path: Path) -> None:
    identity = door.members["mal"] = Identity.generate("mal")
    forged = door.sign(acts.Enroll("mal", possession.prove(identity), "admin"), "bob")
    door.laws.append(door.write(forged))
    seq = door.pull("mal", law=acts.decode(forged.payload).digest)
    refused_both_ways(door, door.proof(seq), tmp_path, BadAuthority, "must not be")


def test_a_law_that_forks(door: Notary, tmp_path: Path) -> None:
    """A second act of the law under the same head: whoever follows the first refuses what follows it."""
    fork = door.sign(acts.Enroll("mal", possession.prove(door.members["eve"]), "member"))
    door.add(acts.Revoke("bob", ("pull",), MODEL))
    door.write(fork)  # the law's other branch, in the ledger all the same
    seq = door.pull("bob", law=acts.decode(fork.payload).digest)
    refused_both_ways(door, door.proof(seq), tmp_path, BadAuthority, "another law")


def test_an_act_of_another_registry(door: Notary, tmp_path: Path) -> None:
    stranger = notary.told()
    seq = door.write(dsse.Envelope.from_bytes(stranger.entries[6]))
    refused_both_ways(door, door.proof(seq), tmp_path, Untrusted, "another registry")


def test_an_entry_that_is_no_act(door: Notary, tmp_path: Path) -> None:
    seq = door.write(dsse.sign(b"{}", door.members["root"].signing))
    refused_both_ways(door, door.proof(seq), tmp_path, Malformed, "does not parse")


def test_the_genesis_act_once_more(door: Notary, tmp_path: Path) -> None:
    seq = door.write(door.envelopes[0])
    refused_both_ways(door, door.proof(seq, law=[], head=None), tmp_path, BadAuthority, "not the first entry")


def test_an_act_of_the_law_once_more(door: Notary, tmp_path: Path) -> None:
    seq = door.write(dsse.Envelope.from_bytes(door.entries[4]))
    refused_both_ways(door, door.proof(seq), tmp_path, BadAuthority, "another law")


def test_an_act_put_before_the_law_that_allows_it(door: Notary) -> None:
    """The act's place in the tree says when it came; the law it names must lie before that."""
    early = Notary()
    early.enroll("bob")
    early.add(acts.Create(MODEL))
    grant = early.sign(early.whole(acts.Grant("bob", ("pull",), MODEL)))
    seq = early.pull("bob", law=acts.decode(grant.payload).digest)
    early.submit(grant)
    shown = {"law": [early.envelope(index) for index in early.laws], "head": early.place(early.laws[-1])}
    with pytest.raises(BadAuthority, match="before the law"):
        check(early, early.proof(seq, **shown))


def test_an_entry_left_out_of_the_tree_that_is_shown(door: Notary) -> None:
    proof = door.proof(6)
    door.entries[6] = door.entries[10]
    proof["proof"] = proof["proof"].partition("\n\n")[0] + "\n\n" + door.note()
    with pytest.raises(BadProof):
        check(door, proof)


def test_an_act_admitted_twice_is_found_by_who_sees_both(door: Notary, tmp_path: Path) -> None:
    """A proof of one entry is right, whichever it is: that the act came twice, only an export shows."""
    seq = door.pull("bob")
    again = door.write(dsse.Envelope.from_bytes(door.entries[seq]))
    assert check(door, door.proof(again, after=None)).event.actor == "bob"
    with pytest.raises(BadAuthority, match="admitted before"):
        check_range(door.parcel(tmp_path / "export", 0), door.registry_id)
