"""What happened in the registry that the tamper suite attacks, before anybody attacked it.

Five members: ``alice`` is the admin whose home it is; ``bob`` reads ``vision/`` through the team ``ml``;
``carol`` reads ``vision/net`` for a day; ``dora`` read and pushed there once and is disabled, which began the
vault's second epoch; ``frank`` may pull nothing. A policy asks for a review where a model is pulled for
serving, and version 2 has one, by bob.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry import access, acts, attesting, catalog, identities, members, policies
from registry.checkout import checkout, verify
from registry.context import Context
from registry.errors import NotPermitted
from registry.push import push
from registry.records import leases, tables
from registry.records.database import writing
from support.marked import write_model

MODEL = "vision/net"
OTHER = "vision/other"
REF = f"{MODEL}:prod"
VERSION = 2
YANKED = f"{MODEL}:3"
REVIEW = "https://example.org/review/v1"
TERM = timedelta(days=1)  # of carol's grant
POLICY = f"""@id("reviewed-before-serving")
forbid (principal, action == Action::"pull", resource)
when {{ context has purpose && context.purpose == "serving" }}
unless {{ resource.hasTag("{REVIEW}") }};
"""
STORY = (
    *("genesis", "enroll", "enroll", "enroll", "enroll", "team", "team-add", "create", "push", "push"),
    *("grant", "disable", "alias", "push", "yank", "create", "push"),
    *("grant", "grant", "policy", "pull", "attest", "refusal", "attest", "pull"),
)
"""The kinds of the ledger's acts, in order."""

As = Callable[[str], AbstractContextManager[Context]]  # the registry, opened by this member


def people(directory: Path) -> None:
    """The identity files of everybody but the admin, who has the home's own."""
    directory.mkdir()
    for name in ("bob", "carol", "dora", "frank"):
        identities.create(name, directory / f"{name}.pem", None)


def tell(
    context: Context, files: Path, directory: Path, as_member: As, meanwhile: Callable[[], None]
) -> None:
    """Fill an empty registry, opened by its admin. ``meanwhile`` is called before the keys of ``vision/net``
    change and the alias moves: what was there then is genuine, and old."""
    _enroll(context, files)
    push(context, write_model(directory / "1", seed=1), MODEL, aliases=["prod"])
    second = write_model(directory / "2", seed=2)
    push(context, second, MODEL, label="1.4.0-int8", metadata={"dataset": "crops"})
    access.grant(context, "dora", ["pull", "push"], MODEL)
    meanwhile()
    members.disable(context, "dora", "left")
    catalog.alias(context, f"{MODEL}:{VERSION}", "prod")
    push(context, write_model(directory / "3", seed=3), MODEL, label="1.5.0-int8")
    catalog.yank(context, YANKED, "calibrated on the wrong data")
    push(context, write_model(directory / "4", seed=4), OTHER)
    shutil.rmtree(directory)
    _share(context)
    with as_member("bob") as bob:
        checkout(bob, REF)
        attesting.attest_value(bob, REF, REVIEW, {"found": "nothing"})
    with as_member("carol") as carol, pytest.raises(NotPermitted):
        checkout(carol, OTHER)  # refused, and told
    with as_member("bob") as bob:
        attesting.attest_value(bob, OTHER, acts.RECIPE, {"parent": {"digest": f"sha256:{'0' * 64}"}})
    verify(context, REF)
    with writing(context.engine) as connection:  # a push under way, on a machine that is not this one
        leases.take(connection, "f" * 32, MODEL, context.now())
        seen = {"name": "a witness", "key": "0" * 8, "size": 1, "note": "its note", "line": "its line"}
        connection.execute(sa.insert(tables.cosignatures), seen)


def _enroll(context: Context, files: Path) -> None:
    for name in ("bob", "carol", "dora", "frank"):
        members.add(context, files / f"{name}.pub")
    members.create_team(context, "ml")
    members.join_team(context, "ml", "bob")


def _share(context: Context) -> None:
    access.grant(context, "ml", ["pull"], "vision/")
    until = acts.timestamp(context.now() + TERM)
    access.grant(context, "carol", ["pull"], MODEL, until)
    policies.put(context, POLICY)
