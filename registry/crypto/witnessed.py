"""How much of a ledger enough witnesses have seen.

Witnesses come by at different times and cosign trees of different sizes. A tree that a later one is proven
to extend was seen by whoever cosigned the later one. So the largest size counts that enough witnesses have
seen at least; each of their trees must be the beginning of the checkpoint that is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from registry.crypto import merkle, notes
from registry.crypto.checkpoint import Checkpoint, LedgerPublicKey, open_checkpoint, origin_of
from registry.crypto.quorum import Policy
from registry.errors import BadCheckpoint, BadProof

SLACK = 300  # seconds that a witness's clock may be ahead of ours
_ASK = "let the witnesses cosign ('registry audit witness'), then run the same command again"
_KEEP = "keep this home, the database and the cosignatures as they are: two histories were shown"


@dataclass(frozen=True)
class Seen:
    """A cosigned checkpoint, and the proof (RFC 9162 section 2.1.4) that the one judged extends it."""

    note: str  # signed by the ledger, with cosignatures
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Demand:
    """What a client demands, at a POSIX time."""

    policy: Policy
    now: int

    def held(self, note: str, registry_id: str, ledger: LedgerPublicKey, seen: Sequence[Seen]) -> Witnessed:
        """What enough witnesses have seen of a ledger's newest checkpoint. Raises BadCheckpoint."""
        checkpoint = open_checkpoint(note, origin_of(registry_id), ledger)
        return witnessed(self.policy, checkpoint, ledger, seen, self.now)


@dataclass(frozen=True)
class Witnessed:
    """The first ``size`` acts were seen by ``names``, which are enough."""

    size: int
    names: tuple[str, ...]  # as the policy calls them

    def reach(self, *entries: int) -> None:
        """Raise BadCheckpoint unless enough witnesses have seen these entries."""
        if max(entries) >= self.size:
            raise BadCheckpoint(
                "the version is newer than what enough witnesses have seen",
                on=f"entry {max(entries)}; {self.size} acts are witnessed",
                hint=_ASK,
            )


def witnessed(
    policy: Policy, checkpoint: Checkpoint, ledger: LedgerPublicKey, seen: Sequence[Seen], now: int
) -> Witnessed:
    """How much of ``checkpoint`` enough witnesses have seen; ``now`` is POSIX time.

    Raises BadCheckpoint: not enough of them; a cosignature that is not one, or of the future; a cosigned tree
    that the checkpoint does not extend.
    """
    _right_log(policy, checkpoint.origin, ledger)
    if not policy.demands:
        return Witnessed(checkpoint.size, ())
    sizes: dict[str, int] = {}
    for one in seen:
        names = tuple(_cosigners(policy, notes.parse(one.note, checkpoint.origin), now))
        if names:
            tree = open_checkpoint(one.note, checkpoint.origin, ledger)
            _extends(tree, checkpoint, one.path, names)
            sizes.update({name: max(tree.size, sizes.get(name, 0)) for name in names})
    for size in sorted({*sizes.values()}, reverse=True):
        names = tuple(sorted(name for name, reached in sizes.items() if reached >= size))
        if policy.met(names):
            return Witnessed(size, names)
    raise BadCheckpoint(
        "not enough witnesses have cosigned the ledger",
        on=f"{len(sizes)} of {len(policy.witnesses)} have: {', '.join(sorted(sizes)) or 'none'}",
        hint=_ASK,
    )


def _right_log(policy: Policy, origin: str, ledger: LedgerPublicKey) -> None:
    if policy.logs and ledger.vkey(origin) not in policy.logs:
        raise BadCheckpoint("the witness policy is for another ledger", on=origin)


def _cosigners(policy: Policy, note: notes.Note, now: int) -> Iterator[str]:
    """The policy's witnesses on a note. Each line that is said to be theirs must be; others are ignored."""
    for name, key in policy.witnesses.items():
        times = [key.verify(signature, note.text) for signature in note.of(key.name, key.key_id)]
        if any(time > now + SLACK for time in times):
            raise BadCheckpoint(
                "a cosignature is of the future",
                on=f"{key.name}: {max(times) - now} s ahead",
                hint="check this machine's clock, and the witness's",
            )
        if times:
            yield name


def _extends(tree: Checkpoint, checkpoint: Checkpoint, path: tuple[bytes, ...], names: Sequence[str]) -> None:
    who = ", ".join(names)
    if tree.size > checkpoint.size:
        raise BadCheckpoint(
            "the ledger is shorter than its witnesses saw it",
            on=f"{checkpoint.size} acts now, {tree.size} seen by {who}",
            hint=_KEEP,
        )
    try:
        merkle.verify_consistency(tree.size, tree.root, checkpoint.size, checkpoint.root, list(path))
    except BadProof as error:
        raise BadCheckpoint(
            "the ledger is not the one that its witnesses saw",
            on=f"{tree.size} acts seen by {who}, {checkpoint.size} now",
            hint=_KEEP,
        ) from error
