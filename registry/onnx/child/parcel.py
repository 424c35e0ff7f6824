"""Files handed to another process: one sealed memfd that holds all of them, and is on no disk.

Layout: eight bytes little-endian, the length of a JSON object ``{path: [offset, length]}`` that follows; then
the files, each on a page of its own, so that their tensors lie as aligned as they did.
"""

from __future__ import annotations

import errno
import fcntl
import json
import mmap
import os
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from registry.onnx.child.spared import Spans
from registry.onnx.wire import Buffer, Span

_HEAD = 8  # bytes
_PIECE = 1 << 20  # bytes of zeros written at once
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class Parcel:
    """The files, ready to be handed over any number of times; make one with ``packed``."""

    def __init__(self, sealed: int | None, layout: _Layout) -> None:
        self._sealed = sealed
        self._layout = layout

    @contextmanager
    def handed(self) -> Iterator[int]:
        """A descriptor to send: of the memfd, or the end to read of a pipe that a thread fills."""
        if self._sealed is not None:
            yield self._sealed
            return
        read, write = os.pipe()
        threading.Thread(target=self._layout.pour, args=[write], daemon=True).start()
        try:
            yield read
        finally:
            os.close(read)


@contextmanager
def packed(files: Mapping[str, Buffer], holes: Spans | None = None) -> Iterator[Parcel]:
    """These files in a memfd, which nobody can change any more.

    ``holes`` are spans of the files that are neither read nor stored: zeros stand there. A process may be
    forbidden to write files of such a size (RLIMIT_FSIZE, which counts memfds too): then the files go
    through a pipe, each time anew. Raises OSError.
    """
    layout = _Layout(files, holes or {})
    descriptor = os.memfd_create("parcel", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        try:
            layout.fill(descriptor)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            parcel = Parcel(descriptor, layout)
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
            parcel = Parcel(None, layout)
        yield parcel
    finally:
        os.close(descriptor)


def unpacked(descriptor: int) -> dict[str, memoryview]:
    """The files behind a descriptor that ``Parcel.handed`` gave; they live as long as the views."""
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        pages = _drained(descriptor)
    else:
        # private: before Linux 6.7 a sealed memfd could not be mapped shared, not even for reading
        pages = memoryview(mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))
    return {path: pages[offset : offset + size] for path, (offset, size) in _places(pages).items()}


def _places(pages: memoryview) -> dict[str, tuple[int, int]]:
    length = int.from_bytes(pages[:_HEAD], "little")
    found: dict[str, tuple[int, int]] = json.loads(bytes(pages[_HEAD : _HEAD + length]))
    return found


def _drained(descriptor: int) -> memoryview:
    """All that comes through the pipe. Raises EOFError where it ends before."""
    with open(descriptor, "rb", closefd=False) as pipe:
        head = pipe.read(_HEAD)
        head += pipe.read(int.from_bytes(head, "little"))
        ends = (offset + size for offset, size in _places(memoryview(head)).values())
        pages = memoryview(mmap.mmap(-1, max(*ends, len(head), 1)))
        pages[: len(head)] = head
        if pipe.readinto(pages[len(head) :]) != len(pages) - len(head):
            raise EOFError("the files were cut short on their way")
    return pages.toreadonly()


class _Layout:
    """Where everything lies in a parcel."""

    def __init__(self, files: Mapping[str, Buffer], holes: Spans) -> None:
        self._views = {path: memoryview(data).cast("B") for path, data in files.items()}
        self._holes = holes
        self._head = _head({path: len(view) for path, view in self._views.items()})

    def fill(self, descriptor: int) -> None:
        """Write all into a memfd."""
        files = sum(_paged(len(view)) for view in self._views.values())
        os.truncate(descriptor, max(_paged(len(self._head)) + files, 1))
        for at, piece in self._pieces():
            _write(descriptor, piece, at)

    def pour(self, descriptor: int) -> None:
        """Write all into a pipe, and close it; whoever reads may have gone away."""
        done = 0
        with suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as pipe:
            for at, piece in self._pieces():
                for part in (*_zeros(at - done), piece):
                    view = part
                    while view:
                        view = view[pipe.write(view) or 0 :]
                done = at + len(piece)

    def _pieces(self) -> Iterator[tuple[int, memoryview]]:
        """Offset and bytes of everything that is no hole, in order, to the end of the last file."""
        yield 0, memoryview(self._head)
        at = _paged(len(self._head))
        for path, view in self._views.items():
            for span in _around(self._holes.get(path, ()), len(view)):
                yield at + span.offset, span.of(view)
            at += _paged(len(view))


def _zeros(count: int) -> Iterator[memoryview]:
    """So many zeros, a piece at a time."""
    for at in range(0, count, _PIECE):
        yield memoryview(bytes(min(_PIECE, count - at)))


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
