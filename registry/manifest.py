"""What a model consists of: the in-toto statement of OpenSSF Model Signing v1.0.

The predicate lists every file with its SHA-256 (serialization method "files"). The subject carries the
root digest: SHA-256 over the files' raw digests, in the order of the list. That order is by path, part
by part, so ``a/x`` comes before ``a-b``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from registry import strictjson
from registry.errors import BadDigest, InvalidModel, Malformed, UnsafePath

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
MAX_FILES = 100_000
MAX_PATH = 4096  # bytes in UTF-8
MAX_PART = 255  # bytes in UTF-8
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHOWN = 5  # files of each kind that an error names


@dataclass(frozen=True)
class ManifestFile:
    """One file: its path in the model, POSIX and relative, and its hexadecimal SHA-256."""

    path: str
    sha256: str

    def __post_init__(self) -> None:
        check_path(self.path)
        if not _SHA256.fullmatch(self.sha256):
            raise Malformed("a digest is not 64 lower-case hexadecimal digits", on=self.path)


@dataclass(frozen=True)
class Manifest:
    """The files of one model, in the order that was signed.

    Holding one means that its paths are safe to create below a directory: relative, without ``..``, no two
    alike, none the directory of another. ``ignored`` is what the signer's tool says that it left out of the
    directory; it is a remark, not a promise, and never read by a checkout.
    """

    name: str
    files: tuple[ManifestFile, ...]
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.files) <= MAX_FILES:
            raise InvalidModel("a model has no files, or too many", on=f"{len(self.files)}, 1 to {MAX_FILES}")
        _check_together(file.path for file in self.files)

    @classmethod
    def of(cls, name: str, digests: Mapping[str, str]) -> Manifest:
        """The manifest of files given as path to hexadecimal SHA-256. Raises UnsafePath, InvalidModel."""
        ordered = sorted(digests, key=_parts)
        return cls(name, tuple(ManifestFile(path, digests[path]) for path in ordered))

    @cached_property
    def digest(self) -> str:
        """The root digest, hexadecimal."""
        return hashlib.sha256(b"".join(bytes.fromhex(file.sha256) for file in self.files)).hexdigest()

    def to_statement(self) -> dict[str, object]:
        """The in-toto Statement v1."""
        serialization: dict[str, object] = {
            "method": "files",
            "hash_type": "sha256",
            "allow_symlinks": False,
        }
        if self.ignored:
            serialization["ignore_paths"] = list(self.ignored)
        resources = [{"name": f.path, "algorithm": "sha256", "digest": f.sha256} for f in self.files]
        return {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": self.name, "digest": {"sha256": self.digest}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"serialization": serialization, "resources": resources},
        }

    @classmethod
    def from_statement(cls, statement: Mapping[str, object]) -> Manifest:
        """Read a statement. Fields that v1.0 does not define are ignored, as it asks.

        Raises Malformed (another type or method, an unsafe path), BadDigest (not the subject's digest).
        """
        obj = dict(statement)
        _expect(obj, "_type", STATEMENT_TYPE)
        _expect(obj, "predicateType", PREDICATE_TYPE)
        name, root = _subject(obj)
        predicate = strictjson.nested(obj, "predicate")
        ignored = _serialization(strictjson.nested(predicate, "serialization"))
        try:
            files = tuple(map(_resource, strictjson.objects(predicate, "resources")))
            manifest = cls(name, files, ignored)
        except (UnsafePath, InvalidModel) as error:
            raise Malformed(error.message, on=error.on) from error
        if manifest.digest != root:
            raise BadDigest("the list of files does not have the signed root digest", on=name)
        return manifest

    def compare(self, found: Mapping[str, str]) -> None:
        """Return if ``found``, path to hexadecimal SHA-256, are exactly these files; raise BadDigest else."""
        signed = {file.path: file.sha256 for file in self.files}
        changed = [path for path in signed if path in found and found[path] != signed[path]]
        missing = [path for path in signed if path not in found]
        added = sorted(path for path in found if path not in signed)
        parts = [_listed("changed", changed), _listed("missing", missing), _listed("added", added)]
        if any(parts):
            raise BadDigest("the files are not the signed ones", on="; ".join(filter(None, parts)))


def check_path(path: str) -> str:
    """``path`` if it is relative, POSIX, and names a place below its directory; raise UnsafePath else."""
    try:
        sizes = [len(part) for part in path.encode("utf-8").split(b"/")]
    except UnicodeEncodeError as error:  # a file name that is not UTF-8 reaches Python as lone surrogates
        raise UnsafePath("a file name is not Unicode", on=ascii(path), hint="rename the file") from error
    if {"", ".", ".."} & set(path.split("/")) or "\0" in path:
        raise UnsafePath("a path does not stay below the model's directory", on=repr(path))
    if max(sizes) > MAX_PART or sum(sizes) + len(sizes) - 1 > MAX_PATH:
        raise UnsafePath("a path is too long", on=repr(path[:100]))
    return path


def _parts(path: str) -> list[str]:
    return path.split("/")


def _check_together(paths: Iterable[str]) -> None:
    # In this order whatever lies below a path follows it directly, so neighbours are all there is to compare.
    for first, second in pairwise(sorted(map(_parts, paths))):
        if second[: len(first)] == first:
            how = "occurs twice" if first == second else "is a file and a directory"
            raise UnsafePath(f"a path {how}", on=repr("/".join(first)))


def _expect(obj: strictjson.Object, key: str, wanted: str) -> None:
    found = strictjson.text(obj, key)
    if found != wanted:
        raise Malformed(f"the statement is of another {key}", on=repr(found[:100]))


def _subject(obj: strictjson.Object) -> tuple[str, str]:
    subjects = strictjson.objects(obj, "subject")
    if len(subjects) != 1:
        raise Malformed("the statement speaks of no model, or of several", on=f"{len(subjects)} subjects")
    return strictjson.text(subjects[0], "name"), strictjson.text(
        strictjson.nested(subjects[0], "digest"), "sha256"
    )


def _serialization(obj: strictjson.Object) -> tuple[str, ...]:
    method, algorithm = strictjson.text(obj, "method"), strictjson.text(obj, "hash_type")
    if (method, algorithm) != ("files", "sha256"):
        raise Malformed(
            "the model was signed by another method",
            on=f"{method[:40]!r} with {algorithm[:40]!r}",
            hint='sign it again with the method "files" and SHA-256',
        )
    return tuple(strictjson.texts(obj, "ignore_paths")) if "ignore_paths" in obj else ()


def _resource(obj: strictjson.Object) -> ManifestFile:
    path, algorithm = strictjson.text(obj, "name"), strictjson.text(obj, "algorithm")
    if algorithm != "sha256":
        raise Malformed(f"a file's digest is {algorithm[:40]!r}, not SHA-256", on=path)
    return ManifestFile(path, strictjson.text(obj, "digest"))


def _listed(what: str, paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{what}: {', '.join(map(repr, paths[:_SHOWN]))}{more}" if paths else ""
