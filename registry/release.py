"""Steps 1 to 8 of the ritual as a deed: judge the evidence, ask for the version, get its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from registry import acts, refs, seen, vaults
from registry.context import Context
from registry.errors import BadCheckpoint, BadProof, BadRelease, Malformed
from registry.evidence import gather
from registry.judge import Judged, judge
from registry.records.database import reading
from registry.ritual import Ritual

_GATHERED = {BadCheckpoint: 2, BadProof: 3, Malformed: 5}  # the step that evidence fails before it is judged


@dataclass(frozen=True)
class Released:
    """A judged version with the keys of its blobs, and the ledger entry of the pull."""

    judged: Judged
    keys: Mapping[str, bytes]  # blob id to its 32-byte key
    pull: int

    def __repr__(self) -> str:
        return f"Released({self.judged.ref}, pull={self.pull})"


def release(context: Context, ref: str, purpose: str, ritual: Ritual) -> Released:
    """Walk steps 1 to 8. Raises InvalidReference, NotFound, Untrusted, Denied or Unavailable."""
    judged = _judged(context, ref, ritual)
    with ritual.step(8) as said:
        body = acts.Pull(
            model=judged.body.model, number=judged.body.number, digest=judged.body.digest, purpose=purpose
        )
        receipt = context.act(body)
        if receipt.share is None:
            raise BadRelease("the receipt of the pull brings no key", on=str(judged.ref))
        registry_id = context.config.registry_id
        vault = vaults.open_share(
            registry_id, judged.body.model, judged.vault, receipt.share, context.identity
        )
        keys = {
            name: vaults.open_blob_key(registry_id, judged.body.model, blob, vault)
            for name, blob in judged.blobs.items()
        }
        said.append(f"pull recorded as entry {receipt.proof.entry.seq}; {len(keys)} key(s)")
    return Released(judged, keys, receipt.proof.entry.seq)


def _judged(context: Context, ref: str, ritual: Ritual) -> Judged:
    asked = refs.parse(ref)
    remembered = seen.load(context.paths.checkpoint)
    with reading(context.engine) as connection:
        try:
            evidence = gather(connection, asked, seen.size_of(remembered))
        except (BadCheckpoint, BadProof, Malformed) as error:
            with ritual.blame(_GATHERED[type(error)]):
                raise
    return judge(
        evidence,
        context.config.registry_id,
        lambda chain: seen.accept(
            context.paths.checkpoint, chain, evidence.note, evidence.consistency, remembered
        ),
        ritual,
    )
