"""An S3 endpoint that means it: OpenStack Swift's s3api in two processes.

It refuses wrong checksums, honours If-None-Match and keeps everything over a restart. One process serves
clients, accounts and containers, the other reads, writes and syncs objects (see `swift_host`).
"""

import asyncio
import errno
import importlib.util
import os
import socket
import sys
from pathlib import Path

from libs.embedded import swift_conf
from libs.embedded.folder import kept_secret, make_private, write_private
from libs.embedded.ports import LOCALHOST, Choice
from libs.embedded.probe import http_ok
from libs.embedded.process import Command
from libs.embedded.server import START_TIMEOUT_S, EmbeddedServer
from libs.embedded.swift_conf import SwiftSettings
from libs.errors import UserError

REGION = "us-east-1"
PROCESSES = (("object-server",), ("proxy-server", "account-server", "container-server"))
_IMPORT_ROOT = Path(__file__).parents[2]
_NO_XATTRS = (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)


def require_xattrs(folder: Path) -> None:
    """Check that files in `folder` can have user extended attributes, in which Swift keeps metadata.

    Raises:
        UserError: They cannot.
    """
    probe = folder / f".xattr-{os.getpid()}"
    probe.touch()
    try:
        os.setxattr(probe, "user.chasqui", b"1")
    except OSError as error:
        if error.errno not in _NO_XATTRS:
            raise
        reason = f"the file system of {folder} has no user extended attributes ({error.strerror})"
        remedy = "Choose a work folder on ext4, XFS, btrfs or ZFS, or mount this one with user_xattr."
        raise UserError("no_extended_attributes", reason, remedy) from error
    finally:
        probe.unlink()


class EmbeddedS3(EmbeddedServer):
    """An S3 server with one user, who owns every bucket.

    Args:
        folder: Its folder, on a file system with user extended attributes.
        start_timeout_s: Seconds to wait until it answers.
    """

    kind = "s3"

    def __init__(self, folder: Path, *, start_timeout_s: float = START_TIMEOUT_S) -> None:
        super().__init__(folder, start_timeout_s=start_timeout_s)
        self._settings: SwiftSettings | None = None

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:PORT`; buckets are in the path."""
        return f"http://{LOCALHOST}:{self._current.ports['proxy-server']}"

    @property
    def access_key(self) -> str:
        """The user's access key."""
        return f"{swift_conf.ACCOUNT}:{swift_conf.USER}"

    @property
    def secret_key(self) -> str:
        """The user's secret key."""
        return self._current.secret_key

    @property
    def region(self) -> str:
        """The region that requests are signed for."""
        return REGION

    @property
    def _current(self) -> SwiftSettings:
        if self._settings is None:
            raise RuntimeError("this S3 server was not started")
        return self._settings

    async def _prepare(self) -> None:
        if importlib.util.find_spec("swift") is None:
            remedy = "Install the extra: pip install 'chasqui[embedded]'."
            raise UserError("embedded_s3_missing", "OpenStack Swift is not installed", remedy)
        await asyncio.to_thread(require_xattrs, self.folder)
        for folder in (self.folder / "conf", self.folder / "devices", self.folder / "devices" / self._device):
            make_private(folder)

    @property
    def _device(self) -> str:
        return kept_secret(self.folder / "device.name")

    async def _launch(self, choice: Choice) -> None:
        """Bind every port here and hand the sockets down: no port is lost on the way."""
        sockets = self._ports.listen(swift_conf.SERVERS, choice)
        try:
            self._settings = self._settle({n: int(s.getsockname()[1]) for n, s in sockets.items()})
            for name, text in swift_conf.files(self._settings).items():
                write_private(self._settings.folder / name, text)
            for names in PROCESSES:
                self._start_host({name: sockets[name] for name in names})
        finally:
            for listener in sockets.values():
                listener.close()

    def _settle(self, ports: dict[str, int]) -> SwiftSettings:
        return SwiftSettings(
            folder=self.folder / "conf",
            devices=self.folder / "devices",
            device=self._device,
            hash_suffix=kept_secret(self.folder / "hash.suffix"),
            secret_key=kept_secret(self.folder / "secret.key"),
            region=REGION,
            ports=ports,
        )

    def _start_host(self, sockets: dict[str, socket.socket]) -> None:
        pairs = [f"{name}={listener.fileno()}" for name, listener in sockets.items()]
        interpreter = (sys.executable, "-P", "-W", "ignore", "-m", "libs.embedded.swift_host")
        self._start_process(
            Command(
                (*interpreter, str(self._current.folder), *pairs),
                self.log,
                env=os.environ | {"PYTHONPATH": str(_IMPORT_ROOT), "TZ": "UTC"},
                fds=tuple(listener.fileno() for listener in sockets.values()),
            )
        )

    async def _answers(self) -> bool:
        checks = [http_ok(port, "/healthcheck") for port in self._current.ports.values()]
        return all(await asyncio.gather(*checks))
