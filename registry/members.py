"""Members and teams: enrolling, ending access, changing keys."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from registry import acts, disk, identities
from registry.context import IDENTITY_LIMIT, Context
from registry.crypto import dsse, possession
from registry.crypto.identity import Identity, PublicIdentity
from registry.enacting import enact
from registry.errors import AlreadyExists, InvalidInput, MemberNotFound, RegistryError
from registry.law.law import Law

Record = dict[str, Any]


@dataclass(frozen=True)
class Changed:
    """A member, team, grant or vault after an act of the law: the act's ledger entry, what begins anew."""

    name: str
    seq: int
    rotated: tuple[str, ...] = ()  # vaults with a new epoch
    resealed: int = 0  # blob keys
    unreadable: tuple[str, ...] = ()  # blobs that nobody could read before, either


def changed(context: Context, name: str, body: acts.LawBody, *, reencrypt: bool = False) -> Changed:
    """Enact, and tell what has changed."""
    done = enact(context, body, reencrypt=reencrypt)
    entry = done.receipt.proof.entry
    act = acts.decode(dsse.Envelope.from_bytes(entry.envelope).payload)
    assert isinstance(act.body, acts.LawBody)
    custody = act.body.custody
    rotated = tuple(vault.name for vault in custody.vaults if vault.epoch > 1)
    return Changed(name, entry.seq, rotated, len(custody.blobs), done.unreadable)


def add(context: Context, file: Path, role: str = "member") -> tuple[Changed, PublicIdentity]:
    """Enroll whoever made the public identity file. Raises Denied, Conflict or InvalidIdentity.

    The name and the keys are what the file says: compare the fingerprint with its owner.
    """
    envelope = identities.read_public(file)
    public = possession.verify(envelope)
    body = acts.Enroll(name=public.name, identity=envelope, role=_role(role))
    return changed(context, public.name, body), public


def _role(name: str) -> acts.Role:
    for role in get_args(acts.Role):
        if role == name:
            return role  # type: ignore[no-any-return]
    raise InvalidInput("there is no such role", on=name, hint=f"one of {', '.join(acts.ROLES)}")


def disable(context: Context, name: str, reason: str = "", *, reencrypt: bool = False) -> Changed:
    """End a member's access everywhere. What they signed before stays valid."""
    return changed(context, name, acts.Disable(name=name, reason=reason), reencrypt=reencrypt)


def replace_own(context: Context, file: Path, passphrase: bytes | None) -> tuple[Changed, identities.Created]:
    """Give oneself new keys, written to ``file``; every share of one's own is sealed to them.

    The new files are written first, and removed again if the act did not get in.
    """
    made = identities.create(context.identity.name, file, passphrase)
    try:
        fresh = Identity.from_pem(disk.read(file, IDENTITY_LIMIT), passphrase)
        body = acts.Replace(name=fresh.name, identity=possession.prove(fresh))
        return changed(context, fresh.name, body), made
    except BaseException:
        if _never_counted(context, made.keyid):
            made.private.unlink(missing_ok=True)
            made.public.unlink(missing_ok=True)
        raise


def _never_counted(context: Context, keyid: str) -> bool:
    """Whether a key is surely not in the law: an act may be admitted and its receipt be lost, and then the
    new file is the only key that its owner has."""
    try:
        return keyid not in context.law().state.keyids
    except RegistryError:
        return False


def replace_in_place(context: Context) -> tuple[Changed, identities.Created]:
    """Give oneself new keys in the place of the identity file in use, under the same passphrase.

    The new file lies beside the old one (``alice.new.pem``) until its key counts; one rename puts it in
    place. A rotation that was interrupted in between is finished by the next. Raises AlreadyExists where
    another runs, or where one was interrupted before its key counted.
    """
    own = (context.identity_file or context.paths.identity).resolve()
    draft = own.with_name(f"{own.stem}.new.pem")
    left = _interrupted(context, own, draft)
    done, made = left or replace_own(context, draft, context.passphrase)
    try:
        _put_in_place(draft, own)
    except RegistryError as error:
        error.hint = f"the new key counts already, and is in {draft}: rename it to {own.name}"
        raise
    return done, replace(made, private=own, public=identities.public_of(own))


