"""Scanning what a person names: a path of one's own, or a version of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import InvalidInput
from registry.onnx.loaded import Loaded, load
from registry.opening import is_path, open_path, open_version
from registry.scanning import Report, scan_files, scan_path

if TYPE_CHECKING:
    from registry.context import Context


def scan(context: Context | None, source: str, *, parent: str | None = None) -> Report:
    """Scan ``source``, a path or a reference; a path needs no registry (``context`` None).

    ``parent`` names the model that this one was made from, the same way: control flow that it does not have
    is then a finding. Raises NotFound, InvalidInput, Unavailable, and what a checkout raises.
    """
    before = _parent(context, parent) if parent is not None else None
    if is_path(source):
        return scan_path(Path(source).expanduser(), parent=before)
    from registry.checkout import unpack
    from registry.ritual import Ritual

    _, files = unpack(_there(context, source), source, "scan", Ritual())
    return scan_files(files, parent=before)


def _parent(context: Context | None, source: str) -> Loaded:
    """The parent's graph. Raises InvalidModel for one that cannot be read."""
    if is_path(source):
        with open_path(Path(source).expanduser()) as opened:
            return load(opened.files, opened.path)
    with open_version(_there(context, source), source, "scan") as opened:
        return load(opened.files, opened.path)


def _there(context: Context | None, source: str) -> Context:
    if context is None:
        raise InvalidInput("this names a version, and there is no registry", on=source)
    return context
