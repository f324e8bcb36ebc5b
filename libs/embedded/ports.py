"""Ports on 127.0.0.1: a server keeps the one it had, as long as nobody else took it meanwhile."""

import contextlib
import json
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from enum import Enum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

LOCALHOST = "127.0.0.1"
_PORTS: TypeAdapter[dict[str, int]] = TypeAdapter(dict[str, int])


class Choice(Enum):
    """Which ports a starting server gets."""

    REMEMBERED = "remembered"
    """Those of its last run where they are free: addresses stay valid over a restart."""
    FRESH = "fresh"
    """New ones: somebody was quicker to bind the others."""


def listening_socket(port: int | None) -> socket.socket:
    """Return a socket that listens on 127.0.0.1, on `port` if that is free, otherwise on any."""
    if port is not None:
        with contextlib.suppress(OSError):
            return _listen(port)
    return _listen(0)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOCALHOST, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


class PortBook:
    """The ports of one server by their names, remembered in a file of its folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def listen(self, names: Iterable[str], choice: Choice) -> dict[str, socket.socket]:
        """Return one listening socket for each name and remember their ports.

        All are open at once, so no two names get the same port. The caller closes them.
        """
        known = self._read() if choice is Choice.REMEMBERED else {}
        with ExitStack() as cleanup:
            sockets = {n: cleanup.enter_context(listening_socket(known.get(n))) for n in names}
            self._write({name: int(s.getsockname()[1]) for name, s in sockets.items()})
            cleanup.pop_all()
        return sockets

    def choose(self, names: Iterable[str], choice: Choice) -> dict[str, int]:
        """Return a free port for each name, for servers that cannot take over a socket.

        Another process may bind one before the server does: it then fails to start and is given fresh ones.
        """
        sockets = self.listen(names, choice)
        ports = {name: int(s.getsockname()[1]) for name, s in sockets.items()}
        for listener in sockets.values():
            listener.close()
        return ports

    def _read(self) -> dict[str, int]:
        try:
            return _PORTS.validate_json(self._path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return {}

    def _write(self, ports: Mapping[str, int]) -> None:
        self._path.write_text(json.dumps(ports) + "\n")
