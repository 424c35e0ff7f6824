"""A request in Cedar's JSON: the question, and the entities it is about.

Names from outside appear only as JSON strings, never in Cedar text, so no quote or bracket in one means
anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from registry.policy.facts import attested, entities, entity, quantization
from registry.policy.words import GRANT, PROMOTE, PULL, PUSH, Request, Version, Who

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def question(request: Request) -> dict[str, Any]:
    """Principal, action, resource and context, as ``cedarpy.is_authorized`` takes them."""
    on = request.on
    return {
        "principal": {"type": "Member", "id": request.principal.name},
        "action": {"type": "Action", "id": request.action},
        "resource": {"type": "Version", "id": str(on)} if isinstance(on, Version) else _target(on),
        "context": {
            "time": moment(request.time),
            "client": {"program": request.client.program, "host": request.client.host},
            **_asked(request),
        },
    }


def moment(time: datetime) -> dict[str, Any]:
    """The schema's record ``Time``. Cedar's datetimes hold milliseconds; the rest is cut off."""
    now = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    written = now.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return {
        "now": {"__extn": {"fn": "datetime", "arg": written}},
        "weekday": entity("Weekday", WEEKDAYS[now.weekday()]),
        "hour": now.hour,
        "minute": now.minute,
    }


def _asked(request: Request) -> dict[str, Any]:
    """The part of the context that belongs to the action. What was not said is absent."""
    said: dict[str, dict[str, Any]] = {
        PULL: {"purpose": request.purpose},
        PUSH: {"alias": request.alias},
        PROMOTE: {"alias": request.alias},
        GRANT: {"grantee": request.grantee, "actions": entities("Right", request.actions)},
    }
    asked = said.get(request.action, {})
    return {name: value for name, value in asked.items() if value is not None}


def described(on: Version | str) -> list[dict[str, Any]]:
    """Every entity that ``on`` names; the same for every request about it until something is attested."""
    if not isinstance(on, Version):
        return _place(on)
    people = dict.fromkeys((on.publisher, *(one.signer for one in on.attestations)))
    return [*map(member, people), *_place(on.model), *_version(on)]


def member(who: Who) -> dict[str, Any]:
    """One member. Two descriptions, make two entities of one name, which Cedar refuses."""
    attrs = {"name": who.name, "role": entity("Role", who.role)}
    return _one("Member", who.name, attrs, parents=[("Team", team) for team in sorted(who.teams)])


def _target(on: str) -> dict[str, str]:
    if on.endswith("/"):
        return {"type": "Namespace", "id": on.removesuffix("/")}
    return {"type": "Model", "id": on}


def _place(on: str) -> list[dict[str, Any]]:
    """A model and its namespace; or, for ``vision/``, the namespace alone."""
    namespace, _, name = on.partition("/")
    above = _one("Namespace", namespace, {"name": namespace})
    if not name:
        return [above]
    attrs = {"name": name, "namespace": entity("Namespace", namespace)}
    return [above, _one("Model", on, attrs, parents=[("Namespace", namespace)])]


def _version(version: Version) -> list[dict[str, Any]]:
    attrs = {
        "model": entity("Model", version.model),
        "number": version.number,
        "digest": version.digest,
        "publisher": entity("Member", version.publisher.name),
        "size": version.size,
        "metadata": entity("Metadata", str(version)),
        "quantization": quantization(version.quantization),
        "allowed": sorted(version.allowed),
    }
    if version.label is not None:
        attrs["label"] = version.label
    above = [("Model", version.model)]
    return [
        _one("Version", str(version), attrs, parents=above, tags=attested(version)),
        _one("Metadata", str(version), {}, tags=version.metadata),
    ]


def _one(
    kind: str,
    name: str,
    attrs: Mapping[str, Any],
    *,
    parents: list[tuple[str, str]] | None = None,
    tags: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "uid": {"type": kind, "id": name},
        "attrs": dict(attrs),
        "parents": [{"type": above, "id": id} for above, id in parents or []],
        "tags": dict(tags or {}),
    }
