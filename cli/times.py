"""Times as people write them, and as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from registry.errors import InvalidInput

_SPAN = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RECORDED = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2})(:[0-9]{2})\.[0-9]{6}Z")
FORMS = "an ISO 8601 date or time (2027-01-31, 2027-01-31T18:00+01:00; UTC unless it says), or 30d, 12h, 45m"


def moment(text: str, now: datetime) -> datetime:
    """``text`` as a time in UTC: ISO 8601 (a date is its beginning), or a span from ``now``.

    Raises InvalidInput.
    """
    try:
        if span := _SPAN.fullmatch(text):
            return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput("this is no time", on=repr(text), hint=f"write {FORMS}") from error


def short(text: str) -> str:
    """Recorded times within ``text``, in UTC, without what is zero: 2027-01-31 18:00."""
    return _RECORDED.sub(lambda found: f"{found[1]} {found[2]}{'' if found[3] == ':00' else found[3]}", text)
