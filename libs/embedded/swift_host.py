"""The process that runs Swift's servers: several of them share one event loop (a program, not a library).

    python -m libs.embedded.swift_host FOLDER proxy-server=FD [object-server=FD …]

FOLDER holds swift.conf, the rings and one NAME.conf for each server; FD is a listening socket that the
starter bound and handed down, so that no port can be lost between choosing and binding it.

Traps:
    - Swift reads /etc/swift/swift.conf while it is imported: `set_swift_dir` must run before anything
      that looks at constraints or storage policies.
    - Swift logs to syslog whatever its settings say; the handler is replaced before the first logger.
    - eventlet must patch the standard library before another module has taken what it needs from it.
"""

import logging
import signal
import socket
import sys
from pathlib import Path


class StderrHandler(logging.StreamHandler):  # type: ignore[type-arg] # the class is not generic at run time
    """Writes what Swift means for syslog to standard error, with the time in front."""

    def __init__(self, address: object = None, facility: object = None) -> None:
        del address, facility
        super().__init__(sys.__stderr__)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: UTC time, level, Swift's own text."""
        stamp = logging.Formatter().formatTime(record)
        return f"{stamp} {record.levelname} {super().format(record)}"


def _serve(folder: Path, sockets: dict[str, int]) -> None:
    from swift.common import utils, wsgi
    from swift.common.utils import logs

    utils.monkey_patch()
    logs.ThreadSafeSysLogHandler = StderrHandler
    import eventlet
    from eventlet.greenio import GreenSocket

    utils.set_swift_dir(str(folder))
    pool = []
    for name, fd in sockets.items():
        path = str(folder / f"{name}.conf")
        conf, logger, log_name = wsgi._initrp(path, name)
        listener = GreenSocket(socket.socket(fileno=fd))
        pool.append(eventlet.spawn(wsgi.run_server, conf, logger, listener, {"log_name": log_name}))
    for thread in pool:
        thread.wait()


def main(arguments: list[str]) -> None:
    folder, *pairs = arguments
    sockets = {name: int(fd) for name, fd in (pair.split("=", 1) for pair in pairs)}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _serve(Path(folder), sockets)


if __name__ == "__main__":
    main(sys.argv[1:])
