"""What a reader has waited for, held against every connection that it reads by afterwards.

The projector's commits do not wait for the disk (`libs.opsdb.writer`): a crash of PostgreSQL takes the last ones back,
and so may a server that takes the place of another. Who waited for an event, and reads by a connection that was made
after that, would see the tables of before the event, find nothing to do, and acknowledge: nobody would do it.

Invariant: a connection is read by only after it has shown every position that was promised. It then shows it for as
long as it lives, for no crash leaves a connection.
"""

from typing import Any

import asyncpg

from libs.errors import Retriable


class Session(asyncpg.Connection):
    """A connection to the ops-db.

    Attributes:
        shown: By stream, the highest position that the tables had when it looked.
    """

    __slots__ = ("shown",)

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - asyncpg's own
        super().__init__(*arguments, **options)
        self.shown: dict[str, int] = {}


class Promises:
    """The highest position of each stream that somebody in this process has waited for."""

    def __init__(self) -> None:
        self._made: dict[str, int] = {}

    def make(self, stream: str, sequence: int) -> None:
        """Whatever is read from now on contains this event."""
        self._made[stream] = max(sequence, self._made.get(stream, 0))

    async def keep(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        """Return if what this connection reads from now on contains all that was promised.

        Args:
            connection: A `Session` of the pool; in a transaction of one view, this makes the view.

        Raises:
            Retriable: ``opsdb_went_back``.
        """
        shown: dict[str, int] = connection.shown  # type: ignore[attr-defined]  # the proxy of a `Session`
        if not self._behind(shown):
            return
        rows = await connection.fetch("SELECT stream, sequence FROM stream_position")
        shown.update((row["stream"], row["sequence"]) for row in rows)
        for stream, sequence in self._behind(shown).items():
            raise Retriable(
                "opsdb_went_back",
                f"the ops-db had applied {stream} up to {sequence}, and is at {shown.get(stream, 0)} again: "
                "PostgreSQL has lost its last commits",
                "Nothing: the projector applies them again from the log; if it lasts, look whether it runs.",
            )

    def _behind(self, shown: dict[str, int]) -> dict[str, int]:
        return {stream: n for stream, n in self._made.items() if shown.get(stream, 0) < n}
