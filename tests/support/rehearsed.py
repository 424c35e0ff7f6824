"""A company set up once, and copied for whoever changes it."""

from __future__ import annotations

import shutil
from copy import copy
from pathlib import Path

from support import worlds
from support.company import Company


def staffed(directory: Path) -> Company:
    """A company with people and two models, in an empty directory (see ``Company.staff``)."""
    company = Company(directory / "company")
    return company.staff(worlds.make_model(directory / "tiny").parent)


def copied(company: Company, directory: Path) -> Company:
    """The same company in a directory of its own, on SQLite."""
    other = copy(company)
    other.root = Path(shutil.copytree(company.root, directory / "copied"))
    other.home = other.root / company.home.name
    return other
