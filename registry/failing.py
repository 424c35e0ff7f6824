"""A checkout that fails after its pull was accepted says so in the ledger: a pull alone looks like a success.

It is the puller's own word, signed by them. Whoever watches the ledger hears of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from registry import acts
from registry.context import Context
from registry.errors import BlobMissing, RegistryError, Untrusted
from registry.release import Released

_OPEN: Final = "9"  # the step at which a blob is missed
_RUN: Final = "12"  # the step of a session made by itself, which no ritual numbers


@contextmanager
def told(context: Context, released: Released) -> Iterator[None]:
    """Put on record what fails inside, and let it fail all the same.

    Best effort: where the record cannot be made, what failed is still what the caller hears of.
    """
    try:
        yield
    except (Untrusted, BlobMissing) as error:
        with suppress(RegistryError):
            context.act(_failure(released, error))
        raise


def _failure(released: Released, error: RegistryError) -> acts.Failure:
    body = released.judged.body
    step = error.step or (_OPEN if isinstance(error, BlobMissing) else _RUN)
    return acts.Failure(
        body.model, body.number, body.digest, released.purpose, int(step.split()[0]), error.code
    )
