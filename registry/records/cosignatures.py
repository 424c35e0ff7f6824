"""The witnesses' cosignatures beside the ledger: each says that somebody saw this tree, and saw it grow only.

No act says what is here, and nobody believes it: a client verifies each line against the witnesses that it
pins. What a row loses or gains, the client misses or refuses.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Table, Text

from registry.records.columns import col, key, metadata

NAME = 255  # characters of a witness's name

cosignatures = Table(
    "cosignatures",
    metadata,
    key("name", String(NAME)),  # the witness's key name, as in the note signature
    key("key", String(8)),  # its key id, hexadecimal
    key("size", BigInteger),  # of the tree that it saw
    col("note", Text),  # that tree's checkpoint as the ledger signed it, without cosignatures
    col("line", Text),  # the cosignature: one note signature line, without its newline
    Index(None, "size"),
)
