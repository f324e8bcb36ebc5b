from libs.service.telling import Board
from services.stager.tally import Tally


def test_a_job_is_as_far_as_its_packages_together() -> None:
    board = Board()
    tally = Tally(board)
    first, second = tally.part("first"), tally.part("second")
    first(10)
    second(5)
    first(30)
    assert board.figures["done"] == 35


def test_another_archive_copy_begins_anew() -> None:
    board = Board()
    part = Tally(board).part("first")
    part(30)
    part(4)
    assert board.figures["done"] == 4
