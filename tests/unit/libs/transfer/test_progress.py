import pytest

from libs.transfer.progress import Meter


def test_rate_and_eta() -> None:
    now = [0.0]
    meter = Meter(1000, lambda: now[0])
    meter.found(200)
    meter.moved(100)
    now[0] = 2.0
    told = meter.read()
    assert (told.bytes_done, told.bytes_total) == (300, 1000)
    assert told.rate == pytest.approx(50)
    assert told.eta_seconds == pytest.approx(14)


def test_no_eta_while_nothing_moves_and_none_left_at_the_end() -> None:
    now = [0.0]
    meter = Meter(10, lambda: now[0])
    now[0] = 1.0
    assert meter.read().eta_seconds is None
    meter.found(10)
    assert meter.read().eta_seconds == 0.0


def test_the_rate_forgets_the_distant_past() -> None:
    now = [0.0]
    meter = Meter(10**9, lambda: now[0])
    meter.moved(1_000_000)
    for _ in range(20):
        now[0] += 1
        meter.moved(10)
        told = meter.read()
    assert told.rate == pytest.approx(10)
