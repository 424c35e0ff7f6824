"""Attacks by whoever has the ledger's key as well: `ledger.pem` was stolen, or the server is theirs.

Hashes, checkpoint, index and tables are then as they have to be. What remains is what the key cannot sign,
and what others remember.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from registry import acts, ledger
from registry.crypto import dsse, possession
from registry.crypto.checkpoint import Checkpoint, open_checkpoint, origin_of, sign_checkpoint
from registry.crypto.identity import Identity
from registry.records import events, tables
from registry.records.database import writing
from support.attacks import NEW, admit, crafted, envelopes, push_body, signed
from support.ledger_attacks import Attack, behind, decoded, history, resigned
from support.outcomes import AUTHORITY, CHECKPOINT, UNSEEN, Outcome, Stopped
from support.story import STORY
from support.victim import MODEL, VERSION, Victim
from support.writers_attacks import (
    DISABLE,
    GRANT,
    LAST,
    PULL,
    REFUSAL,
    exchange,
    insert,
    part,
    respelled,
    sign_again,
)

SIZE = len(STORY)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
Entries = list[bytes]
Change = Callable[[Victim, Entries], object]
_DIGEST = "0" * 64


def _put(seq: int, change: Callable[[Victim, bytes], bytes]) -> Change:
    def changes(victim: Victim, entries: Entries) -> None:
        entries[seq] = change(victim, entries[seq])

    return changes


def _without(seq: int) -> Change:
    return lambda _, entries: entries.pop(seq)


def _swapped(victim: Victim, entries: Entries) -> None:
    entries[GRANT], entries[GRANT + 1] = entries[GRANT + 1], entries[GRANT]


def _forked(victim: Victim, entries: Entries) -> None:
    """What came after the pull is other, and longer."""
    pull = entries[PULL]
    entries[PULL:] = [resigned(victim, pull, "bob", nonce=f"{n:032}") for n in range(SIZE - PULL + 3)]


def _twin(_: Victim, envelope: bytes) -> bytes:
    """The other signature that holds as well: ECDSA's (r, n - s) beside (r, s)."""
    parsed = dsse.Envelope.from_bytes(envelope)
    (one,) = parsed.signatures
    r, s = decode_dss_signature(one.sig)
    other = dsse.Signature(one.keyid, encode_dss_signature(r, ORDER - s))
    return dsse.Envelope(parsed.payload_type, parsed.payload, (other,)).to_bytes()


def _by_bob(victim: Victim, envelope: bytes) -> bytes:
    return resigned(victim, envelope, "bob")  # the header names alice


def _elsewhere(victim: Victim, envelope: bytes) -> bytes:
    return resigned(victim, envelope, "alice", registry=_DIGEST)


def _past(name: str, change: Change, code: str, on: str, newcomer: Outcome | None = None) -> Attack:
    """A past that never was: refused to whoever remembers another.

    What is wrong with it in itself, `audit verify` names to a newcomer too. With ``code`` "" that is nothing.
    """
    found = (code, on) if code else ("bad-checkpoint", "checkpoint")
    client = Stopped(1, "wrong-registry") if code == "wrong-registry" and not newcomer else None
    return Attack(
        "the past",
        name,
        history(change, "ledger"),
        *found,
        client or CHECKPOINT,
        (code, newcomer or client or UNSEEN),
    )


PAST = (
    _past("a pull dropped", _without(PULL), "", ""),
    _past("a refusal dropped", _without(REFUSAL), "", ""),
    _past("the newest act dropped", _without(LAST), "", ""),
    _past("two acts exchanged", exchange, "", ""),
    _past("an accomplice's act inserted", insert, "", ""),
    _past("an act signed again by its author", sign_again, "", ""),
    _past("other acts after an entry, and more of them", _forked, "", ""),
    _past("an envelope spelled otherwise", _put(PULL, lambda _, one: respelled(one)), "", ""),
    _past("a signature's twin", _put(PULL, _twin), "", ""),
    _past(
        "a pull's payload", _put(PULL, lambda _, one: part("payload")(one)), "bad-signature", f"entry {PULL}"
    ),
    _past(
        "a refusal's signature",
        _put(REFUSAL, lambda _, one: part("signature")(one)),
        "bad-signature",
        f"entry {REFUSAL}",
    ),
    _past("an act signed by another member", _put(LAST, _by_bob), "bad-signature", f"entry {LAST}"),
    _past(
        "an act moved here from another registry",
        _put(PULL, _elsewhere),
        "wrong-registry",
        f"entry {PULL}",
        UNSEEN,
    ),
    _past(
        "another genesis act",
        _put(0, lambda victim, one: resigned(victim, one, "alice", nonce="0" * 32)),
        "wrong-registry",
        "",
    ),
    _past("a grant dropped", _without(GRANT), "bad-authority", f"entry {GRANT}", AUTHORITY),
    _past("two grants exchanged", _swapped, "bad-authority", f"entry {GRANT}", AUTHORITY),
)


