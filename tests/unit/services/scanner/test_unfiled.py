from services.scanner.unfiled import ASKED_AGAIN_S, Memory


def test_what_was_filed_is_not_known_for_ever() -> None:
    memory = Memory(since=100.0, settled={1}, first_seen={("a.fits", 1, 2): 90.0})

    assert memory.fresh(100.0 + ASKED_AGAIN_S / 2) is memory
    later = memory.fresh(100.0 + ASKED_AGAIN_S)
    assert later.settled == set()
    assert later.first_seen == memory.first_seen
    assert later.fresh(101.0 + ASKED_AGAIN_S) is later
