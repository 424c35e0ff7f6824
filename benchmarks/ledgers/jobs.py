"""What is to be signed: small, since it travels to the processes that sign."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.ledgers.versions import Publication, Statement
from registry import acts


class Job(NamedTuple):
    """The next entry of the ledger. ``body`` is a payload already for the acts of the law."""

    seq: int
    signer: str  # a member's name, "" for the ledger's key
    generation: int  # of the signer's key
    time: str
    law: str
    client: acts.Client
    body: acts.Body | Publication | Statement | bytes
