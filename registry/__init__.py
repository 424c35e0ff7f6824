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
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.checkout import VerifiedModel
    from registry.context import Context
    from registry.progress import Progress
    from registry.pull import Pulled
    from registry.push import Pushed
    from registry.ritual import Outcome

__all__ = ["Registry", "connect"]

# ONNX Runtime reports graph names and weight hashes to its maker unless this is set before its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class Registry:
    """An open registry. Use it in a ``with`` block, or ``close`` it."""

    def __init__(self, context: Context) -> None:
        self._context = context

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
    ) -> Pushed:
        """Publish an ONNX file (with its external data) or a directory as the next version of ``ref``.

        ``ref`` is ``NAMESPACE/MODEL``; the first push creates the model. ``label`` is an immutable name
        of the version, ``aliases`` move to it. A file that the model has already is not stored again.
        The version carries an OpenSSF Model Signing v1.0 bundle and the quantization facts as an
        in-toto attestation, both signed by this identity.

        Raises InvalidInput (not an ONNX file, links, unsafe paths), Denied, Conflict (the label is
        taken, a file changed meanwhile) or Unavailable; nothing is published then.
        """
        from registry.push import push

        return push(self._context, Path(path), ref, label=label, aliases=aliases, metadata=metadata)

    def checkout(self, ref: str, *, purpose: str = "checkout") -> VerifiedModel:
        """Verify a version and decrypt it into memory; no plaintext touches a disk.

        Returns a ``VerifiedModel``: ``files`` (path to read-only bytes), ``manifest``, ``facts`` (path of
        each ONNX file to its quantization facts) and ``session()``. The pull is recorded in the ledger
        with ``purpose``.

        Raises NotFound, Denied (no right, or yanked), Untrusted (``error.step`` says which step of the
        ritual failed) or Unavailable.
        """
        from registry.checkout import checkout

        return checkout(self._context, ref, purpose=purpose)

    def pull(self, ref: str, directory: str | os.PathLike[str], *, force: bool = False) -> Pulled:
        """Verify a version and write its plaintext to ``directory``, all files or none, with ``model.sig``.

        ``model.sig`` is an OMS v1.0 bundle (Sigstore bundle v0.3) that any OMS verifier accepts.
        ``force`` writes into a directory that has content. Raises what ``checkout`` raises, and
        AlreadyExists.
        """
        from registry.pull import pull

        return pull(self._context, ref, Path(directory), force=force)

    def verify(self, ref: str) -> tuple[Outcome, ...]:
        """Walk the twelve steps of the ritual; return what became of each that was reached.

        The last outcome has ``ok`` False where a step failed. Raises NotFound or Unavailable where the
        walk could not be made.
        """
        from registry.checkout import verify

        return verify(self._context, ref)

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
    progress: Progress | None = None,
) -> Registry:
    """Open the registry in ``home`` (default: ``REGISTRY_HOME``, else the user's data directory).

    ``identity`` names the identity file to act with (default: ``REGISTRY_IDENTITY``, else the home's
    own); ``passphrase`` opens it (default: ``REGISTRY_PASSPHRASE``). ``progress`` is told how far a
    deed is; see ``registry.progress``. Raises HomeNotFound or InvalidInput.
    """
    from registry.context import Context
    from registry.home import default_home
    from registry.progress import SILENT

    file = identity or os.environ.get("REGISTRY_IDENTITY")
    secret = os.environ.get("REGISTRY_PASSPHRASE")
    return Registry(
        Context(
            Path(home) if home is not None else default_home(),
            identity_file=Path(file) if file else None,
            passphrase=passphrase if passphrase is not None else (secret.encode() if secret else None),
            progress=progress or SILENT,
        )
    )
