"""Steps 1 to 8 of the ritual as a deed: judge the evidence, ask for the version, get its keys."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from registry import acts, catalog, cosigned, keyring, petitions, refs, seen, vaults
from registry.acts import Act
from registry.authority import Receipt
from registry.context import Context
from registry.crypto.witnessed import Demand
from registry.errors import (
    BadCheckpoint,
    BadEncryption,
    BadProof,
    Denied,
    Malformed,
    Outdated,
    PolicyDenied,
    Yanked,
)
from registry.evidence import gather
from registry.judge import Asking, Judged, judge
from registry.law.law import Law
from registry.policy.words import Client
from registry.records.database import reading
from registry.ritual import Ritual

_ROUNDS = 100  # times a version is judged again; each time somebody else has changed the law
_GATHERED = {
    BadCheckpoint: 2,
    BadProof: 3,
    Malformed: 5,
    BadEncryption: 5,
}  # the step that evidence fails before it is judged


@dataclass(frozen=True)
class Released:
    """A judged version with the keys of its blobs, and the ledger entry of the pull."""

    judged: Judged
    keys: Mapping[str, bytes]  # blob id to its 32-byte key
    pull: int
    purpose: str

    def __repr__(self) -> str:
        return f"Released({self.judged.ref}, pull={self.pull})"


def release(context: Context, ref: str, purpose: str, ritual: Ritual) -> Released:
    """Walk steps 1 to 8. Raises InvalidReference, NotFound, Untrusted, Denied or Unavailable."""
    refs.check_name(purpose, "the purpose")

    def asking(law: Law, push: Act, attests: list[Act]) -> str:
        return _ask(context, law, push, attests, purpose)

    try:
        judged = examine(context, ref, ritual, asking)
    except Yanked:
        _record(context, ref, purpose)
        raise
    with ritual.step(8) as said:
        judged, receipt = _asked(context, judged, purpose, asking)
        vault = keyring.follow(context, judged.law, receipt.shares, judged.body.model)
        registry_id = context.config.registry_id
        keys = {
            blob.id: vaults.open_blob_key(
                registry_id, judged.body.model, blob, judged.keys[blob.key.sha256], vault
            )
            for blob in judged.blobs.values()
        }
        said.append(f"pull recorded as entry {receipt.proof.entry.seq}; {len(keys)} key(s)")
    return Released(judged, keys, receipt.proof.entry.seq, purpose)


def _record(context: Context, ref: str, purpose: str) -> None:
    """Ask the door for what is withdrawn, which refuses it too, and puts that on record."""
    exact, digest = catalog.resolve(context, ref)
    with suppress(Denied):
        context.act(acts.Pull(model=exact.model, number=exact.version or 0, digest=digest, purpose=purpose))


def _asked(context: Context, judged: Judged, purpose: str, asking: Asking) -> tuple[Judged, Receipt]:
    """Ask for the version under the law that it was judged under: its keys are those of that law.

    Where the law has changed meanwhile, a rotation perhaps, the version is judged again.
    """
    for _ in range(_ROUNDS):
        try:
            return judged, context.act(_pull(judged.body, purpose), header=context.header(judged.head))
        except Outdated:
            judged = examine(context, str(judged.ref), Ritual(), asking)
    raise Outdated("the registry's law kept changing", hint="run the same command again")


def _pull(body: acts.Push, purpose: str) -> acts.Pull:
    return acts.Pull(model=body.model, number=body.number, digest=body.digest, purpose=purpose)


def examine(context: Context, ref: str, ritual: Ritual, asking: Asking) -> Judged:
    """Walk steps 1 to 7, with ``asking`` for the policies. Raises as ``release``."""
    asked = refs.parse(ref)
    remembered = seen.load(context.paths.checkpoint)
    policy = cosigned.demanded(context.paths.witnesses)
    with reading(context.engine) as connection:
        try:
            known = context.lawbook.known(connection)
            evidence = gather(connection, asked, seen.size_of(remembered), known, policy)
        except tuple(_GATHERED) as error:
            with ritual.blame(_GATHERED[type(error)]):
                raise
    judged = judge(
        evidence,
        context.lawbook,
        lambda law: seen.accept(
            context.paths.checkpoint, law, evidence.note, evidence.consistency, remembered
        ),
        asking,
        ritual,
        Demand(policy, int(context.now().timestamp())) if policy else None,
    )
    context.lawbook.keep(judged.law)
    return judged


def _ask(context: Context, law: Law, push: Act, attests: list[Act], purpose: str) -> str:
    """The policies, asked again: what the door will say, said by the puller's own program.

    A denial goes to the door all the same, which refuses it too, and puts it on record.
    """
    policies = petitions.current(law)
    if policies is None:
        return "no policies"
    version, client = petitions.version(law, push, attests), context.client
    by = Client(client.program, client.host)
    try:
        name = law.state.signer(context.keyid).name
    except Denied:
        return "no member asks"  # the door refuses, and puts that on record
    try:
        policies.require(petitions.pull(law, name, version, context.now(), by, purpose))
    except PolicyDenied:
        assert isinstance(push.body, acts.Push)
        context.act(_pull(push.body, purpose))
        raise
    return "policies hold"
