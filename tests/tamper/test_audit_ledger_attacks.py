"""Every way to tamper with the ledger that we thought of: `audit verify` names it, and a client says its part."""

from __future__ import annotations

import pytest

from support import table_attacks, thiefs_attacks, writers_attacks
from support.ledger_attacks import Attack, clean
from support.victim import Victim

TABLE = (*writers_attacks.ATTACKS, *thiefs_attacks.ATTACKS, *table_attacks.ATTACKS)
EVERY = {f"{one.family}, {one.name}": one for one in TABLE}


@pytest.mark.parametrize("victim", ["sqlite+directory"], indirect=True)
@pytest.mark.parametrize("attack", EVERY)
def test_it_is_found(victim: Victim, attack: str) -> None:
    EVERY[attack].holds(victim)


@pytest.mark.parametrize("victim", ["sqlite+directory"], indirect=True)
@pytest.mark.parametrize("attack", [name for name, one in EVERY.items() if one.newcomer])
def test_what_who_remembers_nothing_sees_of_it(victim: Victim, attack: str) -> None:
    EVERY[attack].holds_for_newcomers(victim)