# --- acts that the door would not have admitted -----------------------------------------------------


def _of_version(kind: type[Any], *values: object) -> Callable[[Victim], acts.Body]:
    def body(victim: Victim) -> acts.Body:
        made: acts.Body = kind(MODEL, VERSION, push_body(victim).digest, *values)
        return made

    return body


def _admitted(who: str, body: Callable[[Victim], acts.Body], **header: str) -> Callable[[Victim], object]:
    return lambda victim: behind(who, body(victim), **header)(victim)


def _refusal(name: str) -> Callable[[Victim], acts.Body]:
    told: dict[str, Any] = {
        "member": name,
        "count": 1,
        "since": "2026-01-01T00:00:00.000000Z",
        "code": "denied",
    }
    return lambda victim: acts.Refusal(**told)


def _enroll(_: Victim) -> acts.Body:
    return acts.Enroll("mallory", possession.prove(Identity.generate("mallory")), "admin")


def _old_law(victim: Victim) -> None:
    """Dora might push before she was disabled: signed now, under the law of then."""
    law = decoded(envelopes(victim)[DISABLE]).header.law
    with victim.open() as context, victim.open("dora") as dora:
        late = signed(context, crafted(push_body(victim), 4), dora.identity, law=law)
        honest = signed(context, _pull(victim))
    admit(victim, lambda _: late)
    admit(victim, lambda _: honest)  # the newest entry speaks of the newest law again


def _unknown_law(victim: Victim) -> None:
    behind("alice", _pull(victim), law=_DIGEST)(victim)


def _stranger(victim: Victim) -> None:
    admit(victim, lambda context: signed(context, _pull(victim), Identity.generate("mallory")))


def _again(victim: Victim) -> None:
    """Version 2 is pushed a second time; only its event is written, for there is no place for its rows."""
    body = crafted(push_body(victim), VERSION)
    with victim.open() as context:
        envelope = signed(context, body)
        with writing(context.engine) as connection:
            authority = context.authority
            seq = ledger.append(connection, decoded(envelope), envelope, authority.key, authority.registry_id)
            events.record(connection, decoded(envelope), seq, "alice")


_pull = _of_version(acts.Pull, "test")
_fail = _of_version(acts.Failure, "test", 10, "bad-digest")


def _false_root(victim: Victim) -> None:
    with victim.open() as context:
        law, key = context.law(), context.authority.key
    note = str(victim.rows["head"][0]["note"])
    tree = open_checkpoint(note, origin_of(law.registry_id), law.ledger)
    forged = sign_checkpoint(Checkpoint(tree.origin, tree.size, b"\7" * 32), key)
    victim.execute(tables.head.update().values(note=forged))


def _new(name: str, does: Callable[[Victim], object], client: Outcome, code: str = "bad-authority") -> Attack:
    return Attack("a new act", name, does, code, f"entry {SIZE}", client)


NEW_ACTS = (
    _new("a pull without the right to it", _admitted("frank", _pull), UNSEEN),
    _new("a failure by who may not pull", _admitted("frank", _fail), UNSEEN),
    _new("a yank without the right to it", _admitted("bob", _of_version(acts.Yank, "mine")), AUTHORITY),
    _new("an alias without the right to it", _admitted("bob", _of_version(acts.Alias, "prod")), AUTHORITY),
    _new(
        "a grant to oneself", _admitted("frank", lambda _: acts.Grant("frank", ("pull",), MODEL)), AUTHORITY
    ),
    _new("an admin enrolled by a member", _admitted("bob", _enroll), AUTHORITY),
    _new("a policy by a disabled member", _admitted("dora", lambda _: acts.Policy("")), AUTHORITY),
    _new("a push under a law of before", _old_law, Stopped(4, "bad-authority", NEW)),
    _new("a pull under a law that never was", _unknown_law, Stopped(4, "bad-proof")),
    _new("a pull by a stranger", _stranger, UNSEEN),
    _new("a refusal that a member signed", _admitted("bob", _refusal("frank")), UNSEEN),
    Attack(
        "a new act",
        "a version's second push",
        _again,
        "replay-failed",
        f"versions {MODEL} {VERSION}",
        UNSEEN,
    ),
    Attack(
        "the head",
        "a false root, signed",
        _false_root,
        "root-differs",
        f"{SIZE} acts",
        CHECKPOINT,
    ),
)

ATTACKS = (*PAST, *NEW_ACTS)
