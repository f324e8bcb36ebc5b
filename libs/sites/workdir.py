"""The folder in which a running `chasqui up` keeps everything, and the lock that keeps a second `up` out.

    servers/             data and generated passwords of embedded servers
    logs/                one file per process
    run/                 running.json, credentials.env, lock: only while `up` runs (the lock file stays)
    sites/<site>/...     disk locations whose path is relative

Trap: the lock file is never deleted. Whoever deletes it while another opens it makes two locks of one.
"""

import fcntl
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from libs.errors import UserError
from libs.sites.models import Deployment, DiskLocation

VARIABLE = "CHASQUI_WORKDIR"
DEFAULT = Path(".chasqui")
PRIVATE_FOLDER = 0o700


@dataclass(frozen=True, slots=True)
class Workdir:
    """Where things lie in a work directory.

    Attributes:
        path: Absolute.
    """

    path: Path

    @classmethod
    def find(cls, chosen: Path | None, environment: Mapping[str, str]) -> Self:
        """The work directory of a command: `chosen`, else $CHASQUI_WORKDIR, else ./.chasqui."""
        return cls((chosen or Path(environment.get(VARIABLE) or DEFAULT)).expanduser().absolute())

    @property
    def servers(self) -> Path:
        """Embedded servers."""
        return self.path / "servers"

    @property
    def logs(self) -> Path:
        """Logs of every process."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """What other commands need to find a running `up`."""
        return self.path / "run"

    @property
    def running_file(self) -> Path:
        """Addresses; see `libs.sites.running`."""
        return self.run / "running.json"

    @property
    def credentials_file(self) -> Path:
        """Secrets, readable by their owner alone."""
        return self.run / "credentials.env"

    @property
    def lock_file(self) -> Path:
        """Held by the running `up`."""
        return self.run / "lock"

    def site(self, name: str) -> Path:
        """The folder of a site's disk locations."""
        return self.path / "sites" / name

    def create(self) -> None:
        """Make the folders.

        Raises:
            UserError: `workdir_unusable`.
        """
        try:
            for folder in (self.servers, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
            self.run.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        except OSError as wrong:
            raise _unusable(self.path, wrong) from wrong

    def create_locations(self, deployment: Deployment) -> tuple[Path, ...]:
        """Make the folders of disk locations that lie in this work directory; no others.

        Folders elsewhere are mount points or shared: making one would fill the disk below a missing mount.

        Returns:
            The folders that lie here.
        """
        disks = [x.path for _, _, x in deployment.locations() if isinstance(x, DiskLocation)]
        ours = tuple(path for path in disks if Path(os.path.normpath(path)).is_relative_to(self.path))
        for path in ours:
            path.mkdir(parents=True, exist_ok=True)
        return ours


class WorkdirLock:
    """Held as long as `up` lives; the kernel gives it back when the process ends, however it ends.

    Use as a context manager. Child processes do not inherit it.
    """

    def __init__(self, workdir: Workdir) -> None:
        self._workdir = workdir
        self._fd: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            UserError: `workdir_in_use`: another `up` holds it; `workdir_unusable`.
        """
        self._workdir.create()
        fd = self._open()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as wrong:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            reason = f"The work directory {self._workdir.path} is in use by process {holder}."
            raise UserError(
                "workdir_in_use", reason, "Stop that one, or choose another --workdir."
            ) from wrong
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd
        return self

    def _open(self) -> int:
        try:
            return os.open(self._workdir.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as wrong:
            raise _unusable(self._workdir.path, wrong) from wrong

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _unusable(path: Path, wrong: OSError) -> UserError:
    reason = f"The work directory {path} cannot be used: {wrong.strerror}."
    return UserError("workdir_unusable", reason, "Choose another with --workdir.")
