"""A server's folder: who holds it, and the secrets kept in it."""

import asyncio
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import Self

import psutil

from libs.errors import UserError

LOCK_PATIENCE_S = 10.0
POLL_S = 0.02
SECRET_BYTES = 24


def make_private(folder: Path) -> None:
    """Create `folder` for its owner alone; folders above it are created with the usual mode."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step, readable by its owner alone."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)


def kept_secret(path: Path) -> str:
    """Return the secret in `path` (lower-case hexadecimal digits); generate and keep one at first."""
    if not path.exists():
        write_private(path, secrets.token_hex(SECRET_BYTES) + "\n")
    return path.read_text().strip()


def chown_tree(folder: Path, uid: int, gid: int) -> None:
    """Give `folder` and all below it to `uid` and `gid`, unless the folder is theirs already."""
    if not folder.exists() or folder.stat().st_uid == uid:
        return
    for parent, names, files in os.walk(folder):
        for name in (*names, *files):
            os.chown(Path(parent, name), uid, gid, follow_symlinks=False)
    shutil.chown(folder, uid, gid)


class FolderLock:
    """Held from before a server starts until the last of its processes is gone.

    The server's processes inherit the locked file. When the starter is killed, the folder is therefore
    free only after they have died as well, and the next starter waits for that moment.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    async def take(cls, folder: Path, patience_s: float = LOCK_PATIENCE_S) -> Self:
        """Lock `folder`, waiting up to `patience_s` seconds for the processes of a dead starter.

        Raises:
            UserError: Another process, named by its pid, runs a server here.
        """
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await _wait_for(fd, folder, patience_s)
        except BaseException:
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return cls(fd)

    def release(self) -> None:
        """Give the folder back; the next starter waits for processes that still hold the lock."""
        os.ftruncate(self.fd, 0)
        os.close(self.fd)


async def _wait_for(fd: int, folder: Path, patience_s: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while not _try_lock(fd):
        holder = _holder(fd)
        alive = holder is not None and psutil.pid_exists(holder)
        if alive or loop.time() > deadline:
            reason = f"{folder} is in use by process {holder if holder is not None else 'unknown'}"
            remedy = "Stop that process first, or choose another work folder."
            raise UserError("folder_in_use", reason, remedy)
        await asyncio.sleep(POLL_S)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).decode().strip()
    return int(text) if text else None
