"""File-system notifications: where something happened, told to the scanner while it happens.

They only make things faster. Whatever they miss, the sweep finds.
"""

import asyncio
import os
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Final

from watchfiles import awatch

from libs.telemetry.logs import logger
from services.scanner.scanner import Scanner

STEP_MS: Final = 20
DEBOUNCE_MS: Final = 100
POLL_MS: Final = 1000
LULL_MS: Final = 1000
"""After so long without a change the folders themselves are looked at: one may have been replaced."""

RETRY_S: Final = 1.0

log = logger("scanner")


class Means(Enum):
    """How changes are noticed."""

    KERNEL = "kernel"
    """The kernel tells them."""
    POLLING = "polling"
    """The tree is compared with itself every second: when the kernel refuses more watches."""


class Notices:
    """Watches the folders of one SOURCE location's instruments.

    Args:
        location: The location.
        root: Its folder.
        folders: The instruments' folders below it; they may not be there yet.
    """

    def __init__(self, location: str, root: Path, folders: Iterable[str]) -> None:
        self._location = location
        self._root = root
        self._folders = [root / folder for folder in folders]
        self._means = Means.KERNEL

    async def run(self, scanner: Scanner) -> None:
        """Tell `scanner`, for ever."""
        while True:
            there = await asyncio.to_thread(lambda: [folder for folder in self._folders if folder.is_dir()])
            if there:
                await self._watch(scanner, there)
            await asyncio.sleep(RETRY_S)

    async def _watch(self, scanner: Scanner, there: list[Path]) -> None:
        """Watch until a folder comes or goes, or the kernel refuses."""
        before = await asyncio.to_thread(_identities, self._folders)
        established = False
        folders: list[str] = []
        try:
            async for changes in awatch(
                *there,
                step=STEP_MS,
                debounce=DEBOUNCE_MS,
                watch_filter=None,
                rust_timeout=LULL_MS,
                yield_on_timeout=True,
                ignore_permission_denied=True,
                force_polling=self._means is Means.POLLING,
                poll_delay_ms=POLL_MS,
            ):
                if not established:
                    # What happened before the watch was there is nobody's notice.
                    scanner.notice_all()
                    established = True
                # What came into a new folder before that was watched, too, is nobody's notice either.
                scanner.notice(self._location, folders)
                folders = scanner.notice(self._location, [self._relative(path) for _, path in changes])
                if not changes and await asyncio.to_thread(_identities, self._folders) != before:
                    return
        except FileNotFoundError:
            return
        except (OSError, RuntimeError) as error:
            # The kernel's limit of watches comes as either; watchfiles has no name of its own for it.
            log.warning("notifications_refused", location=self._location, error=repr(error), now="polling")
            self._means = Means.POLLING

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self._root)


def _identities(folders: Iterable[Path]) -> list[tuple[int, int] | None]:
    """Device and inode of each folder; None if it is not there."""
    found: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            facts = folder.stat()
        except OSError:
            found.append(None)
        else:
            found.append((facts.st_dev, facts.st_ino))
    return found
