"""Ledgers verified in small chunks, in this process or by several."""

from __future__ import annotations

from typing import Any

from registry.audit.verify import engine, verifying
from registry.audit.verify.finding import Finding
from registry.context import Context
from registry.crypto import dsse
from registry.crypto.keys import SigningKey
from registry.records.database import reading
from support import ledgers
from support.rewriting import envelope

LEVEL = 5  # chunks of 32 entries, so that there are several


def findings(context: Context, jobs: int = 1, **how: Any) -> list[Finding]:
    """Everything that is wrong."""
    url = context.engine.url.render_as_string(hide_password=False)
    with reading(context.engine) as connection:
        how = {"level": LEVEL, "url": url, "jobs": jobs, **how}
        return list(engine.findings(connection, context.config.registry_id, **how))


def verify(context: Context, start: int | None = None, jobs: int = 1) -> verifying.Verified:
    """As ``registry audit verify``."""
    return verifying.run(context, start, jobs, LEVEL)


def resigned(context: Context, seq: int) -> bytes:
    """The same act, signed by nobody who is known, in the signer's name."""
    parsed = dsse.Envelope.from_bytes(envelope(context, seq))
    forged = dsse.sign(parsed.payload, SigningKey.generate()).signatures[0].sig
    signed = dsse.Signature(parsed.signatures[0].keyid, forged)
    return dsse.Envelope(parsed.payload_type, parsed.payload, (signed,)).to_bytes()


class Interrupting:
    """Somebody who presses Ctrl-C when so many bytes were verified."""

    def __init__(self, after: int) -> None:
        self.left = after

    def begin(self, label: str, total: int) -> None:
        assert label == f"verifying {ledgers.SMALL} acts"

    def advance(self, amount: int) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt

    def end(self) -> None:
        pass
