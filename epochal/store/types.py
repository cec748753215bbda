"""Column types for UTC times, enum members, dataclasses and tuples of strings."""

import enum
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Enum, TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC, stored without its time zone, because SQLite cannot store one; UTC is added back on reading."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return an aware time as a naive time in UTC, for storage."""
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a stored naive time as an aware time in UTC."""
        return value.replace(tzinfo=UTC) if value is not None else None


def enum_type(enumeration: type[enum.Enum], length: int = 16) -> Enum:
    """Return a column type that stores members of ``enumeration`` by value and rejects other values.

    ``length`` is the length of the column in characters.
    """
    return Enum(
        enumeration,
        length=length,
        native_enum=False,
        validate_strings=True,
        values_callable=lambda members: [member.value for member in members],
    )


class DataclassJson(TypeDecorator[Any]):
    """A dataclass of plain values and enum members, stored as a JSON object.

    When an object is read, stored fields that the dataclass no longer has are ignored.
    """

    impl = JSON
    cache_ok = True

    def __init__(self, record: type[Any], **enumerations: type[enum.Enum]) -> None:
        """Create a column type for the dataclass ``record``; ``enumerations`` maps its fields to their enumerations."""
        super().__init__(none_as_null=True)
        self.record = record
        self.enumerations = tuple(sorted(enumerations.items()))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a dataclass instance as a dictionary, for storage."""
        return None if value is None else asdict(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a stored dictionary as an instance of the dataclass."""
        if value is None:
            return None
        known = {field.name: value[field.name] for field in fields(self.record) if field.name in value}
        return self.record(**known | {name: enumeration(known[name]) for name, enumeration in self.enumerations})


class StringTuple(TypeDecorator[tuple[str, ...]]):
    """A tuple of strings, stored as a JSON array."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a sequence as a list, for storage."""
        return None if value is None else list(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a stored list as a tuple."""
        return None if value is None else tuple(value)
