"""Files handed to another process: one sealed memfd that holds all of them, and is on no disk.

Layout: eight bytes little-endian, the length of a JSON object ``{path: [offset, length]}`` that follows; then
the files, each on a page of its own, so that their tensors lie as aligned as they did.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from registry.onnx.child.spared import Spans
from registry.onnx.wire import Buffer, Span

_HEAD = 8  # bytes
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


@contextmanager
def packed(files: Mapping[str, Buffer], holes: Spans | None = None) -> Iterator[int]:
    """A descriptor of a memfd with these files in it, which nobody can change any more.

    ``holes`` are spans of the files that are neither read nor stored: zeros stand there.
    """
    descriptor = os.memfd_create("parcel", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _fill(descriptor, files, holes or {})
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        yield descriptor
    finally:
        os.close(descriptor)


def unpacked(descriptor: int) -> dict[str, memoryview]:
    """The files in a memfd that ``packed`` filled, where they lie; they live as long as the views."""
    # private: before Linux 6.7 a sealed memfd could not be mapped shared, not even for reading
    pages = memoryview(mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))
    length = int.from_bytes(pages[:_HEAD], "little")
    places = json.loads(bytes(pages[_HEAD : _HEAD + length]))
    return {path: pages[offset : offset + size] for path, (offset, size) in places.items()}


def _fill(descriptor: int, files: Mapping[str, Buffer], holes: Spans) -> None:
    views = {path: memoryview(data).cast("B") for path, data in files.items()}
    head = _head({path: len(view) for path, view in views.items()})
    os.truncate(descriptor, max(_paged(len(head)) + sum(_paged(len(view)) for view in views.values()), 1))
    _write(descriptor, memoryview(head), 0)
    at = _paged(len(head))
    for path, view in views.items():
        for span in _around(holes.get(path, ()), len(view)):
            _write(descriptor, span.of(view), at + span.offset)
        at += _paged(len(view))


def _around(holes: Sequence[Span], size: int) -> Iterator[Span]:
    """What lies between the holes."""
    start = 0
    for hole in holes:
        yield Span(start, hole.offset - start)
        start = hole.offset + hole.length
    yield Span(start, size - start)


def _head(sizes: Mapping[str, int]) -> bytes:
    """The table; its own length moves the files, so places are counted from a page that surely is behind."""
    told = json.dumps({path: [1 << 62, size] for path, size in sizes.items()})
    start = at = _paged(_HEAD + len(told))
    places = {}
    for path, size in sizes.items():
        places[path] = [at, size]
        at += _paged(size)
    table = json.dumps(places).encode().ljust(start - _HEAD)
    return len(table).to_bytes(_HEAD, "little") + table


def _write(descriptor: int, view: memoryview, at: int) -> None:
    while view:
        done = os.pwrite(descriptor, view[: 1 << 30], at)  # one call writes less than 2 GiB
        view, at = view[done:], at + done


def _paged(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
