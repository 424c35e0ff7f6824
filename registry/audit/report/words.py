"""Numbers, dates and error codes in the words of somebody who has never used the registry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

_REASONS = {
    "not-permitted": "had no right to do that",
    "denied": "was denied",
    "disabled": "used the key of a disabled member",
    "policy-denied": "stopped by a policy",
    "yanked": "asked for a version that was withdrawn",
    "wrong-passphrase": "gave a wrong passphrase",
    "bad-signature": "carried a signature that does not verify",
    "bad-authority": "was signed by somebody who may not",
    "bad-attestation": "carried a statement that does not fit the version",
    "bad-proof": "carried a proof that does not hold",
    "bad-reference": "named another version than the one it was about",
    "bad-digest": "carried content that is not what was signed",
    "bad-content": "carried content that contradicts its statement",
    "wrong-registry": "was signed for another registry",
    "hostile": "carried content that a scan found hostile",
    "malformed": "could not be read",
    "": "told only by number",
}
# What only somebody who tampers, or a broken program, is refused with.
FORGED = (
    "untrusted",
    "wrong-registry",
    "bad-signature",
    "bad-authority",
    "bad-proof",
    "bad-reference",
    "bad-digest",
    "bad-content",
    "bad-attestation",
    "bad-encryption",
    "bad-release",
    "hostile",
    "malformed",
)
_MONTHS = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)  # in any locale
NOBODY = "unknown"  # how the report calls those whom no signature proves


def inert(text: str) -> str:
    """Text without control characters, and without those that turn the direction of what follows."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def reason(code: str) -> str:
    """An error code as the end of the sentence "the attempt ..."."""
    return _REASONS.get(code, code.replace("-", " "))


def number(count: int) -> str:
    """1234567 as 1,234,567."""
    return f"{count:,}"


def several(count: int, one: str, many: str = "") -> str:
    """A number and its noun: "1 version", "3 versions"."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def percent(part: int, whole: int) -> str:
    """A part of a whole, so precise that some is never 0% and not all never 100%."""
    if not whole:
        return "0%"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "under 0.1%"
    if 99.9 < share < 100:
        return "over 99.9%"
    return f"{share:.1f}%" if 0 < share < 10 or 90 < share < 100 else f"{share:.0f}%"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence: "a, b and c", "a, b and 7 more"."""
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {number(len(names) - most)} more"
    return " and ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


def is_day(text: str) -> bool:
    """Whether a text is a date. Those of the tables are, unless somebody has changed them."""
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def day(value: date | str, *, year: bool = True) -> str:
    """20 Nov 2026; of a text that is no date the text."""
    try:
        found = value if isinstance(value, date) else date.fromisoformat(value[:10])
    except ValueError:
        return str(value)
    return f"{found.day} {_MONTHS[found.month - 1]}{f' {found.year}' if year else ''}"


def moment(time: str) -> str:
    """A recorded time to the minute, in UTC: 20 Nov 2026, 22:14."""
    return f"{day(time)}, {time[11:16]}" if len(time) >= 16 else time


def instant(now: datetime) -> str:
    """A time to the minute, in UTC."""
    found = now.astimezone(UTC)
    return f"{day(found.date())}, {found:%H:%M} UTC"


def span(first: date, last: date) -> str:
    """Two days as a period: 21 Oct to 20 Nov 2026."""
    return f"{day(first, year=first.year != last.year)} to {day(last)}" if first != last else day(first)


def change(now: int, before: int) -> str:
    """How a number compares with one before it, so that "the days before" can follow."""
    ratio = now / before
    if ratio >= 2:
        return f"{ratio:.1f} times"
    share = round(100 * (ratio - 1))
    return f"{'up' if share > 0 else 'down'} {abs(share)}% on" if share else "as many as in"
