"""From text to a set of policies that Cedar has parsed and validated strictly against the schema."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from registry.errors import InvalidPolicy
from registry.policy.schema import schema
from registry.policy.text import Statement, statements

if TYPE_CHECKING:
    from cedarpy import PolicySet, Schema, ValidationError

_EVERYTHING = "permit (principal, action, resource);"
_PREFIX = re.compile(r"^for policy `policy\d+`[,:] ")
_SHOWN = 3  # errors of validation in one message
_LONG = 300  # characters of one of them: types are written out in full
_SEE = "docs/policies/README.md explains the schema"


def parsed(text: str) -> tuple[tuple[str, ...], PolicySet]:
    """The names of the policies, in order, and the set. A set of forbids alone gains a permit at its end.

    Raises InvalidPolicy: which policy, at which line, and what is wrong with it.
    """
    names, heads, policies = read(text, schema())
    if any(head["effect"] == "permit" for head in heads):
        return names, policies
    return names, policies.with_added_str(_EVERYTHING)


def read(text: str, held_to: Schema) -> tuple[tuple[str, ...], list[dict[str, Any]], PolicySet]:
    """Names, heads (effect, scope and annotations, as Cedar's JSON) and the set, valid under a schema.

    Raises InvalidPolicy as ``parsed``.
    """
    cut = statements(text)
    policies = _parse(text, cut)
    heads = [_head(number, one) for number, one in enumerate(cut)]
    names = tuple(_name(number, head) for number, head in enumerate(heads))
    _distinct(names, cut)
    _validate(text, names, cut, held_to)
    return names, heads, policies


def _parse(text: str, cut: Sequence[Statement]) -> PolicySet:
    from cedarpy import PolicySet

    try:
        policies = PolicySet.from_str(text)
    except ValueError as error:
        _syntax(error, cut)
    if policies.templates():
        raise InvalidPolicy("templates are not used here", on="?principal or ?resource", hint=_SEE)
    if len(policies) != len(cut):
        raise InvalidPolicy(
            "the policies cannot be told apart", on=f"{len(policies)} of {len(cut)}", hint=_SEE
        )
    return policies


def _syntax(error: ValueError, cut: Sequence[Statement]) -> NoReturn:
    """Cedar gives no position: the first statement that does not parse by itself is the one."""
    from cedarpy import PolicySet

    for number, one in enumerate(cut):
        try:
            PolicySet.from_str(one.text)
        except ValueError as found:
            where = f"policy {number + 1}, line {one.line}"
            raise InvalidPolicy(f"the policy does not parse: {found}", on=where, hint=_SEE) from found
    raise InvalidPolicy(f"the policies do not parse: {error}", hint=_SEE) from error


def _head(number: int, one: Statement) -> dict[str, Any]:
    """Effect, scope and annotations in Cedar's JSON. Without the conditions, so it is never deep."""
    from cedarpy import policies_to_json_str

    try:
        found = json.loads(policies_to_json_str(one.head))["staticPolicies"]
        head: dict[str, Any] = found["policy0"]
    except (ValueError, KeyError) as error:  # an annotation written so oddly that `head` ends inside it
        where = f"policy {number + 1}, line {one.line}"
        raise InvalidPolicy("the policy's annotations cannot be read", on=where, hint=_SEE) from error
    return head


def _name(number: int, head: dict[str, Any]) -> str:
    return head.get("annotations", {}).get("id") or f"policy {number + 1}"


def _distinct(names: Sequence[str], cut: Sequence[Statement]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            lines = ", ".join(str(one.line) for one, other in zip(cut, names, strict=True) if other == name)
            raise InvalidPolicy("two policies have one name", on=f"{name!r}, lines {lines}")


def _validate(text: str, names: Sequence[str], cut: Sequence[Statement], held_to: Schema) -> None:
    from cedarpy import validate_policies

    result = validate_policies(text, held_to)
    if result.validation_passed:
        return
    found = sorted({(_number(error), _PREFIX.sub("", error.error)[:_LONG]) for error in result.errors})
    number = found[0][0]
    said = [message for other, message in found if other == number]
    more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
    raise InvalidPolicy(
        "the policy does not fit the schema: " + "; ".join(said[:_SHOWN]) + more,
        on=f"{names[number]!r}, line {cut[number].line}",
        hint=_SEE,
    )


def _number(error: ValidationError) -> int:
    return int(error.policy_id.removeprefix("policy"))
