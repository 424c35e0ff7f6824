"""A push in another process, held up in the middle for as long as a test likes."""

from __future__ import annotations

import secrets
import time
from typing import Any

from support.aftermath import World
from support.forks import Nursery

BETWEEN = 2  # the advance of progress at which the first file is stored and the second is under way


class Pausable:
    """A push that has stored its first blob and begun its second when ``wait`` returns."""

    def __init__(self, nursery: Nursery, world: World) -> None:
        self._nursery = nursery
        name = secrets.token_hex(4)
        self._arrived, self._go = world.out.with_name(f"{name}-arrived"), world.out.with_name(f"{name}-go")
        places = (world.home, world.source, world.ref, self._arrived, self._go)
        self._child = nursery.start("attempt", "push_stopping", *places, BETWEEN)

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while not self._arrived.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def finish(self) -> Any:
        """Let it go on; what the push returns."""
        self._go.touch()
        done = self._nursery.wait(self._child).result
        assert done.error is None, done.text
        return done.value
