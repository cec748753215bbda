"""How values of ours are kept in columns: times in UTC, words of an enumeration, records as JSON."""

import enum
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Enum, TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: SQLite has no time zones, so they are taken off on the way in and put back on the way out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return an aware moment as a naive one in UTC."""
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a naive moment in UTC as an aware one."""
        return value.replace(tzinfo=UTC) if value is not None else None


def one_of(words: type[enum.Enum], length: int = 16) -> Enum:
    """Return the type of a column that keeps a member of an enumeration as its value, and refuses other values."""
    return Enum(
        words,
        length=length,
        native_enum=False,
        validate_strings=True,
        values_callable=lambda members: [member.value for member in members],
    )


class Record(TypeDecorator[Any]):
    """A record (a dataclass) of plain values and words, kept as a JSON object.

    Fields that it does not have any more are passed over when it is read.
    """

    impl = JSON
    cache_ok = True

    def __init__(self, record: type[Any], **words: type[enum.Enum]) -> None:
        """``words``: the fields that are members of an enumeration, and of which."""
        super().__init__(none_as_null=True)
        self.record = record
        self.words = tuple(sorted(words.items()))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a record as a dictionary."""
        return None if value is None else asdict(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a dictionary as a record."""
        if value is None:
            return None
        known = {field.name: value[field.name] for field in fields(self.record) if field.name in value}
        return self.record(**known | {name: words(known[name]) for name, words in self.words})


class Texts(TypeDecorator[tuple[str, ...]]):
    """A tuple of texts, kept as a JSON array."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a sequence as a list."""
        return None if value is None else list(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return a list as a tuple."""
        return None if value is None else tuple(value)
