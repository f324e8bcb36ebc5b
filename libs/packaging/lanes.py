"""Blocks of bytes that several threads work on at once, each at its own pace.

Invariants:
    - A block is used again only after every task on it has ended; `Ring.next` waits for that.
    - A lane is one thread: its tasks run in the order they were given, so a hash sees bytes in order.
    - A task's error is raised in the thread that owns the ring, at `next` or `drain`.
    - Memory is `BLOCK_COUNT * BLOCK_BYTES` at most, however long the stream.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

BLOCK_BYTES = 4 * 1024 * 1024
BLOCK_COUNT = 6


class Block:
    """A reusable buffer.

    Attributes:
        view: All of its bytes.
        used: How many of them hold something, from the start.
    """

    __slots__ = ("_tasks", "used", "view")

    def __init__(self, size: int) -> None:
        self.view = memoryview(bytearray(size))
        self.used = 0
        self._tasks: list[Future[None]] = []

    def add(self, task: Future[None]) -> None:
        """Notes a task that needs the block's bytes."""
        self._tasks.append(task)

    def idle(self) -> bool:
        """Whether no task needs the block's bytes any more."""
        return all(task.done() for task in self._tasks)

    def wait(self) -> None:
        """Waits for the tasks on the block, and raises the first error among them."""
        for task in self._tasks:
            task.result()
        self._tasks.clear()


class Ring:
    """Lends blocks, the same few again and again."""

    def __init__(self, count: int = BLOCK_COUNT, size: int = BLOCK_BYTES) -> None:
        self._count = count
        self._size = size
        self._made = 0
        self._returned: deque[Block] = deque()

    def next(self) -> Block:
        """An empty block; waits for the one returned first if no more may be made.

        At most `count` blocks may be on loan.
        """
        if self._made < self._count and not (self._returned and self._returned[0].idle()):
            self._made += 1
            return Block(self._size)
        block = self._returned.popleft()
        block.wait()
        block.used = 0
        return block

    def put_back(self, block: Block) -> None:
        """Returns a block; tasks may still be at work on it, but no new one may be added."""
        self._returned.append(block)

    def drain(self) -> None:
        """Waits until no task is left on any returned block."""
        for block in self._returned:
            block.wait()


class Lanes:
    """Named threads of one pass; leaving the context ends them all."""

    def __init__(self, *names: str) -> None:
        self._lanes = {name: ThreadPoolExecutor(1, thread_name_prefix=f"packaging-{name}") for name in names}
        self._stack = ExitStack()
        for lane in self._lanes.values():
            self._stack.callback(lane.shutdown, wait=True, cancel_futures=True)

    def run(self, name: str, block: Block, task: Callable[[], None]) -> Future[None]:
        """Queues a task that needs the block's bytes."""
        future = self._lanes[name].submit(task)
        block.add(future)
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


class Digest:
    """The sha256 of one file, which grows piece by piece and keeps only its 32 bytes at the end."""

    __slots__ = ("_hash", "value")

    def __init__(self) -> None:
        self._hash: hashlib._Hash | None = None
        self.value = b""

    def add(self, piece: memoryview, *, last: bool) -> None:
        """Takes the next piece; the last one settles `value`."""
        if self._hash is None:
            self._hash = hashlib.sha256(piece)
        else:
            self._hash.update(piece)
        if last:
            self.value = self._hash.digest()
            self._hash = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file that stands in one block.

    Attributes:
        digest: The file's.
        view: The part's bytes.
        last: Whether the file ends with it.
    """

    digest: Digest
    view: memoryview
    last: bool


def add_pieces(pieces: Iterable[Piece]) -> None:
    """Hashes the pieces of files that stand in one block."""
    for piece in pieces:
        piece.digest.add(piece.view, last=piece.last)
