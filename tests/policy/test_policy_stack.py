"""Policy text that would overflow the native stack, or hold the parser: refused before Cedar reads it.

In processes of their own, because what is to be prevented ends the process.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from registry.policy.text import NESTING, OPERATIONS

ATTACKS = {
    "brackets": "forbid (principal, action, resource) when {" + "(" * 60_000 + "true" + ")" * 60_000 + "};",
    "brackets-after-stray-ones": ")" * 60_000 + "(" * 60_000,
    "brackets-between-semicolons": "((((((((;" * 20_000,
    "not": "forbid (principal, action, resource) when {" + "!(" * 60_000 + "};",
    "and": "forbid (principal, action, resource) when {" + "true&&" * 40_000 + "true};",
    "dots": "forbid (principal, action, resource) when {principal" + ".a" * 100_000 + "};",
    "if": "forbid (principal, action, resource) when {" + "if true then true else " * 10_000 + "true};",
    "quotes": '"' + '\\"' * 130_000,
    "whens": "forbid (principal, action, resource) " + "when{true}" * 20_000 + ";",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_text_ends_the_process_or_holds_it(name: str) -> None:
    program = "import sys; from registry.policy.engine import Policies; Policies.parse(sys.stdin.read())"
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], input=ATTACKS[name], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "InvalidPolicy" in done.stderr
    assert time.monotonic() - start < 20  # seconds; a quadratic scan takes minutes


SMALL_STACK = """
import threading
from registry.errors import InvalidPolicy
from registry.policy.engine import Policies
threading.stack_size(512 << 10)
def parse():
    try:
        Policies.parse('forbid (principal, action == Action::"pull", resource) when {' + BODY + '};')
    except InvalidPolicy as error:
        print(error)
    print("alive")
thread = threading.Thread(target=parse); thread.start(); thread.join()
"""
# The deepest part is wrong each time: the validator gives up silently where the stack is too small for it.
WRONG = "resource.nope == 1"  # with the braces of `when` and the scope's brackets and equation: five
DEPTH, ROOM = NESTING - 1, OPERATIONS - 5
IF = "if context.time.hour == 1 then true else "  # four, two dots and an equation: seven
MIXTURES = {
    "brackets": "(" * DEPTH + WRONG + ")" * DEPTH,
    "if": IF * (ROOM // 7) + WRONG,
    "if-in-brackets": "(" * DEPTH + IF * ((ROOM - DEPTH) // 7) + WRONG + ")" * DEPTH,
    "and": "true && " * ROOM + WRONG,
    "and-on-the-left": WRONG + " && true" * ROOM,
    "plus": "resource.nope" + " + 1" * ROOM + " == 1",
    "not": "!!!(" * DEPTH + "true && " * (ROOM - 4 * DEPTH) + WRONG + ")" * DEPTH,
    "records": "{a:" * DEPTH + IF * ((ROOM - DEPTH - 1) // 7) + WRONG + "}" * DEPTH + " == 1",
    "sets": "[" * DEPTH + "true && " * (ROOM - DEPTH - 1) + WRONG + "]" * DEPTH + " == 1",
    "dots": "resource.nope" + ".a" * (ROOM - 1) + " == 1",
}


@pytest.mark.parametrize("name", MIXTURES)
def test_what_the_bounds_let_through_fits_a_small_stack(name: str) -> None:
    program = f"BODY = {MIXTURES[name]!r}{SMALL_STACK}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["alive"])
    assert "too" not in done.stdout  # it has reached Cedar
    assert "attribute `nope`" in done.stdout  # and was read to its deepest part
