"""References: ``NAMESPACE/MODEL[:VERSION|:LABEL|:ALIAS][@sha256:DIGEST]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from registry.errors import InvalidReference

NAME_LIMIT = 128  # characters
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_EXAMPLE = "write it as vision/resnet50, vision/resnet50:3 or vision/resnet50:prod"


def check_name(name: str, what: str) -> str:
    """Return ``name`` if the grammar allows it; raise InvalidReference otherwise."""
    if not _NAME.fullmatch(name) or len(name) > NAME_LIMIT:
        raise InvalidReference(
            f"{what} is not a valid name",
            on=repr(name),
            hint="letters, digits, '.', '_' and '-', beginning with a letter or a digit",
        )
    return name


def check_tag(name: str, what: str) -> str:
    """Return ``name`` if it can be a label or an alias: a name that no version number looks like."""
    if name.isdigit():
        raise InvalidReference(
            f"{what} would be read as a version number", on=name, hint=f"choose a {what} with a letter in it"
        )
    return check_name(name, what)


@dataclass(frozen=True)
class Reference:
    """One parsed reference. ``version`` and ``tag`` exclude each other; neither means the newest."""

    namespace: str
    name: str
    version: int | None = None
    tag: str | None = None
    digest: str | None = None  # hexadecimal SHA-256, the OMS root digest

    @property
    def model(self) -> str:
        """``NAMESPACE/MODEL``."""
        return f"{self.namespace}/{self.name}"

    def at(self, version: int) -> Reference:
        """The same model at an exact version."""
        return Reference(self.namespace, self.name, version=version)

    def __str__(self) -> str:
        suffix = f":{self.version or self.tag}" if self.version or self.tag else ""
        return f"{self.model}{suffix}" + (f"@sha256:{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """Parse a reference. Raises InvalidReference."""
    head, at, digest = text.partition("@")
    path, colon, suffix = head.partition(":")
    namespace, slash, name = path.partition("/")
    if not slash:
        raise InvalidReference("a reference needs a namespace and a model", on=repr(text), hint=_EXAMPLE)
    check_name(namespace, "the namespace")
    check_name(name, "the model")
    version, tag = _suffix(suffix) if colon else (None, None)
    return Reference(namespace, name, version, tag, _digest(digest, text) if at else None)


def _suffix(suffix: str) -> tuple[int | None, str | None]:
    if suffix.isdigit():
        if not _VERSION.fullmatch(suffix):
            raise InvalidReference("versions count from 1", on=repr(suffix), hint=_EXAMPLE)
        return int(suffix), None
    return None, check_tag(suffix, "the label or alias")


def _digest(text: str, whole: str) -> str:
    algorithm, _, value = text.partition(":")
    if algorithm != "sha256" or not _DIGEST.fullmatch(value):
        raise InvalidReference(
            "the digest must be sha256: and 64 hexadecimal digits", on=repr(whole), hint=_EXAMPLE
        )
    return value
