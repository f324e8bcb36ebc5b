"""The files that make a bag of a folder (RFC 8493), written and read.

bag-info.txt and bagit.txt stand first in the package, the manifests, known only after the pass, last:
which is also the order of their names, with ``data/`` between.
"""

import re
from collections.abc import Iterable, Mapping

from libs.errors import UserError
from libs.packaging.names import decode_name, encode_name

BAG_INFO, BAGIT = "bag-info.txt", "bagit.txt"
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
TAG_FILES = frozenset({BAG_INFO, BAGIT, MANIFEST, TAG_MANIFEST})
PAYLOAD_FOLDER = "data/"
BAGIT_TXT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
SOFTWARE_AGENT = "Chasqui"
_OXUM = "Payload-Oxum"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_LINE = re.compile(rb"([0-9a-fA-F]{64})[ \t]+\*?(.+)", re.DOTALL)
_OXUM_LINE = re.compile(rb"^Payload-Oxum: *([0-9]{1,20})\.([0-9]{1,10})$", re.MULTILINE)
_MAX_LINE = 64 * 1024


def bag_info(info: Mapping[str, str], *, payload_bytes: int, file_count: int) -> bytes:
    """The text of bag-info.txt, one line per field, sorted by label.

    Args:
        info: Fields such as Bagging-Date and Source-Organization. Bag-Software-Agent is added if absent.
        payload_bytes: Sum of the payload files' sizes.
        file_count: Payload files.

    Raises:
        UserError: ``bag_info_invalid`` for a label or value that cannot stand on one line, or for a
            Payload-Oxum, which is counted here.
    """
    fields = {"Bag-Software-Agent": SOFTWARE_AGENT, **info}
    for label, value in fields.items():
        _check_field(label, value)
    fields[_OXUM] = f"{payload_bytes}.{file_count}"
    return "".join(f"{label}: {fields[label]}\n" for label in sorted(fields)).encode()


def _check_field(label: str, value: str) -> None:
    one_line = value and value == value.strip() and len(value.splitlines()) == 1 and "\0" not in value
    if label == _OXUM or _LABEL.fullmatch(label) is None or not one_line or not _is_utf8(value):
        raise UserError(
            "bag_info_invalid",
            f"The field {label!r} with value {value[:80]!r} cannot stand in bag-info.txt",
            "Give a label of letters, digits, dashes; a value of one line without spaces at its ends; "
            "no Payload-Oxum.",
        )


def _is_utf8(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def read_oxum(text: bytes) -> tuple[int, int] | None:
    """The payload's bytes and number of files from bag-info.txt; None if it does not say exactly once."""
    found = _OXUM_LINE.findall(text)
    return (int(found[0][0]), int(found[0][1])) if len(found) == 1 else None


def payload_line_bytes(path: str) -> int:
    """Length of a payload file's line in the manifest, bytes."""
    return 64 + 2 + len(PAYLOAD_FOLDER) + len(encode_name(path).encode()) + 1


def manifest(entries: Iterable[tuple[str, str]]) -> bytes:
    """The text of a manifest.

    Args:
        entries: Hexadecimal sha256 and path relative to the bag, sorted by path.
    """
    return "".join(f"{sha256}  {encode_name(path)}\n" for sha256, path in entries).encode()


class ManifestReader:
    """Reads a manifest in pieces, so that only its entries are held.

    Attributes:
        entries: sha256 (32 bytes) by path relative to the bag.
        faults: What could not be understood, in words; at most one per kind.
    """

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.faults: dict[str, str] = {}
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes of the manifest."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _MAX_LINE:
            self.faults["line too long"] = repr(self._rest[:80])
            self._rest = b""
        for line in lines:
            self._add(line)

    def finish(self) -> None:
        """Ends the manifest; a last line without its line feed is a fault."""
        if self._rest:
            self.faults["last line unfinished"] = repr(self._rest[:80])

    def _add(self, line: bytes) -> None:
        match = _LINE.fullmatch(line)
        if match is None:
            self.faults["line not understood"] = repr(line[:80])
            return
        try:
            path = decode_name(match[2].decode())
        except UnicodeDecodeError:
            self.faults["line not UTF-8"] = repr(line[:80])
            return
        if path in self.entries:
            self.faults["path listed twice"] = repr(path[:80])
        self.entries[path] = bytes.fromhex(match[1].decode())
