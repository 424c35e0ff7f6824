"""Checkout: the ritual walked to its end, and the one type that comes out of it."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from registry import scanning, statements
from registry.acts import QUANTIZATION
from registry.context import Context
from registry.errors import (
    BadAttestation,
    BadCanary,
    BadContent,
    BadDigest,
    BadSession,
    BlobMissing,
    Hostile,
    InvalidModel,
    NotFound,
    Outdated,
    RegistryError,
    UnsafePath,
)
from registry.failing import told
from registry.judge import Judged
from registry.manifest import Manifest
from registry.memory import allocate
from registry.onnx import canary as canaries
from registry.onnx import external
from registry.onnx.chosen import main_model
from registry.onnx.facts import QuantizationFacts, inspect
from registry.onnx.graph import read_model
from registry.onnx.session import ModelSession, build_session
from registry.records import queries
from registry.records.database import reading
from registry.refs import Reference
from registry.release import Released, release
from registry.ritual import Observer, Outcome, Ritual
from registry.transfer import unseal

Place = Callable[[str, int], AbstractContextManager[memoryview | int]]  # (path, bytes) to where it goes
_PASSED = object()  # held by this module alone: only the ritual makes a VerifiedModel


@dataclass(frozen=True, eq=False, init=False)
class VerifiedModel:
    """A version that passed steps 1 to 11, its plaintext in memory.

    ``files`` maps each path to a read-only view of its bytes; ``facts`` maps each ONNX file to its
    quantization facts, derived from those bytes. ``checkout`` alone makes one.
    """

    ref: Reference
    digest: str  # hexadecimal, the OMS root digest
    publisher: str
    time: str  # of the push, RFC 3339
    metadata: Mapping[str, str]
    manifest: Manifest
    files: Mapping[str, memoryview]
    facts: Mapping[str, QuantizationFacts]
    pull: int  # the ledger entry of this checkout
    _told: Callable[[], AbstractContextManager[None]] = field(repr=False)  # puts on record what fails

    def __init__(
        self,
        passed: object,
        context: Context,
        released: Released,
        files: Mapping[str, memoryview],
        facts: statements.Facts,
    ):
        if passed is not _PASSED:
            raise TypeError("a VerifiedModel comes from checkout() only")
        judged = released.judged
        put = object.__setattr__
        put(self, "ref", judged.ref)
        put(self, "digest", judged.body.digest)
        put(self, "publisher", judged.publisher)
        put(self, "time", judged.time)
        put(self, "metadata", MappingProxyType(dict(judged.body.metadata)))
        put(self, "manifest", judged.manifest)
        put(self, "files", MappingProxyType({path: view.toreadonly() for path, view in files.items()}))
        put(self, "facts", MappingProxyType(dict(facts)))
        put(self, "pull", released.pull)
        put(self, "_told", partial(told, context, released))

    def session(
        self,
        path: str | None = None,
        *,
        providers: Sequence[str] | None = None,
        threads: int = 0,
        prepack: bool = True,
    ) -> ModelSession:
        """An ONNX Runtime session built from the verified bytes in memory (step 12 of the ritual).

        ``path`` names the ONNX file where the version has several and none is ``model.onnx``.
        Raises InvalidInput for an unclear choice, BadSession where ONNX Runtime refuses the model.
        """
        with self._told():
            try:
                return build_session(
                    self.files,
                    main_model(self.facts, path),
                    providers=providers,
                    threads=threads,
                    prepack=prepack,
                )
            except (InvalidModel, UnsafePath) as error:
                raise BadSession(error.message, on=error.on) from error


def checkout(
    context: Context,
    ref: str,
    *,
    purpose: str = "checkout",
    canary: bool = False,
    observer: Observer | None = None,
) -> VerifiedModel:
    """Verify a version and decrypt it into memory: steps 1 to 11. No plaintext touches a disk.

    ``purpose`` is a name recorded in the pull act. ``canary`` asks the model, besides, whether it still
    answers as its publisher recorded. Raises InvalidReference, NotFound, Denied,
    Untrusted (with the step that failed), Outdated (encrypted again meanwhile) or Unavailable.
    """
    ritual = Ritual(observer)
    verified = _checkout(context, ref, purpose, ritual)
    if canary:
        with verified._told(), ritual.blame(12):
            _replay(verified)
    return verified


def verify(context: Context, ref: str, *, observer: Observer | None = None) -> tuple[Outcome, ...]:
    """Walk all twelve steps and return their outcomes; the last one is not ok where a step failed.

    Raises InvalidReference, NotFound or Unavailable: where the walk could not be made at all.
    """
    ritual = Ritual(observer)
    try:
        model = _checkout(context, ref, "verify", ritual)
        with ritual.step(12) as said:
            for path in model.facts:
                model.session(path).close()
                said.append(path)
            if canaries.PATH in model.files:
                with model._told():
                    _replay(model)
                said.append("canaries answer as recorded")
    except RegistryError as error:
        if error.step is None:
            raise
    return tuple(ritual.outcomes)


def _replay(model: VerifiedModel) -> None:
    """Raise BadCanary unless the version has canaries and answers them as it did."""
    if canaries.PATH not in model.files:
        raise BadCanary(
            "the version has no canaries", on=str(model.ref), hint="push it with --canaries, or do not ask"
        )
    canaries.replay(model.files, model.files[canaries.PATH])


def _checkout(context: Context, ref: str, purpose: str, ritual: Ritual) -> VerifiedModel:
    released, files = unpack(context, ref, purpose, ritual)
    with told(context, released):
        facts = check_content(released.judged, files, ritual)
    return VerifiedModel(_PASSED, context, released, files, facts)


def unpack(
    context: Context, ref: str, purpose: str, ritual: Ritual
) -> tuple[Released, Mapping[str, memoryview]]:
    """Steps 1 to 10: the signed bytes of a version, which nobody has looked into. For a scan alone."""
    released = release(context, ref, purpose, ritual)
    files: dict[str, memoryview] = {}

    @contextmanager
    def place(path: str, size: int) -> Iterator[memoryview]:
        files[path] = allocate(size)
        yield files[path]

    with told(context, released):
        open_files(context, released, place, ritual)
    return released, files


def open_files(context: Context, released: Released, place: Place, ritual: Ritual) -> None:
    """Steps 9 and 10: decrypt every file to where ``place`` (path, size) says, and compare digests."""
    judged, found = released.judged, {}
    context.progress.begin(f"opening {judged.ref}", sum(file.size for file in judged.body.files))
    with ritual.step(9) as said:
        for file in judged.body.files:
            blob = judged.blobs[file.sha256].id
            key = released.keys[blob]
            with (
                _there(context, blob),
                closing(context.store.open(blob)) as reader,
                place(file.path, file.size) as out,
            ):
                found[file.path] = unseal(reader, key, file.size, out, context.progress)
        said.append(f"{len(found)} file(s), {sum(file.size for file in judged.body.files)} bytes")
    context.progress.end()
    with ritual.step(10) as said:
        judged.manifest.compare(found)
        for signed in judged.manifest.files:
            if not hmac.compare_digest(signed.sha256, found[signed.path]):
                raise BadDigest("a file is not the signed one", on=signed.path)
        said.append(f"{len(found)} SHA-256 digest(s) are the manifest's")


@contextmanager
def _there(context: Context, blob: str) -> Iterator[None]:
    """Tell a blob that a rotation has encrypted again meanwhile from one that is lost. Raises Outdated."""
    try:
        yield
    except BlobMissing as error:
        with reading(context.engine) as connection:
            recorded = {name for name, _, _ in queries.blob_ids(connection)}
        if blob in recorded:
            raise
        raise Outdated(
            "the version was encrypted again meanwhile", on=blob, hint="run the same command again"
        ) from error


def check_content(judged: Judged, files: Mapping[str, memoryview], ritual: Ritual) -> statements.Facts:
    """Step 11: the scan finds nothing that the push does not allow, and the graphs say what is attested."""
    with ritual.step(11) as said:
        try:
            report = scanning.scan_files(files)
            scanning.require(report, judged.body.allowed)
            sizes = {file.path: file.size for file in judged.body.files}
            facts = [(path, _facts(files, sizes, path)) for path in sorted(sizes) if path.endswith(".onnx")]
        except (Hostile, InvalidModel, UnsafePath, NotFound) as error:
            raise BadContent(error.message, on=error.on, hint=error.hint) from error
        attested = next(head for head in judged.attestations if head.type == QUANTIZATION)
        if attested.statement.get("predicate") != statements.predicate(facts):
            raise BadAttestation(
                "the graph is not what its quantization attestation says", on=str(judged.ref)
            )
        said.append("; ".join(f"{path}: {found.mode} {found.format}" for path, found in facts))
        said.append(_allowed(scanning.serious(report)))
    return facts


def _allowed(codes: Sequence[str]) -> str:
    return f"the push allows {', '.join(codes)}" if codes else "nothing hostile found"


def _facts(files: Mapping[str, memoryview], sizes: Mapping[str, int], path: str) -> QuantizationFacts:
    model = read_model(files[path], name=path)
    external.check_external(model, path, sizes)
    needed = {path, *external.external_files(model, path)}
    return inspect({name: files[name] for name in needed}, path)
