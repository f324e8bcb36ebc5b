"""Pages of a list: after the last row of the page before (keyset), so that deep pages cost what the first costs."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import asyncpg
from pydantic import BaseModel

from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader

DEFAULT_LIMIT: Final = 50
MOST: Final = 500

Item = TypeVar("Item", bound=BaseModel)


class Page(BaseModel, Generic[Item]):
    """Some rows, and where the next ones are.

    Attributes:
        next: The `cursor` of the next page; None if this is the last one.
    """

    items: tuple[Item, ...]
    next: str | None = None


class Select:
    """A SELECT being put together; every value travels as an argument.

    Args:
        sql: Up to its conditions, which it begins with ``WHERE true``.
        arguments: Of the SQL so far.
    """

    def __init__(self, sql: str, *arguments: object) -> None:
        self._sql = sql
        self._arguments: list[object] = list(arguments)

    def where(self, condition: str, *values: object) -> None:
        """Add a condition, with ``{}`` in the place of each value; a None value leaves the condition out."""
        if None in values:
            return
        numbers = [f"${len(self._arguments) + n}" for n, _ in enumerate(values, start=1)]
        self._sql += " AND " + condition.format(*numbers)
        self._arguments += values

    async def fetch(self, opsdb: OpsDbReader, *, order: str, limit: int) -> list[asyncpg.Record]:
        """The first rows in an order, one more than `limit` if there is one."""
        sql = f"{self._sql} ORDER BY {order} LIMIT ${len(self._arguments) + 1}"
        return await opsdb.fetch(sql, *self._arguments, limit + 1)


def page_of(
    rows: Sequence[asyncpg.Record],
    limit: int,
    make: Callable[[asyncpg.Record], Item],
    key: Callable[[asyncpg.Record], tuple[object, ...]],
) -> Page[Item]:
    """The first `limit` rows as a page.

    Args:
        rows: One more than `limit` if there are more.
        limit: Of the page.
        make: A row's item.
        key: What the order is by.
    """
    taken = rows[:limit]
    more = len(rows) > limit
    return Page(items=tuple(make(row) for row in taken), next=cursor_of(key(taken[-1])) if more else None)


def cursor_of(key: tuple[object, ...]) -> str:
    """A place in an order, as a word that fits in an address."""
    text = json.dumps([part.isoformat() if isinstance(part, datetime) else str(part) for part in key])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def key_of(cursor: str | None, *readers: Callable[[str], Any]) -> tuple[Any, ...]:
    """The place that a cursor stands for; all None without a cursor.

    Args:
        cursor: As `cursor_of` made it, or anything that a client sends.
        readers: Of the key's parts.

    Raises:
        UserError: ``cursor_invalid``.
    """
    if cursor is None:
        return (None,) * len(readers)
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return tuple(read(part) for read, part in zip(readers, parts, strict=True))
    except (binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            "cursor_invalid",
            f"{cursor[:80]!r} is no cursor of this list",
            "Use the 'next' of the page before, unchanged, or none for the first page.",
        ) from error


def read_time(text: str) -> datetime:
    """An instant with its time zone; ValueError otherwise."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError("no time zone")
    return when
