"""Plaintext in memory: anonymous pages that never reach a disk by way of a file or a core dump."""

from __future__ import annotations

import mmap


def allocate(size: int) -> memoryview:
    """A writable buffer of ``size`` bytes, page-aligned, left out of core dumps (MADV_DONTDUMP).

    It is freed when the last view of it is gone. Swap is the operating system's: encrypt it, or lock
    it out.
    """
    if size == 0:
        return memoryview(bytearray())
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_DONTDUMP"):
        pages.madvise(mmap.MADV_DONTDUMP)
    return memoryview(pages)
