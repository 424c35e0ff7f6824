"""What can go wrong, as one tree.

::

    RegistryError                 1  a bug of ours when nothing narrower is raised
    ├── InvalidInput              2  what was asked makes no sense, or the input is damaged
    │   ├── InvalidReference
    │   ├── InvalidModel
    │   ├── InvalidIdentity
    │   ├── InvalidPolicy
    │   └── UnsafePath
    ├── NotFound                  3
    │   ├── HomeNotFound
    │   ├── ReferenceNotFound
    │   ├── MemberNotFound        a member or a team
    │   ├── GrantNotFound
    │   └── BlobMissing
    ├── Denied                    4
    │   ├── NotPermitted
    │   ├── Disabled              the member's access was ended
    │   ├── PolicyDenied
    │   ├── Yanked
    │   └── WrongPassphrase
    ├── Untrusted                 5  evidence that should hold does not
    │   ├── WrongRegistry         the pin
    │   ├── BadIdentity           the home's own identity file was changed
    │   ├── BadCheckpoint
    │   ├── BadProof
    │   ├── BadAuthority
    │   ├── BadReference
    │   ├── BadSignature
    │   ├── BadAttestation
    │   ├── BadRelease
    │   ├── BadEncryption
    │   ├── BadDigest
    │   ├── Hostile               a scan found what nobody should load
    │   ├── BadContent
    │   ├── BadSession
    │   ├── BadCanary             the model no longer answers as it did
    │   └── Malformed             bytes from outside that do not parse
    ├── Conflict                  6
    │   ├── AlreadyExists
    │   ├── VersionTaken
    │   ├── Outdated              the law has changed since the act was signed
    │   ├── SourceChanged
    │   └── BlobExists
    └── Unavailable               7  the world outside: store, database, disk
        ├── StoreUnavailable
        ├── DatabaseUnavailable
        ├── SchemaMismatch
        └── DiskTrouble

The numbers are the exit codes of the command line. ``code`` is stable: scripts may compare it.
"""

from __future__ import annotations

from typing import ClassVar


class RegistryError(Exception):
    """Something failed: what (the message), on what (``on``), and what to do next (``hint``)."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, on: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.on = on
        self.hint = hint
        self.step: str | None = None  # the step of the ritual that raised it

    def __str__(self) -> str:
        return f"{self.message} ({self.on})" if self.on else self.message

    def to_dict(self) -> dict[str, str | None]:
        """The error as the command line's ``--json`` prints it."""
        return {
            "code": self.code,
            "message": self.message,
            "on": self.on,
            "hint": self.hint,
            "step": self.step,
        }


class InvalidInput(RegistryError):
    code = "invalid-input"
    exit_code = 2


class InvalidReference(InvalidInput):
    code = "invalid-reference"


class InvalidModel(InvalidInput):
    code = "invalid-model"


class InvalidIdentity(InvalidInput):
    code = "invalid-identity"


class InvalidPolicy(InvalidInput):
    code = "invalid-policy"


class UnsafePath(InvalidInput):
    code = "unsafe-path"


class NotFound(RegistryError):
    code = "not-found"
    exit_code = 3


class HomeNotFound(NotFound):
    code = "home-not-found"


class ReferenceNotFound(NotFound):
    code = "reference-not-found"


class MemberNotFound(NotFound):
    code = "member-not-found"


class GrantNotFound(NotFound):
    code = "grant-not-found"


class BlobMissing(NotFound):
    code = "blob-missing"


class Denied(RegistryError):
    code = "denied"
    exit_code = 4


class NotPermitted(Denied):
    code = "not-permitted"


class Disabled(Denied):
    code = "disabled"


class PolicyDenied(Denied):
    code = "policy-denied"


class Yanked(Denied):
    code = "yanked"


class WrongPassphrase(Denied):
    code = "wrong-passphrase"


class Untrusted(RegistryError):
    """Evidence that should hold does not. Nothing that raised this may be used."""

    code = "untrusted"
    exit_code = 5


class WrongRegistry(Untrusted):
    code = "wrong-registry"


class BadIdentity(Untrusted):
    code = "bad-identity"


class BadCheckpoint(Untrusted):
    code = "bad-checkpoint"


class BadProof(Untrusted):
    code = "bad-proof"


class BadAuthority(Untrusted):
    code = "bad-authority"


class BadReference(Untrusted):
    code = "bad-reference"


class BadSignature(Untrusted):
    code = "bad-signature"


class BadAttestation(Untrusted):
    code = "bad-attestation"


class BadRelease(Untrusted):
    code = "bad-release"


class BadEncryption(Untrusted):
    code = "bad-encryption"


class BadDigest(Untrusted):
    code = "bad-digest"


class Hostile(Untrusted):
    """A scan found what nobody should load."""

    code = "hostile-content"


class BadContent(Untrusted):
    code = "bad-content"


class BadSession(Untrusted):
    code = "bad-session"


class BadCanary(Untrusted):
    code = "bad-canary"


class Malformed(Untrusted):
    code = "malformed"


class Conflict(RegistryError):
    code = "conflict"
    exit_code = 6


class AlreadyExists(Conflict):
    code = "already-exists"


class VersionTaken(Conflict):
    """Another act came first: ask for a new permit and sign again."""

    code = "version-taken"


class Outdated(Conflict):
    """The law has changed since the act was signed: sign again under the newest."""

    code = "outdated"


class SourceChanged(Conflict):
    code = "source-changed"


class BlobExists(Conflict):
    code = "blob-exists"


class Unavailable(RegistryError):
    code = "unavailable"
    exit_code = 7


class StoreUnavailable(Unavailable):
    code = "store-unavailable"


class DatabaseUnavailable(Unavailable):
    code = "database-unavailable"


class SchemaMismatch(Unavailable):
    code = "schema-mismatch"


class DiskTrouble(Unavailable):
    code = "disk-trouble"
