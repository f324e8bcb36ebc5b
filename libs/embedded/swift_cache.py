"""A Swift middleware: the account and container cache, kept in the proxy's own memory.

Swift's `cache` middleware needs a memcached server, and would take any that happens to listen on this
machine, even one that another deployment fills. One proxy process needs no server to remember what it
asked a second ago.

Traps:
    - Swift passes `time` in seconds; 0 means for ever.
    - Values are handed out as they were put in: Swift copies them before it changes them.
"""

import time as clock
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
MAX_ENTRIES = 10_000
"""Entries kept; the cache starts anew beyond it, since it saves work and holds no truth."""


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    expires: float


class LocalCache:
    """Stands where Swift expects its memcached client (`swift.common.memcached.MemcacheRing`)."""

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._entries: dict[str, _Entry] = {}
        self._now = now

    def get(self, key: str, *, raise_on_error: bool = False) -> Any:  # noqa: ANN401, ARG002 - Swift's interface
        """Return the value of `key`, or None when it is unknown or too old."""
        entry = self._entries.get(key)
        if entry is None or entry.expires <= self._now():
            return None
        return entry.value

    def set(self, key: str, value: Any, *, time: float = 0, **_options: object) -> None:  # noqa: ANN401 - Swift's interface
        """Keep `value` for `time` seconds, or for ever when that is 0."""
        if len(self._entries) >= MAX_ENTRIES:
            self._entries.clear()
        self._entries[key] = _Entry(value, self._now() + time if time else float("inf"))

    def delete(self, key: str, **_options: object) -> None:
        """Forget `key`."""
        self._entries.pop(key, None)

    def incr(self, key: str, *, delta: int = 1, time: float = 0) -> int:
        """Add `delta` to a counter, which never falls below 0, and return it."""
        value = max(0, int(self.get(key) or 0) + delta)
        self.set(key, value, time=time)
        return value

    def decr(self, key: str, *, delta: int = 1, time: float = 0) -> int:
        """Take `delta` off a counter and return it."""
        return self.incr(key, delta=-delta, time=time)


def filter_factory(_global_conf: Mapping[str, str], **_conf: str) -> Callable[[WsgiApp], WsgiApp]:
    """Paste's entry point: return the middleware around one cache."""
    cache = LocalCache()

    def middleware(app: WsgiApp) -> WsgiApp:
        def cached(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            environ["swift.cache"] = cache
            return app(environ, start_response)

        return cached

    return middleware
