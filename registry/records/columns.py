"""How columns and constraints are written: one naming convention, one width per kind of value."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    LargeBinary,
    MetaData,
    String,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, to_instance

from registry.errors import Malformed

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

HASH = LargeBinary(32)
KEYID = String(64)
TIME = String(27)
MODEL = String(257)


class Typed(TypeDecorator[Any]):
    """A column's type, held to when a value is read: SQLite keeps whatever its file is made to hold.

    Raises Malformed for a value of another type.
    """

    impl = LargeBinary  # the one that __init__ is given takes its place
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = to_instance(kind)
        self.impl = self.impl_instance = self.kind
        self._values: type[Any] = self.kind.python_type

    @property
    def python_type(self) -> type[Any]:
        """The Python type of the column's values."""
        return self._values

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if value is not None and not isinstance(value, self._values):
            raise Malformed(f"the database holds {type(value).__name__} where {self.kind} belongs")
        return value


def key(name: str, kind: Any) -> Column[Any]:
    """A part of the primary key. Keys are natural: no value is made up by the database."""
    return Column(name, Typed(kind), primary_key=True, autoincrement=False)


def col(name: str, kind: Any, *, nullable: bool = False) -> Column[Any]:
    """A column that is no part of the primary key."""
    return Column(name, Typed(kind), nullable=nullable)


def seq() -> Column[Any]:
    """The sequence number of the act that wrote the row."""
    return Column("seq", Typed(BigInteger), nullable=False)


def of(columns: list[str], target: str) -> ForeignKeyConstraint:
    """A reference to the columns of the same names in ``target``."""
    return ForeignKeyConstraint(columns, [f"{target}.{name}" for name in columns])
