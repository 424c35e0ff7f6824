"""The S3 server of the comparison: the one that the tests use, found or started by their rules."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).resolve().parent.parent / "tests"


@contextmanager
def find_server(prefix: str) -> Iterator[tuple[str, str]]:
    """Its name, and the URL of ``prefix`` in it; credentials are in the environment meanwhile.

    Where there is none, the URL is empty, and the name says why.
    """
    sys.path.append(str(_TESTS))
    services: Any = importlib.import_module("services.s3")
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as notes:
        shared = services.S3(Path(notes))
        try:
            try:
                server = shared.server
            except services.S3Missing as error:
                yield str(error), ""
                return
            os.environ.update(server.environment)
            yield server.name, server.url(prefix)
        finally:
            shared.close()
            os.environ.clear()
            os.environ.update(before)
            sys.path.remove(str(_TESTS))
