"""Tests that a run leaves out: each with its reason, all of them counted for the summary."""

from __future__ import annotations

from typing import NoReturn

import pytest

from services.s3 import Server

COUNTS = pytest.StashKey[dict[str, int]]()  # reason -> how many tests


def leave_out(request: pytest.FixtureRequest, reason: str) -> NoReturn:
    """Skip this test, and have its reason told at the end of the run."""
    counts = request.config.stash[COUNTS]
    counts[reason] = counts.get(reason, 0) + 1
    pytest.skip(reason)


def require(request: pytest.FixtureRequest, server: Server, feature: str) -> None:
    """Leave this test out where the server lacks ``feature``."""
    if feature in server.lacks:
        leave_out(request, f"{feature}: {server.lacks[feature]}")
