"""Errors: what failed, on what, and the next step, for people and for scripts."""

from __future__ import annotations

import pytest

from registry import errors
from registry.errors import RegistryError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RegistryError)]
EXITS = {
    "InvalidInput": 2,
    "NotFound": 3,
    "Denied": 4,
    "Untrusted": 5,
    "Conflict": 6,
    "Unavailable": 7,
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_exit_code_belongs_to_one_family(kind: type[RegistryError]) -> None:
    families = [name for name in EXITS if issubclass(kind, getattr(errors, name))]
    assert [kind.exit_code] == ([EXITS[name] for name in families] or [1])


def test_an_error_says_what_failed_and_on_what() -> None:
    error = errors.BadDigest("the file is not the signed one", on="weights.bin", hint="fetch it again")
    assert str(error) == "the file is not the signed one (weights.bin)"
    assert error.to_dict() == {
        "code": "bad-digest",
        "message": "the file is not the signed one",
        "on": "weights.bin",
        "hint": "fetch it again",
        "step": None,
    }


def test_an_error_on_nothing_in_particular_is_its_message() -> None:
    assert str(errors.Conflict("taken")) == "taken"


def test_the_step_of_the_ritual_is_told() -> None:
    error = errors.Untrusted("changed")
    error.step = "9 (open)"
    assert error.to_dict()["step"] == "9 (open)"
