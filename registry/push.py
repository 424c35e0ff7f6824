"""Push: six hops from a path to a published version.

1. parse the reference, ask whether this member may push there; 2. scan and inspect the model; 3. create the
model where it is new, then one pass over each file into the store; 4. sign the bundle and the attestations;
5. sign the push act; 6. submit it. The commit of hop 6 is the publication: a crash before it leaves at
most orphan blobs, and a model without versions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry import acts, bundle, refs, scanning, statements
from registry.authority import Permit, Receipt
from registry.canaries import watched
from registry.context import Context
from registry.crypto.keys import SigningKey
from registry.errors import InvalidReference, VersionTaken
from registry.journal import Stored, open_journal
from registry.law import rights
from registry.manifest import Manifest
from registry.refs import Reference
from registry.source import collect, inspect_source
from registry.upload import Upload, Uploaded

Statement = tuple[str, Mapping[str, Any]]  # a predicate type and a predicate
Views = Mapping[str, memoryview]  # a version's files by path
_ROUNDS = 1000  # times a push signs again when others come first; each time somebody else has succeeded


@dataclass(frozen=True)
class Pushed:
    """A published version. ``digest`` is the OMS root digest; ``stored`` and ``reused`` count files.

    ``allowed`` are the scan's findings that were accepted, ``lineage`` is the verdict of a proof about it.
    """

    ref: Reference
    digest: str
    seq: int
    size: int  # bytes of plaintext
    stored: int
    reused: int
    allowed: tuple[str, ...]
    lineage: str | None


@dataclass(frozen=True)
class _Wish:
    """What is to be published, but for its number."""

    ref: Reference
    label: str | None
    aliases: tuple[str, ...]
    metadata: dict[str, str]
    facts: statements.Facts
    statements: Sequence[Statement]
    allowed: tuple[str, ...]


def push(
    context: Context,
    path: Path,
    ref: str,
    *,
    label: str | None = None,
    aliases: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    allow: Collection[str] = (),
    canaries: Path | None = None,
    statements: Sequence[Statement] = (),
    proving: Callable[[Views], Sequence[Statement]] | None = None,
) -> Pushed:
    """Publish the model at ``path`` (an ONNX file or a directory) as the next version of ``ref``.

    ``allow`` names findings of the scan that are accepted; those that occur are recorded in the act.
    ``canaries`` names inputs (``.npz``) of which a few are kept with the model's answers. ``statements`` are
    signed with the version, and so are those that ``proving`` makes of the very files that are published.
    Raises InvalidInput, Hostile, Denied, Conflict or Unavailable; nothing is published then.
    """
    target, names = check_target(ref), tuple(dict.fromkeys(aliases))
    for name in (*names, *([] if label is None else [label])):
        refs.check_tag(name, "label or alias")
    journal = open_journal(context.paths.pushes, target.model, path)
    upload = Upload(context, target.model, journal)
    done = False
    try:
        upload.begin()  # hop 1
        scanning.check_codes(allow)
        source = collect(path)
        report = scanning.scan_source(source)  # hop 2
        if scanning.is_damaged(report):
            inspect_source(source)  # which says what to do about it
        scanning.require(report, allow)
        facts = inspect_source(source)
        source, views = watched(source, canaries)
        said, allowed = (*statements, *(proving(views) if proving else ())), scanning.serious(report)
        wish = _Wish(target, label, names, dict(metadata or {}), facts, said, allowed)
        published = _publish(context, upload, wish, upload.store(source))  # hops 3 to 6
        done = True
        return published
    finally:
        journal.close(done=done)
        if not done:
            upload.give_up()


def check_right(context: Context, model: str) -> None:
    """Raise NotPermitted, or Disabled, where a push to ``model`` would be: before hours of other work."""
    law = context.law()
    name = law.state.signer(context.keyid).name
    rights.require(law.state, name, "push", model, acts.timestamp(context.now()))


def check_target(text: str) -> Reference:
    """The model to publish to. Raises InvalidReference for a version."""
    ref = refs.parse(text)
    if ref.version or ref.tag or ref.digest:
        raise InvalidReference(
            "a push names a model; the registry counts its versions",
            on=text,
            hint=f"push to {ref.model}, with --label or --alias for a name",
        )
    return ref


def _publish(context: Context, upload: Upload, wish: _Wish, uploaded: Uploaded) -> Pushed:
    for _ in range(_ROUNDS):
        given = upload.permit(contents={file.sha256 for file in uploaded.files})
        try:
            return _submit(context, upload, wish, uploaded, given)
        except VersionTaken:
            continue
    raise VersionTaken("other pushes kept coming first", on=wish.ref.model, hint="push again")


def _submit(context: Context, upload: Upload, wish: _Wish, uploaded: Uploaded, given: Permit) -> Pushed:
    upload.follow()
    # Another push may have stored the same content meanwhile: the model keeps one blob of it.
    files = uploaded.files
    brought = upload.brought({file.sha256 for file in files} - given.stored.keys())
    body = _body(context, brought, wish, files, given.number)
    keys = {one.blob.key.sha256: one.key for one in brought}
    receipt: Receipt = context.act(body, push=upload.push, keys=keys)
    upload.discard_unused(brought)
    return Pushed(
        wish.ref.at(given.number),
        body.digest,
        receipt.proof.entry.seq,
        sum(file.size for file in files),
        len(files) - uploaded.reused,
        uploaded.reused,
        wish.allowed,
        next((said["verdict"] for kind, said in wish.statements if kind == acts.LINEAGE), None),
    )


def _body(
    context: Context, brought: tuple[Stored, ...], wish: _Wish, files: tuple[acts.File, ...], number: int
) -> acts.Push:
    signing, model = context.identity.signing, wish.ref.model
    manifest = Manifest.of(model, {file.path: file.sha256 for file in files})
    return acts.Push(
        model=model,
        number=number,
        digest=manifest.digest,
        label=wish.label,
        aliases=wish.aliases,
        metadata=wish.metadata,
        bundle=bundle.sign(manifest, signing),
        files=files,
        blobs=tuple(one.blob for one in brought),
        attestations=tuple(_attestations(wish, manifest.digest, signing)),
        allowed=wish.allowed,
    )


def _attestations(wish: _Wish, digest: str, signing: SigningKey) -> Iterator[bytes]:
    model = wish.ref.model
    yield statements.quantization(model, digest, wish.facts, signing)
    for kind, predicate in wish.statements:
        yield statements.signed(model, digest, kind, predicate, signing)
