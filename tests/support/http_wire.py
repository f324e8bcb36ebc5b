"""As much of HTTP/1.1 as it takes to hand messages on: heads, and bodies of a known length, chunked, or to the end."""

import asyncio
from dataclasses import dataclass

_BLOCK = 1 << 16
_NO_BODY = frozenset({204, 304})
_INTERIM = range(100, 200)
CHUNKED = -1
"""The length of a body that comes in chunks."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request's or an answer's head.

    Attributes:
        raw: All of it, with the empty line.
        first: The words of its first line.
        fields: Header fields, names in lower case.
    """

    raw: bytes
    first: tuple[str, ...]
    fields: dict[str, str]

    @property
    def method(self) -> str:
        """Of a request."""
        return self.first[0]

    @property
    def target(self) -> str:
        """Of a request: path and query."""
        return self.first[1]

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.first[1])

    @property
    def is_interim(self) -> bool:
        """Whether another answer follows."""
        return self.status in _INTERIM

    @property
    def length(self) -> int | None:
        """Bytes of the body as its field says; None if it says nothing."""
        if self.fields.get("transfer-encoding", "").lower() == "chunked":
            return CHUNKED
        declared = self.fields.get("content-length")
        return None if declared is None else int(declared)

    @property
    def expects_continue(self) -> bool:
        """Whether a request's body comes only after an interim answer."""
        return self.fields.get("expect", "").lower() == "100-continue"

    @property
    def closes(self) -> bool:
        """Whether its sender closes the connection afterwards."""
        return self.fields.get("connection", "").lower() == "close"

    def body_length(self, method: str) -> int | None:
        """Bytes of an answer's body to a request of this method; None if it goes to the end."""
        return 0 if method == "HEAD" or self.status in _NO_BODY else self.length


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head; None at the end of the connection.

    Raises:
        asyncio.IncompleteReadError: It ends within a head.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = raw.decode("latin-1").split("\r\n")
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
        if name
    }
    return Head(raw, tuple(first.split(" ", 2)), fields)


async def copied(
    reader: asyncio.StreamReader,
    length: int | None,
    writer: asyncio.StreamWriter | None = None,
    *,
    flip: int | None = None,
    pause_s: float = 0.0,
) -> None:
    """Hand a body on, or read it for nobody.

    Args:
        reader: Where it comes from.
        length: Its bytes; `CHUNKED`, or None for everything until the end.
        writer: Where it goes.
        flip: The byte in which one bit is turned; none if left out.
        pause_s: After each block.

    Raises:
        asyncio.IncompleteReadError: It ends early.
    """
    if length == CHUNKED:
        await _copied_chunks(reader, writer)
        return
    done = 0
    while length is None or done < length:
        block = await reader.read(_BLOCK if length is None else min(_BLOCK, length - done))
        if not block:
            if length is None:
                return
            raise asyncio.IncompleteReadError(b"", length - done)
        if writer is not None:
            writer.write(_flipped(block, None if flip is None else flip - done))
            await writer.drain()
        done += len(block)
        if pause_s:
            await asyncio.sleep(pause_s)


def _flipped(block: bytes, at: int | None) -> bytes:
    if at is None or not 0 <= at < len(block):
        return block
    return block[:at] + bytes([block[at] ^ 1]) + block[at + 1 :]


async def _copied_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        data = await reader.readexactly(size + 2)
        if writer is not None:
            writer.write(line + data)
            await writer.drain()
        if size == 0:
            return
