"""The policies of a generated company, which change every few weeks."""

from __future__ import annotations

_FREEZE = """// Freeze {number}: nothing is promoted at weekends.
@id("weekend-freeze-{number}")
forbid (principal, action == Action::"promote", resource)
when {{ context.time.weekday == Weekday::"saturday" || context.time.weekday == Weekday::"sunday" }};
"""
_PURPOSE = """
@id("restricted-serving-only")
forbid (principal, action == Action::"pull", resource in Namespace::"medical")
unless { context has purpose && context.purpose == "serving" };
"""
_STOLEN = """
@id("stolen-{number}")
forbid (principal, action in [Action::"pull", Action::"push"], resource)
when {{ context.client.host == "ws-{number:04}" }};
"""
NAMES = ("weekend-freeze-1", "restricted-serving-only", "stolen-7")


def policy(number: int) -> str:
    """The n-th policies: each time a host is added, and every third time the rule about purposes goes."""
    stolen = "".join(_STOLEN.format(number=7 * one) for one in range(1, min(number, 12) + 1))
    return _FREEZE.format(number=number) + (_PURPOSE if number % 3 else "") + stolen
