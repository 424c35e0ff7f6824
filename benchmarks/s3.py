"""Push to and pull from an S3 server, beside plain boto3 with the same server."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import process
from benchmarks.measure import Entry, Limit, Skipped, absolute, in_turns, throughput
from benchmarks.servers import find_server
from benchmarks.workplace import DATA, Workplace

TITLE = "S3"
_ROUNDS = 3  # each moves the big file four times
_BOUND = Limit(200.0)  # MiB
_SHARE = Limit(80.0, least=True)  # per cent


def measure(place: Workplace) -> list[Entry]:
    """Throughput of the deeds in process, client ready, and their memory."""
    prefix = f"bench-{secrets.token_hex(8)}"
    with find_server(prefix) as (name, url):
        if not url:
            return [Skipped("push and pull over S3", name)]
        with _emptied(url, prefix):
            return _Comparison(place, name, url, prefix).rows()


@contextmanager
def _emptied(url: str, prefix: str) -> Iterator[None]:
    try:
        yield
    finally:
        process.probe("boto", "remove", "-", url, prefix)


class _Comparison:
    def __init__(self, place: Workplace, server: str, url: str, prefix: str) -> None:
        self._place, self._server, self._url, self._prefix = place, server, url, prefix
        self._model = place.model("fp32", place.size)
        self._data = self._model.parent / DATA
        self._home = place.home(url)
        self._peaks: dict[str, list[float]] = {"push": [], "pull": []}

    def rows(self) -> list[Entry]:
        process.probe("boto", "upload", self._data, self._url, f"{self._prefix}/plain")
        ref = self._home.push(self._model)
        found = in_turns(
            min(_ROUNDS, self._place.rounds),
            {
                "upload": self._upload,
                "push": self._push,
                "download": self._download,
                "pull": partial(self._pull, ref),
            },
        )
        size, bound = (
            f"{self._place.size} MiB, {self._server}",
            [float(self._place.size)] * len(self._peaks["push"]),
        )
        return [
            throughput(
                f"push in process, {size}", "boto3 upload_file", found["push"], found["upload"], _SHARE
            ),
            throughput(
                f"pull in process, {size}", "boto3 download_file", found["pull"], found["download"], _SHARE
            ),
            *(
                absolute(
                    f"{verb}, {size}, memory above the idle process",
                    "the file's size",
                    peaks,
                    bound,
                    _BOUND,
                    unit="MiB",
                )
                for verb, peaks in self._peaks.items()
            ),
        ]

    def _upload(self) -> float:
        self._place.settle(self._data)
        took = process.probe("boto", "upload", self._data, self._url, f"{self._prefix}/plain")
        return float(took["seconds"])

    def _download(self) -> float:
        self._place.settle(self._data)
        target = self._place.fresh(".download")
        took = process.probe("boto", "download", target, self._url, f"{self._prefix}/plain")
        target.unlink()
        return float(took["seconds"])

    def _push(self) -> float:
        self._place.settle(self._data)
        took = process.probe("deed", self._home.path, "push", self._model, self._home.name())
        return self._noted("push", took)

    def _pull(self, ref: str) -> float:
        self._place.settle(self._data)
        target: Path = self._place.fresh("-pulled")
        took = process.probe("deed", self._home.path, "pull", ref, target)
        shutil.rmtree(target)
        return self._noted("pull", took)

    def _noted(self, verb: str, took: dict[str, Any]) -> float:
        self._peaks[verb].append((took["peak"] - took["idle"]) / (1 << 20))
        return float(took["seconds"])
