"""Ports on 127.0.0.1: a server keeps the one it had, as long as nobody else took it meanwhile."""

import contextlib
import json
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from enum import Enum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from libs.errors import Retriable

LOCALHOST = "127.0.0.1"
_PORTS: TypeAdapter[dict[str, int]] = TypeAdapter(dict[str, int])


class Choice(Enum):
    """Which ports a starting server gets."""

    REMEMBERED = "remembered"
    """Those of its last run where they are free: addresses stay valid over a restart."""
    FRESH = "fresh"
    """New ones: somebody was quicker to bind the others."""
    SAME = "same"
    """Those of its last run and no others: who is connected knows no others."""


def listening_socket(port: int | None) -> socket.socket:
    """Return a socket that listens on 127.0.0.1, on `port` if that is free, otherwise on any."""
    if port is not None:
        with contextlib.suppress(OSError):
            return _listen(port)
    return _listen(0)


def _listen_there(port: int | None) -> socket.socket:
    try:
        return _listen(port or 0)
    except OSError as error:
        raise Retriable(
            "port_taken",
            f"port {port} of {LOCALHOST} is in use: {error.strerror}",
            "Find out who took it (ss -ltnp); it is tried again by itself.",
        ) from error


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

        Raises:
            Retriable: ``port_taken``: it has to be the `SAME`, which somebody else uses meanwhile.
        """
        known = {} if choice is Choice.FRESH else self._read()
        take = _listen_there if choice is Choice.SAME else listening_socket
        with ExitStack() as cleanup:
            sockets = {n: cleanup.enter_context(take(known.get(n))) for n in names}
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
