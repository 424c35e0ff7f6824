"""Which keys must follow an act of the law: who reads a vault, and what happens to it when that changes.

The rule is one: after an act that touches a vault, exactly its readers hold shares of it. Whoever joins
gets a share; where anybody leaves, the vault begins a new epoch, and so does every vault sealed to it.
Client and door derive the same from the same law, so an act with other keys is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from registry import acts
from registry.acts import Act
from registry.crypto.sealing import SealingPublicKey
from registry.errors import Malformed, NotPermitted
from registry.law.rights import why
from registry.law.state import ROOT, State

Readers = Mapping[str, bool]  # reader to whether its share is limited: sealed to the release key, too


@dataclass(frozen=True)
class Need:
    """The keys that an act must hand over: ``begin`` a new epoch (those above first), ``add`` shares."""

    begin: Mapping[str, Readers]
    add: frozenset[tuple[str, str, bool]]  # vault, reader, limited


def readers(state: State, vault: str, time: str) -> dict[str, bool]:
    """Who holds shares of a vault by right at ``time``, and which of the shares are limited."""
    if vault == ROOT:
        return dict.fromkeys(state.admins(), False)
    if "/" not in vault:
        return {ROOT: False, **dict.fromkeys(state.members_of(vault), False)}
    found = {name: reads(state, vault, name, time) for name in state.grants.get(vault, {})}
    return {_above(vault): False, **{name: how for name, how in found.items() if how is not None}}


def reads(state: State, vault: str, name: str, time: str) -> bool | None:
    """Whether a member's or a team's share of a vault is to be limited; None where they get none."""
    if name not in state.teams and not state.active(name):
        return None
    if vault == ROOT:
        return False if state.members[name].role == "admin" else None
    if "/" not in vault:
        return False if name in state.members_of(vault) else None
    terms = [term for action in ("pull", "grant") if (term := state.term(vault, name, action))]
    lasting = [term for term in terms if term.lasts(time)]
    return all(term.until is not None for term in lasting) if lasting else None


def _above(vault: str) -> str:
    return ROOT if vault.endswith("/") else f"{vault.partition('/')[0]}/"


def need(state: State, act: Act, actor: str) -> Need:
    """What must follow ``act``, whose effect has been applied tentatively."""
    time = act.header.time
    begin, fresh = _forced(state, act.body, actor)
    own = isinstance(act.body, acts.Replace) and actor == act.body.name
    add: set[tuple[str, str, bool]] = set()
    for vault in _touched(state, act.body):
        if vault not in state.vaults:
            begin |= {vault} | _missing_above(state, vault)
            continue
        held = state.vaults[vault]
        # Nobody else's right has changed but by time, and time ends limited ones only.
        for name in _affected(act.body) | held.limited:
            limited = reads(state, vault, name, time)
            if limited is None and name in held.shares:
                if not own:  # a share that has ended is for whoever may grant to clear away
                    begin.add(vault)
            elif limited is not None and (
                name not in held.shares or held.shares[name].limited != limited or name in fresh
            ):
                add.add((vault, name, limited))
    begin = _closed(state, begin)
    return Need(
        {vault: readers(state, vault, time) for vault in sorted(begin, key=_depth)},
        frozenset(one for one in add if one[0] not in begin),
    )


def check_maker(state: State, needed: Need, actor: str, time: str) -> None:
    """Raise NotPermitted where ``actor`` would make new keys that they may not have themselves.

    Whoever begins an epoch knows its key. So nobody can end their own access: they would keep the key.
    """
    for vault in needed.begin.keys() & state.vaults.keys():
        if "/" not in vault or vault == ROOT:
            known = state.active(actor) and state.members[actor].role == "admin"
        else:
            known = bool(why(state, actor, "pull", vault, time))
        if not known:
            raise NotPermitted(
                f"{actor} would make new keys for what they may not open afterwards",
                on=vault,
                hint="ask another admin, or another who may grant there, to do it",
            )


def _affected(body: acts.Body) -> set[str]:
    """Whose rights the act changes."""
    match body:
        case acts.Grant() | acts.Revoke():
            return {body.grantee}
        case acts.Enroll() | acts.Disable() | acts.Replace() | acts.TeamAdd() | acts.TeamRemove():
            return {body.name}
    return set()


def _forced(state: State, body: acts.Body, actor: str) -> tuple[set[str], set[str]]:
    """The vaults that begin anew in any case, and the readers whose shares are made again."""
    match body:
        case acts.Rotate():
            return {body.vault}, set()
        case acts.Grant() if {"pull", "grant"} & set(body.actions):
            return set(), {body.grantee}  # a share that had ended may be sealed to keys replaced since
        case acts.Replace() if actor == body.name:
            return set(), {body.name}  # an old key, replaced by its owner
        case acts.Replace():
            return set(state.sealed_to.get(body.name, ())), set()  # a lost one: somebody may have it
    return set(), set()


def _touched(state: State, body: acts.Body) -> set[str]:
    match body:
        case acts.Genesis():
            return {ROOT}
        case acts.Enroll():
            return {ROOT} if body.role == "admin" else set()
        case acts.Disable() | acts.Replace():
            return set(state.sealed_to.get(body.name, ()))
        case acts.Team() | acts.TeamAdd() | acts.TeamRemove():
            return {body.team}
        case acts.Grant() | acts.Revoke():
            return {body.target}
        case acts.Create():
            return {body.model}
    return set()


def _missing_above(state: State, vault: str) -> set[str]:
    namespace = f"{vault.partition('/')[0]}/"
    return {namespace} - state.vaults.keys() if "/" in vault and not vault.endswith("/") else set()


def _closed(state: State, begin: set[str]) -> set[str]:
    """With every vault that is sealed to one of these: whoever left could open it, too."""
    found, waiting = set(begin), list(begin)
    while waiting:
        below = state.sealed_to.get(waiting.pop(), set()) - found
        found |= below
        waiting += below
    return found


def _depth(vault: str) -> tuple[int, str]:
    """Those above before those sealed to them: root, teams, namespaces, models."""
    depth = 0 if vault == ROOT else 1 if "/" not in vault else 2 if vault.endswith("/") else 3
    return depth, vault


def check(state: State, needed: Need, custody: acts.Custody) -> None:
    """Raise Malformed unless ``custody`` is what is needed, no more and no less."""
    made = {vault.name: vault for vault in custody.vaults}
    if len(made) != len(custody.vaults) or made.keys() != needed.begin.keys():
        _refuse("begins other vaults than it must", made.keys() ^ needed.begin.keys())
    for name, vault in made.items():
        _begun(state, vault, needed.begin[name])
    handed = [(one.vault, one.share.recipient, one.share.limited) for one in custody.shares]
    if len(set(handed)) != len(handed) or set(handed) != needed.add:
        _refuse("hands a key to others than it must", {f"{v} to {r}" for v, r, _ in set(handed) ^ needed.add})
    for one in custody.shares:
        if one.epoch != state.vaults[one.vault].epoch:
            _refuse("hands over the key of another epoch", {one.vault})
    rotated = {name for name in made if name in state.vaults}
    if others := {kept.model for kept in custody.blobs} - rotated:
        _refuse("seals blobs of a model anew whose vault stays", others)
    named = [(kept.model, kept.blob.content) for kept in custody.blobs]
    if len(set(named)) != len(named):
        _refuse("seals a blob anew twice", {model for model, _ in named})


def _begun(state: State, vault: acts.Vault, by_right: Readers) -> None:
    SealingPublicKey.from_bytes(vault.suite, vault.public)
    old = state.vaults.get(vault.name)
    if vault.epoch != (old.epoch + 1 if old else 1):
        _refuse("begins an epoch out of turn", {vault.name})
    if old and old.public == vault.public:
        _refuse("begins an epoch of a vault that keeps its key", {vault.name})
    given = {share.recipient: share.limited for share in vault.shares}
    if len(given) != len(vault.shares) or given != dict(by_right):
        _refuse(f"seals {vault.name} to others than its readers", given.items() ^ by_right.items())


def _refuse(what: str, which: object) -> None:
    shown = ", ".join(sorted(str(one) for one in which)[:3]) if isinstance(which, set) else str(which)
    raise Malformed(f"the act {what}", on=shown)
