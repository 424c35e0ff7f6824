"""The attacks as the threat model shows them: those that everybody speaks of alike, in one line."""

from __future__ import annotations

from collections.abc import Iterable

from support.ledger_attacks import Attack

_HEAD = ("| on | what is changed | `audit verify` | a client |", "|---|---|---|---|")


def rendered(attacks: Iterable[Attack]) -> str:
    """A Markdown table."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for one in attacks:
        lines.setdefault((one.family, _verify(one), _client(one)), []).append(one.name)
    rows = [f"| {on} | {'; '.join(what)} | {says} | {client} |" for (on, says, client), what in lines.items()]
    return "\n".join([*_HEAD, *rows]) + "\n"


def _verify(attack: Attack) -> str:
    if attack.newcomer is None or attack.newcomer[0] == attack.code:
        return f"`{attack.code}`"
    return f"`{attack.code}`; a newcomer's nothing"


def _client(attack: Attack) -> str:
    says = str(attack.client)
    if attack.newcomer is None or str(attack.newcomer[1]) == says:
        return says
    return f"{says}; a newcomer {attack.newcomer[1]}"
