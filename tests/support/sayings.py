"""Every act that can be said: Hypothesis strategies, one for each kind of body, and one for headers."""

from __future__ import annotations

from datetime import UTC

from hypothesis import strategies as st

from registry import acts

_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
_name = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z")
_hex = st.binary(min_size=32, max_size=32).map(bytes.hex)
_number = st.integers(1, 999_999_999)
_size = st.integers(0, 2**53 - 1)
_sealed = st.builds(acts.Sealed, suite=_name, sha256=_hex)
_model = st.builds("{}/{}".format, _name, _name)
_target = _model | _name.map("{}/".format)
_vault_name = st.just("/") | _name | _target
_share = st.builds(acts.Share, recipient=_vault_name, sealed=_sealed, limited=st.booleans())
_vault = st.builds(
    acts.Vault,
    name=_vault_name,
    epoch=_number,
    suite=_name,
    public=st.binary(max_size=64),
    shares=st.lists(_share, min_size=1, max_size=3).map(tuple),
)
_blob = st.builds(
    acts.Blob,
    id=st.from_regex(r"\A[a-z0-9-]{1,100}\Z"),
    format=st.just(acts.BLOB_FORMAT),
    size=_size,
    sha256=_hex,
    content=_hex,
    epoch=_number,
    key=_sealed,
)
_file = st.builds(acts.File, path=_text.filter(bool), size=_size, sha256=_hex)
_custody = st.builds(
    acts.Custody,
    vaults=st.lists(_vault, max_size=2).map(tuple),
    shares=st.lists(st.builds(acts.Handed, vault=_vault_name, epoch=_number, share=_share), max_size=2).map(
        tuple
    ),
    blobs=st.lists(st.builds(acts.Kept, model=_model, blob=_blob), max_size=2).map(tuple),
)
_envelope = st.binary(min_size=1, max_size=64)
_actions = st.lists(st.sampled_from(acts.ACTIONS), min_size=1, max_size=4).map(tuple)
_times = st.datetimes(timezones=st.just(UTC)).map(acts.timestamp)
_label = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=40)
_of_version = {"model": _model, "number": _number, "digest": _hex}
bodies: dict[str, st.SearchStrategy[acts.Body]] = {
    "genesis": st.builds(
        acts.Genesis,
        name=_name,
        admin=_envelope,
        ledger=st.binary(min_size=32, max_size=32),
        release=st.builds(acts.Release, suite=_name, public=st.binary(max_size=64)),
        custody=_custody,
    ),
    "enroll": st.builds(
        acts.Enroll, name=_name, identity=_envelope, role=st.sampled_from(acts.ROLES), custody=_custody
    ),
    "disable": st.builds(acts.Disable, name=_name, reason=_text, custody=_custody),
    "replace": st.builds(acts.Replace, name=_name, identity=_envelope, custody=_custody),
    "team": st.builds(acts.Team, team=_name, custody=_custody),
    "team-add": st.builds(acts.TeamAdd, team=_name, name=_name, custody=_custody),
    "team-remove": st.builds(acts.TeamRemove, team=_name, name=_name, custody=_custody),
    "grant": st.builds(
        acts.Grant,
        grantee=_name,
        actions=_actions,
        target=_target,
        until=st.none() | _times,
        custody=_custody,
    ),
    "revoke": st.builds(acts.Revoke, grantee=_name, actions=_actions, target=_target, custody=_custody),
    "create": st.builds(acts.Create, model=_model, custody=_custody),
    "rotate": st.builds(acts.Rotate, vault=_vault_name, custody=_custody),
    "policy": st.builds(acts.Policy, text=_text),
    "push": st.builds(
        acts.Push,
        **_of_version,
        label=st.none() | _name,
        aliases=st.lists(_name, max_size=3).map(tuple),
        metadata=st.dictionaries(_text.filter(bool), _text, max_size=3),
        bundle=st.binary(max_size=64),
        files=st.lists(_file, min_size=1, max_size=3).map(tuple),
        blobs=st.lists(_blob, max_size=3).map(tuple),
        attestations=st.lists(st.binary(max_size=64), max_size=3).map(tuple),
        allowed=st.lists(st.from_regex(r"\A[a-z0-9]{1,9}(-[a-z0-9]{1,9})?\Z"), max_size=3).map(tuple),
    ),
    "alias": st.builds(acts.Alias, **_of_version, name=_name),
    "yank": st.builds(acts.Yank, **_of_version, reason=_text.filter(bool)),
    "pull": st.builds(acts.Pull, **_of_version, purpose=_name),
    "failure": st.builds(
        acts.Failure,
        **_of_version,
        purpose=_name,
        step=st.integers(9, 12),
        code=st.from_regex(r"\A[a-z0-9]{1,9}(-[a-z]+)?\Z"),
    ),
    "attest": st.builds(acts.Attest, **_of_version, statement=_envelope),
    "refusal": st.builds(
        acts.Refusal,
        member=st.text(st.characters(codec="utf-8"), max_size=40),
        count=_number,
        since=_times,
        code=_label,
        message=_text,
        attempt=_label,
        target=_text,
        act=st.none() | _hex,
    ),
}
headers = st.builds(
    acts.Header,
    registry=st.just("") | _hex,
    actor=_hex,
    time=_times,
    nonce=st.binary(min_size=16, max_size=16).map(bytes.hex),
    law=st.just("") | _hex,
    client=st.builds(acts.Client, program=_label, host=_label),
)
