"""A file that arrives in blocks: hashed while it is written, under its name only when it is wanted."""

import hashlib
import secrets
from contextlib import suppress
from pathlib import Path

from libs.storage.files import PARTIAL_SUFFIX, full_or, make_folders, publish


class Landing:
    """A temporary file beside its final place. All methods block.

    Attributes:
        size: Bytes written so far.
    """

    def __init__(self, final: Path) -> None:
        make_folders(final.parent)
        self._final = final
        self._temporary = final.with_name(f".{secrets.token_hex(8)}{PARTIAL_SUFFIX}")
        self._file = self._temporary.open("xb", buffering=0)
        self._sha = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of the bytes written so far, hexadecimal."""
        return self._sha.hexdigest()

    def write(self, blocks: list[bytes]) -> int:
        """Append blocks and return their bytes.

        Raises:
            Retriable: `disk_full`.
        """
        count = 0
        for block in blocks:
            self._write_whole(block)
            self._sha.update(block)
            count += len(block)
        self.size += count
        return count

    def keep(self) -> None:
        """Sync the file and give it its final name, replacing what had it."""
        self._file.close()
        publish(self._temporary, self._final)

    def discard(self) -> None:
        """Remove what was written; after `keep` there is nothing left to remove."""
        self._file.close()
        with suppress(FileNotFoundError):
            self._temporary.unlink()

    def _write_whole(self, block: bytes) -> None:
        view = memoryview(block)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise full_or(error, self._final) from error
