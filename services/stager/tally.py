"""How far a job is: the sum over packages that are recalled side by side."""

from collections.abc import Callable
from functools import partial

from libs.service.telling import Board


class Tally:
    """Shows the bytes of all packages on a job's board; packages are counted in threads of their own.

    Args:
        board: The job's.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._done: dict[str, int] = {}

    def part(self, name: str) -> Callable[[int], None]:
        """What hears how many bytes of one package were read, in all."""
        return partial(self._count, name)

    def _count(self, name: str, done: int) -> None:
        self._done[name] = done
        self._board.show(done=sum(tuple(self._done.values())))
