"""Reading a tar that may lie, forward only, in blocks: members are told to a sink as they come.

Only the 512-byte headers and small pax records are ever held; a size in a header allocates nothing.
"""

from enum import Enum, auto
from typing import Protocol

from libs.packaging.faults import BagFault, BagProblem
from libs.packaging.headers import (
    BLOCK,
    MAX_PAX_BYTES,
    PAX,
    Header,
    HeaderDamagedError,
    HeaderUnsupportedError,
    decode,
    decode_records,
    padding,
)

_ZEROS = bytes(BLOCK)
_EXTENSIONS = frozenset({b"g", b"L", b"K", b"S", b"V", b"M", b"N", b"X", b"D"})


class LostTrackError(Exception):
    """The tar cannot be followed any further.

    Args:
        problem: Where and why.
    """

    def __init__(self, problem: BagProblem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class MemberSink(Protocol):
    """What hears of the members, in their order."""

    def begin(self, header: Header, offset: int) -> None:
        """A member starts; its data begins at this byte of the package."""

    def data(self, piece: memoryview, *, last: bool) -> None:
        """The member's next bytes; once with none at all for an empty member."""


class _Expects(Enum):
    """What the next bytes are."""

    HEADER = auto()
    """A header block, or the first zero block of the end."""

    RECORDS = auto()
    """The records of a pax header."""

    DATA = auto()
    """A member's bytes."""

    SECOND_ZERO_BLOCK = auto()
    """The second zero block of the end."""

    NOTHING = auto()
    """Nothing but zeros, with which other programs fill up the last record."""


class TarReader:
    """Follows a tar through blocks whose lengths are multiples of 512, the last one excepted."""

    def __init__(self, sink: MemberSink) -> None:
        self._sink = sink
        self._expects = _Expects.HEADER
        self._left = 0
        self._padding = 0
        self._body = bytearray()
        self._records: dict[str, str] = {}
        self._member = ""
        self._position = 0

    def feed(self, view: memoryview) -> None:
        """Takes the next block.

        Raises:
            LostTrackError: The bytes are no tar of ours.
        """
        position = 0
        while position < len(view):
            taken = self._step(view[position:])
            position += taken
            self._position += taken

    def finish(self) -> None:
        """Ends the tar.

        Raises:
            LostTrackError: The tar was not at its end.
        """
        if self._expects is not _Expects.NOTHING:
            raise LostTrackError(
                BagProblem(BagFault.TRUNCATED, self._member, "the package ends before its end mark")
            )

    def _step(self, view: memoryview) -> int:
        if self._expects is _Expects.NOTHING:
            return self._after_end(view)
        if self._left:
            return self._take(view)
        if self._padding:
            skipped = min(self._padding, len(view))
            self._padding -= skipped
            return skipped
        if len(view) < BLOCK:
            raise self._lost(BagFault.TRUNCATED, "the package ends within a header")
        self._block(bytes(view[:BLOCK]))
        return BLOCK

    def _take(self, view: memoryview) -> int:
        piece = view[: self._left]
        self._left -= len(piece)
        if self._expects is _Expects.DATA:
            self._sink.data(piece, last=self._left == 0)
        else:
            self._body += piece
            if not self._left:
                self._records = self._decode_records()
        if not self._left:
            self._expects = _Expects.HEADER
        return len(piece)

    def _block(self, block: bytes) -> None:
        if block == _ZEROS and not self._records:
            ended = self._expects is _Expects.SECOND_ZERO_BLOCK
            self._expects = _Expects.NOTHING if ended else _Expects.SECOND_ZERO_BLOCK
            return
        if self._expects is _Expects.SECOND_ZERO_BLOCK:
            raise self._lost(BagFault.HEADER_DAMAGED, "a single zero block stands within the tar")
        self._header(self._decode(block))

    def _header(self, header: Header) -> None:
        self._left, self._padding = header.size, padding(header.size)
        if header.kind == PAX:
            self._expect_records(header)
            return
        if header.kind in _EXTENSIONS:
            raise self._lost(BagFault.HEADER_UNSUPPORTED, f"a header of type {header.kind!r}")
        self._records, self._member = {}, header.name
        self._expects = _Expects.DATA
        self._sink.begin(header, self._position + BLOCK)
        if not header.size:
            self._sink.data(memoryview(b""), last=True)
            self._expects = _Expects.HEADER

    def _expect_records(self, header: Header) -> None:
        if self._records or not 0 < header.size <= MAX_PAX_BYTES:
            raise self._lost(BagFault.HEADER_UNSUPPORTED, f"a pax header of {header.size} bytes")
        self._body.clear()
        self._expects = _Expects.RECORDS

    def _decode(self, block: bytes) -> Header:
        try:
            return decode(block, self._records)
        except HeaderDamagedError as error:
            raise self._lost(BagFault.HEADER_DAMAGED, str(error)) from error
        except HeaderUnsupportedError as error:
            raise self._lost(BagFault.HEADER_UNSUPPORTED, str(error)) from error

    def _decode_records(self) -> dict[str, str]:
        try:
            return decode_records(bytes(self._body))
        except HeaderDamagedError as error:
            raise self._lost(BagFault.HEADER_DAMAGED, str(error)) from error
        except HeaderUnsupportedError as error:
            raise self._lost(BagFault.HEADER_UNSUPPORTED, str(error)) from error

    def _after_end(self, view: memoryview) -> int:
        if view.tobytes().strip(b"\0"):
            raise self._lost(BagFault.TRAILING_DATA, "bytes follow the end of the tar")
        return len(view)

    def _lost(self, fault: BagFault, detail: str) -> LostTrackError:
        return LostTrackError(BagProblem(fault, self._member, f"after this member: {detail}"))
