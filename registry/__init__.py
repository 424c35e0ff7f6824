"""Hallmark: a model registry with a signed artifact store.

::

    import registry

    with registry.connect() as hallmark:
        hallmark.push("model.onnx", "vision/resnet50")
        model = hallmark.checkout("vision/resnet50:prod")
        outputs = model.session().run(None, {"input": batch})

``checkout`` verifies a version and returns a ``VerifiedModel``, the only type that can become a
session; its plaintext is in memory and nowhere else. Errors are ``registry.errors.RegistryError``
and its subclasses, each with a stable ``code``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from registry.workbench import Workbench

if TYPE_CHECKING:
    from registry.checkout import VerifiedModel
    from registry.members import Changed
    from registry.progress import Progress
    from registry.pull import Pulled
    from registry.push import Pushed
    from registry.ritual import Outcome

__all__ = ["Registry", "connect"]

# ONNX Runtime reports graph names and weight hashes to its maker unless this is set before its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class Registry(Workbench):
    """An open registry. Use it in a ``with`` block, or ``close`` it."""

    @property
    def registry_id(self) -> str:
        """The SHA-256 of the genesis act, hexadecimal: the one thing a client pins."""
        return self._context.config.registry_id

    def push(
        self,
        path: str | os.PathLike[str],
        ref: str,
        *,
        label: str | None = None,
        aliases: Iterable[str] = (),
        metadata: Mapping[str, str] | None = None,
        allow: Collection[str] = (),
        parent: str | os.PathLike[str] | None = None,
        calibration: str | os.PathLike[str] | None = None,
        canaries: str | os.PathLike[str] | None = None,
    ) -> Pushed:
        """Publish an ONNX file (with its external data) or a directory as the next version of ``ref``.

        ``ref`` is ``NAMESPACE/MODEL``; the first push creates the model. ``label`` is an immutable name
        of the version, ``aliases`` move to it. A file that the model has already is not stored again.
        The version carries an OpenSSF Model Signing v1.0 bundle and the quantization facts as an
        in-toto attestation, both signed by this identity.

        ``allow`` names findings of the scan that are accepted, on record. ``parent`` (a path or a reference)
        is the float model that it was made from, with the ``calibration`` data of a static quantization:
        what can be proven of that is signed, too. ``canaries`` names inputs (``.npz``) of which a few are
        kept with the model's answers.

        Raises InvalidInput (not an ONNX file, links, unsafe paths), Hostile, Denied, Conflict (the label is
        taken, a file changed meanwhile) or Unavailable; nothing is published then.
        """
        from registry.lineage import against
        from registry.push import push

        data = None if calibration is None else Path(calibration)
        return push(
            self._context,
            Path(path),
            ref,
            label=label,
            aliases=aliases,
            metadata=metadata,
            allow=allow,
            canaries=None if canaries is None else Path(canaries),
            proving=None if parent is None else against(self._context, str(parent), data),
        )

    def checkout(self, ref: str, *, purpose: str = "checkout", canary: bool = False) -> VerifiedModel:
        """Verify a version and decrypt it into memory; no plaintext touches a disk.

        Returns a ``VerifiedModel``: ``files`` (path to read-only bytes), ``manifest``, ``facts`` (path of
        each ONNX file to its quantization facts) and ``session()``. The pull is recorded in the ledger
        with ``purpose``. ``canary`` also asks whether the model still answers as its publisher recorded.

        Raises NotFound, Denied (no right, or yanked), Untrusted (``error.step`` says which step of the
        ritual failed) or Unavailable.
        """
        from registry.checkout import checkout

        return checkout(self._context, ref, purpose=purpose, canary=canary)

    def pull(
        self, ref: str, directory: str | os.PathLike[str], *, force: bool = False, purpose: str = "pull"
    ) -> Pulled:
        """Verify a version and write its plaintext to ``directory``, all files or none, with ``model.sig``.

        ``model.sig`` is an OMS v1.0 bundle (Sigstore bundle v0.3) that any OMS verifier accepts.
        ``force`` writes into a directory that has content; ``purpose`` is recorded in the ledger. Raises
        what ``checkout`` raises, and AlreadyExists.
        """
        from registry.pull import pull

        return pull(self._context, ref, Path(directory), force=force, purpose=purpose)

    def verify(self, ref: str) -> tuple[Outcome, ...]:
        """Walk the twelve steps of the ritual; return what became of each that was reached.

        The last outcome has ``ok`` False where a step failed. Raises NotFound or Unavailable where the
        walk could not be made.
        """
        from registry.checkout import verify

        return verify(self._context, ref)

    def grant(
        self, grantee: str, actions: Iterable[str], target: str, *, until: datetime | None = None
    ) -> Changed:
        """Allow a member or a team ``pull``, ``push``, ``promote`` or ``grant`` on ``NS/`` or ``NS/MODEL``.

        ``until`` (with a time zone) ends it; by default it lasts. Raises Denied, NotFound, Conflict or
        InvalidInput.
        """
        from registry.access import grant
        from registry.acts import timestamp

        return grant(self._context, grantee, actions, target, timestamp(until) if until else None)

    def revoke(
        self, grantee: str, actions: Iterable[str], target: str, *, reencrypt: bool = False
    ) -> Changed:
        """Take a grant back; the keys of what the grantee could open are replaced.

        ``reencrypt`` encrypts the files again, too. Raises Denied, NotFound or InvalidInput.
        """
        from registry.access import revoke

        return revoke(self._context, grantee, actions, target, reencrypt=reencrypt)

    def attest(self, ref: str, predicate_type: str, predicate: Mapping[str, object]) -> int:
        """Sign an in-toto statement about a version, and return its ledger entry; policies count them.

        Raises InvalidInput, Denied or NotFound.
        """
        from registry.attesting import attest_value

        return attest_value(self._context, ref, predicate_type, dict(predicate))[1]

    def close(self) -> None:
        """Let go of the database."""
        self._context.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    home: str | os.PathLike[str] | None = None,
    *,
    identity: str | os.PathLike[str] | None = None,
    passphrase: bytes | None = None,
    ledger_passphrase: bytes | None = None,
    progress: Progress | None = None,
) -> Registry:
    """Open the registry in ``home`` (default: ``REGISTRY_HOME``, else the user's data directory).

    ``identity`` names the identity file to act with (default: ``REGISTRY_IDENTITY``, else the home's
    own); ``passphrase`` opens it (default: ``REGISTRY_PASSPHRASE``). ``ledger_passphrase`` opens the
    home's ledger key where that is another (default: ``REGISTRY_LEDGER_PASSPHRASE``). ``progress`` is told
    how far a deed is; see ``registry.progress``. Raises HomeNotFound or InvalidInput.
    """
    from registry.context import Context
    from registry.home import default_home
    from registry.progress import SILENT

    file = identity or os.environ.get("REGISTRY_IDENTITY")
    return Registry(
        Context(
            Path(home) if home is not None else default_home(),
            identity_file=Path(file) if file else None,
            passphrase=_secret(passphrase, "REGISTRY_PASSPHRASE"),
            ledger_passphrase=_secret(ledger_passphrase, "REGISTRY_LEDGER_PASSPHRASE"),
            progress=progress or SILENT,
        )
    )


def _secret(given: bytes | None, variable: str) -> bytes | None:
    return given if given is not None else os.environ.get(variable, "").encode() or None
