"""A stream that is read at a pace, in pieces, and can be stopped in its pauses."""

import io
import threading
import time
from itertools import pairwise

from libs.copies.archived import Paced
from libs.transfer.ratelimit import RateLimit

DATA = bytes(range(256)) * 40


def read_all(paced: Paced) -> bytes:
    found = bytearray()
    buffer = memoryview(bytearray(4096))
    while count := paced.readinto(buffer):
        found += buffer[:count]
    return bytes(found)


def test_it_is_no_faster_than_its_limit() -> None:
    told: list[int] = []
    limit = RateLimit(len(DATA) * 4)
    paced = Paced(io.BufferedReader(io.BytesIO(DATA)), limit, threading.Event(), told.append)
    started = time.monotonic()
    assert read_all(paced) == DATA
    assert time.monotonic() - started >= 0.25
    assert told == sorted(told)
    assert told[-1] == len(DATA)
    assert max(b - a for a, b in pairwise(told)) <= limit.block_size(1 << 20)


def test_without_a_limit_it_is_only_counted() -> None:
    told: list[int] = []
    paced = Paced(io.BufferedReader(io.BytesIO(DATA)), None, threading.Event(), told.append)
    assert paced.read(100) + read_all(paced) == DATA
    assert told[0] == 100


def test_a_stop_ends_its_pauses() -> None:
    stop = threading.Event()
    paced = Paced(io.BufferedReader(io.BytesIO(DATA)), RateLimit(1), stop, lambda _: None)
    stop.set()
    started = time.monotonic()
    for _ in range(50):
        paced.read(100)
    assert time.monotonic() - started < 5
