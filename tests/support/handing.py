"""What forgeries of the law are made of: people with few rights, and acts with the keys that follow."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from registry import acts
from registry.crypto import possession
from registry.crypto.identity import Identity
from support.forger import each
from support.publisher import Publisher


def fresh(prefix: str) -> str:
    """A name that nothing has yet."""
    return f"{prefix}{secrets.token_hex(4)}"


def with_keys(body: Any, **changes: Any) -> Any:
    """The act with other vaults, shares or blobs in its custody."""
    return replace(body, custody=replace(body.custody, **changes))


def with_vault(body: Any, **changes: Any) -> Any:
    """The act with its one vault changed."""
    return with_keys(body, vaults=each(body.custody.vaults, **changes))


def creation(alice: Publisher) -> Any:
    return alice.whole(acts.Create(fresh("vision/")))


def grant(alice: Publisher, until: str | None = None) -> Any:
    return alice.whole(acts.Grant("carol", ("pull",), "vision/net", until))


def revocation(alice: Publisher) -> Any:
    return alice.whole(acts.Revoke("bob", ("pull",), "vision/net"))


def proof(name: str) -> bytes:
    return possession.prove(Identity.generate(name))


def later(alice: Publisher, **term: float) -> str:
    return acts.timestamp(alice.now + timedelta(**term))


def member(alice: Publisher, role: acts.Role = "member") -> Identity:
    return alice.enroll(fresh("member-"), role)


def guest_of(alice: Publisher, action: acts.Action) -> tuple[Identity, str]:
    """A member with a right for five minutes, and the model that it is for."""
    guest, model = member(alice), fresh("vision/")
    alice.admit(alice.push(model=model))
    alice.grant(guest.name, (action,), model, alice.now + timedelta(minutes=5))
    return guest, model
