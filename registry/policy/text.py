"""Policy text before Cedar sees it: bounded, and cut into statements, so that an error can say where.

Cedar's parser, validator and evaluator recurse on the native stack and do not bound it: some 1,000 brackets
inside each other, or 20,000 ``&&`` in a row, end the process, and far fewer do on a thread with a small
stack. So what could nest is counted first. What is no Cedar at all needs no sense here: Cedar refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from registry.errors import InvalidPolicy

LIMIT: Final = 256 << 10  # bytes of UTF-8 in one set of policies
POLICIES: Final = 1024  # in one set
# Measured on a stack of 512 KiB (Linux gives a thread 8 MiB): it ends between 32 and 48 brackets and between
# 200 and 400 `if`; and from 120 operators on the validator gives up for want of stack and lets pass what it
# has not read. The bounds below hold together, in any mixture.
NESTING: Final = 16  # brackets inside each other
OPERATIONS: Final = 100  # in one policy
_IF: Final = 4  # operations

# The lexemes that matter, in the order in which Cedar's lexer tells them apart. Comments and strings first:
# nothing inside them counts. A string that is never closed reaches to the end, so that the time stays linear.
_LEXEMES = re.compile(
    r"""(?P<skip>//[^\n\r]*|"(?:\\.|[^"\\])*+"?|@\s*\w+)
      | (?P<end>;)
      | (?P<open>[\[({])
      | (?P<close>[\])}])
      | (?P<body>\b(?:when|unless)\b)
      | (?P<if>\bif\b)
      | (?P<operation>&&|\|\||[=!<>]=?|[-+*%/.]|\b(?:in|has|is|like)\b)""",
    re.VERBOSE | re.DOTALL,
)
_BLANK = re.compile(r"(?:\s|//[^\n\r]*)*")


@dataclass
class Statement:
    """One policy's text. ``head`` ends before its conditions: annotations, effect and scope."""

    text: str
    line: int  # of the first word, from 1
    head: str


def statements(text: str) -> list[Statement]:
    """Cut ``text`` at its semicolons. Raises InvalidPolicy for what is too large or too deep."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LIMIT:
        raise InvalidPolicy("the policy text is too long", on=f"{size} bytes, {LIMIT} allowed")
    found = list(_cut(text))
    if len(found) > POLICIES:
        raise InvalidPolicy("there are too many policies", on=f"{len(found)}, {POLICIES} allowed")
    return found


@dataclass
class _Count:
    """What is known of the statement under the cursor."""

    start: int
    depth: int = 0
    operations: int = 0
    body: int | None = None  # where its conditions begin

    def add(self, kind: str | None, at: int) -> None:
        self.depth = max(0, self.depth + {"open": 1, "close": -1}.get(kind or "", 0))
        self.operations += {"open": 1, "operation": 1, "if": _IF}.get(kind or "", 0)
        if kind == "body" and self.depth == 0 and self.body is None:
            self.body = at


def _cut(text: str) -> Iterator[Statement]:
    count = _Count(0)
    for lexeme in _LEXEMES.finditer(text):
        count.add(lexeme.lastgroup, lexeme.start())
        if count.depth > NESTING or count.operations > OPERATIONS:
            _refuse(text, count)
        if lexeme.lastgroup == "end" and count.depth == 0:  # inside brackets it is an error, and ends nothing
            yield _statement(text, count, lexeme.end())
            count = _Count(lexeme.end())
    if _first(text, count.start) < len(text):  # no semicolon: Cedar says what is missing
        yield _statement(text, count, len(text))


def _statement(text: str, count: _Count, end: int) -> Statement:
    head = text[count.start : end - 1 if count.body is None else count.body]
    return Statement(text[count.start : end], _line(text, count.start), head + "\n;")


def _line(text: str, start: int) -> int:
    return text.count("\n", 0, _first(text, start)) + 1


def _first(text: str, start: int) -> int:
    """Where the first word from ``start`` on stands: after white space and comments."""
    blank = _BLANK.match(text, start)
    return blank.end() if blank else start


def _refuse(text: str, count: _Count) -> None:
    deep = count.depth > NESTING
    raise InvalidPolicy(
        "a policy nests too deeply" if deep else "a policy is too complicated",
        on=f"the policy at line {_line(text, count.start)}: more than "
        + (f"{NESTING} brackets inside each other" if deep else f"{OPERATIONS} operators and brackets"),
        hint="split it into several policies: each `forbid` closes a door by itself",
    )
