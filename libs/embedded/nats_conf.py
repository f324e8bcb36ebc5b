"""The NATS server's configuration file, as a plain function of its settings."""

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from libs.embedded.ports import LOCALHOST


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and password; `repr` hides the password."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"


@dataclass(frozen=True, slots=True)
class LeafRemote:
    """What a server needs to know to become the leaf of another.

    Attributes:
        port: Leaf-node port of the other server, on 127.0.0.1.
        login: What the other server lets leaves in with.
    """

    port: int
    login: Login

    @property
    def url(self) -> str:
        """The address with its credentials: for the configuration file, never for a log."""
        user, password = quote(self.login.user, safe=""), quote(self.login.password, safe="")
        return f"nats-leaf://{user}:{password}@{LOCALHOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class NatsSettings:
    """All that the configuration file says.

    Attributes:
        name: Server name, unique among connected servers.
        store: Folder of JetStream's files.
        port: Client port.
        monitor_port: Port of the monitoring pages.
        monitor_path: Path in front of them (`/…`): the pages ask for no password, so the path is one.
        login: The one user.
        max_payload: Largest message in bytes, headers included.
        domain: JetStream domain; None without.
        leaf_port: Port for leaf nodes; None accepts none.
        leaf_login: What leaves log in with; needed with `leaf_port`.
        leaf_of: The server to be a leaf of; None for none.
    """

    name: str
    store: Path
    port: int
    monitor_port: int
    monitor_path: str
    login: Login
    max_payload: int
    domain: str | None = None
    leaf_port: int | None = None
    leaf_login: Login | None = None
    leaf_of: LeafRemote | None = None


def render(settings: NatsSettings) -> str:
    """Return the configuration file's text (JSON, which the server reads as well)."""
    jetstream: dict[str, object] = {"store_dir": str(settings.store), "sync_interval": "always"}
    if settings.domain is not None:
        jetstream["domain"] = settings.domain
    document: dict[str, object] = {
        "server_name": settings.name,
        "host": LOCALHOST,
        "port": settings.port,
        "http": f"{LOCALHOST}:{settings.monitor_port}",
        "http_base_path": settings.monitor_path,
        "max_payload": settings.max_payload,
        "max_pending": max(64 * 1024 * 1024, 8 * settings.max_payload),
        "authorization": {"user": settings.login.user, "password": settings.login.password},
        "jetstream": jetstream,
    }
    if leafnodes := _leafnodes(settings):
        document["leafnodes"] = leafnodes
    return json.dumps(document, indent=2) + "\n"


def _leafnodes(settings: NatsSettings) -> dict[str, object]:
    """Return the leaf-node section; `no_advertise` keeps a leaf from being sent to other addresses."""
    section: dict[str, object] = {}
    if settings.leaf_port is not None and settings.leaf_login is not None:
        login = {"user": settings.leaf_login.user, "password": settings.leaf_login.password}
        section = {
            "host": LOCALHOST,
            "port": settings.leaf_port,
            "no_advertise": True,
            "authorization": login,
        }
    if settings.leaf_of is not None:
        section["reconnect"] = "1s"
        section["remotes"] = [{"url": settings.leaf_of.url}]
    return section
