from collections.abc import Callable, Iterable
from typing import Any

from libs.embedded.swift_cache import MAX_ENTRIES, LocalCache, filter_factory


def test_an_entry_is_forgotten_when_its_time_is_over() -> None:
    now = 100.0
    cache = LocalCache(now=lambda: now)
    cache.set("container/x", {"status": 200}, time=60)
    cache.set("always", 1)
    assert cache.get("container/x") == {"status": 200}
    now = 160.0
    assert cache.get("container/x") is None
    assert cache.get("always") == 1


def test_deleting_and_counting() -> None:
    cache = LocalCache()
    cache.set("key", "value")
    cache.delete("key")
    cache.delete("key")
    assert cache.get("key") is None
    assert cache.incr("count", delta=2) == 2
    assert cache.decr("count", delta=5) == 0


def test_it_stays_small() -> None:
    cache = LocalCache()
    for number in range(MAX_ENTRIES + 1):
        cache.set(str(number), number)
    assert cache.get("0") is None
    assert cache.get(str(MAX_ENTRIES)) == MAX_ENTRIES


def test_every_request_finds_the_same_cache() -> None:
    seen: list[object] = []

    def application(environ: dict[str, Any], _start: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ["swift.cache"])
        return ()

    wrapped = filter_factory({})(application)
    wrapped({}, print)
    wrapped({}, print)
    assert seen[0] is seen[1]
