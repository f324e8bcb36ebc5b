import threading
import time

import pytest

from libs.transfer.ratelimit import RateLimit


def test_slots_follow_each_other() -> None:
    now = [100.0]
    limit = RateLimit(1000, lambda: now[0])
    assert [limit.reserve(100) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])


def test_idle_time_is_not_saved_up() -> None:
    now = [100.0]
    limit = RateLimit(1000, lambda: now[0])
    limit.reserve(100)
    now[0] = 200.0
    assert limit.reserve(100) == pytest.approx(0.1)


def test_blocks_shrink_to_a_slot() -> None:
    assert RateLimit(10_000_000).block_size(4 << 20) == 1_000_000
    assert RateLimit(1e12).block_size(4 << 20) == 4 << 20
    assert RateLimit(1).block_size(4 << 20) == 1


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="lets nothing through"):
        RateLimit(0)


def test_threads_share_it() -> None:
    limit = RateLimit(1_000_000)
    started = time.monotonic()

    def work() -> None:
        for _ in range(10):
            time.sleep(limit.reserve(10_000))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started >= 0.399
