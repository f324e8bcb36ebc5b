from libs.service.telling import AGAIN_AFTER_S, Board


def test_a_board_is_read_when_it_changed_or_stood_still_for_long() -> None:
    now = 100.0
    board = Board(clock=lambda: now)
    untold = board.was_told
    assert board.news() == {"done": 0}
    assert (untold, board.was_told) == (False, True)
    assert board.news() is None
    board.show(done=5, rate=1)
    assert board.news() == {"done": 5, "rate": 1}
    now += AGAIN_AFTER_S
    assert board.news() == {"done": 5, "rate": 1}
    assert board.news() is None
