"""Tar headers of POSIX.1-2001 (pax), written and read: regular files only.

Owner, mode and every other field are fixed, so that the bytes depend on path, size and time alone. A pax
record is written only for what the old fields cannot hold: paths above 100 bytes or not ASCII, sizes from
8 GiB, times with a fraction or outside 0 to 8**11 - 1 seconds.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

BLOCK = 512
END_OF_TAR = bytes(2 * BLOCK)
MAX_PAX_BYTES = 16 * 1024
REGULAR, PAX = b"0", b"x"
_OCTAL_LIMIT = 8**11
_NANO = 1_000_000_000
_FORMAT = struct.Struct("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x")
_NAME_BYTES = 100
_LENGTH_DIGITS = len(str(MAX_PAX_BYTES))
_CHECKSUM = slice(148, 156)
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_MTIME = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?")
_SIZE = re.compile(r"[0-9]{1,19}")
_PAX_KEYS = frozenset({"path", "size", "mtime"})


class HeaderDamagedError(ValueError):
    """A header's bytes make no sense."""


class HeaderUnsupportedError(ValueError):
    """A header makes sense, but no package of ours has such a one."""


@dataclass(frozen=True, slots=True)
class Header:
    """One tar member.

    Attributes:
        kind: The type flag, one byte; ``0`` for a regular file.
        name: The member's whole name.
        size: Bytes of data that follow.
        mtime_ns: Nanoseconds since 1970-01-01 UTC.
    """

    kind: bytes
    name: str
    size: int
    mtime_ns: int


def padding(size: int) -> int:
    """Zero bytes that follow so many bytes of data."""
    return -size % BLOCK


def encode(name: str, size: int, mtime_ns: int) -> bytes:
    """Everything that stands before a regular file's data.

    Args:
        name: The member's whole name, valid UTF-8.
        size: Bytes of data.
        mtime_ns: Nanoseconds since 1970-01-01 UTC.

    Returns:
        One header block, or a pax header with its records and one header block.
    """
    raw = name.encode()
    seconds, fraction = divmod(mtime_ns, _NANO)
    records = b""
    if fraction or not 0 <= seconds < _OCTAL_LIMIT:
        records += _record("mtime", _decimal(mtime_ns))
        seconds = seconds if 0 <= seconds < _OCTAL_LIMIT else 0
    if len(raw) > _NAME_BYTES or not raw.isascii():
        records += _record("path", raw)
        raw = name.encode("ascii", "replace")[:_NAME_BYTES]
    if size >= _OCTAL_LIMIT:
        records += _record("size", b"%d" % size)
        size = 0
    header = _block(raw, size, seconds, REGULAR)
    if not records:
        return header
    return b"".join(
        (
            _block(b"././@PaxHeader", len(records), 0, PAX),
            records,
            bytes(padding(len(records))),
            header,
        )
    )


def _decimal(mtime_ns: int) -> bytes:
    seconds, fraction = divmod(abs(mtime_ns), _NANO)
    digits = b"." + (b"%09d" % fraction).rstrip(b"0") if fraction else b""
    return b"%s%d%s" % (b"-" if mtime_ns < 0 else b"", seconds, digits)


def _record(key: str, value: bytes) -> bytes:
    body = b" " + key.encode() + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))
    length = len(body) + len(str(length))
    return b"%d" % length + body


def _block(name: bytes, size: int, seconds: int, kind: bytes) -> bytes:
    empty = _FORMAT.pack(
        name, b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0" % size, b"%011o\0" % seconds,
        b" " * 8, kind, b"", b"ustar\0", b"00", b"root", b"", b"0000000\0", b"0000000\0", b"",
    )  # fmt: skip
    return b"%s%06o\0 %s" % (empty[:148], sum(empty), empty[156:])


def decode(block: bytes, records: Mapping[str, str]) -> Header:
    """Reads one header block.

    Args:
        block: 512 bytes.
        records: What a pax header before it said.

    Raises:
        HeaderDamagedError: Wrong checksum or fields that cannot be read.
        HeaderUnsupportedError: Another format than POSIX ustar or pax.
    """
    fields = _FORMAT.unpack(block)
    if sum(block) - sum(block[_CHECKSUM]) + 8 * 32 != _octal(fields[6]):
        raise HeaderDamagedError("the header's checksum is wrong")
    if fields[9] + fields[10] != b"ustar\x0000":
        raise HeaderUnsupportedError("the header is not of POSIX format")
    return Header(
        kind=REGULAR if fields[7] == b"\0" else fields[7],
        name=records.get("path") or _name(fields[15], fields[0]),
        size=_size(records["size"]) if "size" in records else _octal(fields[4]),
        mtime_ns=_time(records["mtime"]) if "mtime" in records else _octal(fields[5]) * _NANO,
    )


def decode_records(body: bytes) -> dict[str, str]:
    """Reads the records of a pax header.

    Raises:
        HeaderDamagedError: Lengths or text that cannot be read.
        HeaderUnsupportedError: Another record than path, size and mtime, each at most once.
    """
    records: dict[str, str] = {}
    while body:
        digits, _, _ = body.partition(b" ")
        if (
            not digits.isdigit()
            or len(digits) > _LENGTH_DIGITS
            or not len(digits) + 3 < int(digits) <= len(body)
        ):
            raise HeaderDamagedError("a pax record has a wrong length")
        record, body = body[len(digits) + 1 : int(digits)], body[int(digits) :]
        key, value = _split_record(record)
        if key not in _PAX_KEYS or key in records:
            raise HeaderUnsupportedError(f"pax record {key[:40]!r}")
        records[key] = value
    return records


def _split_record(record: bytes) -> tuple[str, str]:
    key, equals, value = record.partition(b"=")
    if not equals or not value.endswith(b"\n"):
        raise HeaderDamagedError("a pax record is not of the form key=value")
    try:
        return key.decode(), value[:-1].decode()
    except UnicodeDecodeError as error:
        raise HeaderDamagedError("a pax record is not UTF-8") from error


def _name(prefix: bytes, name: bytes) -> str:
    parts = [part for part in (prefix.partition(b"\0")[0], name.partition(b"\0")[0]) if part]
    try:
        return b"/".join(parts).decode()
    except UnicodeDecodeError as error:
        raise HeaderDamagedError("the member's name is not UTF-8") from error


def _octal(field: bytes) -> int:
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise HeaderDamagedError("a number in the header cannot be read")
    return int(match[1], 8)


def _size(text: str) -> int:
    if _SIZE.fullmatch(text) is None:
        raise HeaderDamagedError("the pax size is no number")
    return int(text)


def _time(text: str) -> int:
    match = _MTIME.fullmatch(text)
    if match is None:
        raise HeaderDamagedError("the pax mtime is no decimal of at most nanoseconds")
    sign, seconds, fraction = match.groups(default="")
    return (-1 if sign else 1) * (int(seconds) * _NANO + int(fraction.ljust(9, "0")))
