"""A key-value bucket: values with revisions, written only where the caller knows the newest."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Value:
    """A value and the revision that wrote it; None was deleted."""

    data: bytes | None
    revision: int
    until: float | None = None


class Bucket:
    """One bucket.

    Args:
        clock: The server's, seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[str, Value] = {}
        self._revision = 0

    def get(self, key: str) -> Value | None:
        """The newest value; None if there is none."""
        found = self._values.get(key)
        if found is None or found.data is None:
            return None
        return None if found.until is not None and self._clock() >= found.until else found

    def put(self, key: str, data: bytes | None, ttl: float | None = None) -> int:
        """Write whatever is there."""
        self._revision += 1
        until = None if ttl is None else self._clock() + ttl
        self._values[key] = Value(data, self._revision, until)
        return self._revision

    def update(self, key: str, data: bytes | None, revision: int, ttl: float | None = None) -> int | None:
        """Write if the newest revision is the one that is known (0: there is none); None if it is not."""
        found = self._values.get(key)
        newest = 0 if found is None else found.revision
        return self.put(key, data, ttl) if newest == revision else None

    def newest(self, key: str) -> int:
        """The revision of the last write of a key, deletions included; 0 for none."""
        found = self._values.get(key)
        return 0 if found is None else found.revision

    def keys(self) -> list[str]:
        """Of live values, in the order in which they were written first."""
        return [key for key in self._values if self.get(key) is not None]