def _interrupted(context: Context, own: Path, draft: Path) -> tuple[Changed, identities.Created] | None:
    """What a rotation left that was interrupted between act and rename; None where nothing is left."""
    public = identities.public_of(draft)
    identities.public_of(own)
    if not draft.exists():
        return None
    fresh = Identity.from_pem(disk.read(draft, IDENTITY_LIMIT), context.passphrase)
    law, keyid = context.law(), fresh.signing.verifying.keyid
    member = law.state.members.get(fresh.name)
    identity = member.identity() if member else None
    if member is None or identity is None or identity.signing.keyid != keyid:
        raise AlreadyExists(
            "a rotation is running, or was interrupted before its key counted",
            on=str(draft),
            hint=f"if none is running, remove it, and {public.name}",
        )
    done = Changed(fresh.name, law.entry(member.keys.since()))
    return done, identities.Created(fresh.name, keyid, fresh.public.fingerprint, draft, public)


def _put_in_place(draft: Path, own: Path) -> None:
    """The private file last: until then the next rotation finds it, and finishes."""
    with disk.translated(own):
        with suppress(FileNotFoundError):
            identities.public_of(draft).replace(identities.public_of(own))
        draft.replace(own)
        disk.sync_directory(own.parent)


def replace_lost(
    context: Context, name: str, file: Path, *, reencrypt: bool = False
) -> tuple[Changed, PublicIdentity]:
    """Give a member who lost a key the keys of a new public identity file, by an admin.

    Whoever has the lost key must open nothing any more: every vault that it could open begins anew.
    """
    envelope = identities.read_public(file)
    public = possession.verify(envelope)
    if public.name != name:
        raise InvalidInput(
            "the identity is of another name",
            on=f"{name}: {public.name}",
            hint=f"create it with --name {name}",
        )
    return changed(context, name, acts.Replace(name=name, identity=envelope), reencrypt=reencrypt), public


def create_team(context: Context, team: str) -> Changed:
    """Make an empty team."""
    return changed(context, team, acts.Team(team=team))


def join_team(context: Context, team: str, name: str) -> Changed:
    """Take a member into a team: they can open what it can."""
    return changed(context, team, acts.TeamAdd(team=team, name=name))


def leave_team(context: Context, team: str, name: str, *, reencrypt: bool = False) -> Changed:
    """Take a member out of a team; whatever it could open gets new keys."""
    return changed(context, team, acts.TeamRemove(team=team, name=name), reencrypt=reencrypt)


def list_members(context: Context) -> list[Record]:
    """Every member ever enrolled, by name."""
    law = context.law()
    return [member(law, name) for name in sorted(law.state.members)]


def show(context: Context, name: str) -> Record:
    """One member, with their keys, past ones too. Raises MemberNotFound."""
    law = context.law()
    found = law.state.member(name)
    keys = []
    for position, identity in found.keys.changes():
        if identity is not None:
            keys.append(
                {
                    "keyid": identity.signing.keyid,
                    "fingerprint": identity.fingerprint,
                    "suite": identity.sealing.suite,
                    "since": law.entry(position),
                }
            )
    return {**member(law, name), "keys": keys}


def member(law: Law, name: str) -> Record:
    """What the law says of a member."""
    found = law.state.member(name)
    identity = found.identity()
    since, ended = law.entry(found.keys.first()), None
    if identity is None:
        ended = law.entry(found.keys.since())
    return {
        "name": name,
        "role": found.role,
        "state": "active" if identity else "disabled",
        "teams": law.state.teams_of(name) if identity else [],
        "keyid": identity.signing.keyid if identity else None,
        "enrolled": since,
        "disabled": ended,
    }


def list_teams(context: Context) -> list[Record]:
    """Every team with its active members."""
    state = context.law().state
    return [{"team": team, "members": state.members_of(team)} for team in sorted(state.teams)]


def require_known(law: Law, name: str) -> None:
    """Raise MemberNotFound unless a member or a team has this name."""
    if name not in law.state.members and name not in law.state.teams:
        raise MemberNotFound(
            "there is no such member or team",
            on=name,
            hint="'registry member list' and 'registry team list' name them",
        )
