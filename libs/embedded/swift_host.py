"""The process that runs Swift's servers: several of them share one event loop (a program, not a library).

    python -m libs.embedded.swift_host FOLDER NAME=FD [NAME=FD …]

FOLDER holds swift.conf and one NAME.conf for each server; FD is a listening socket that the starter bound
and handed down, so that no port can be lost between choosing and binding it. The process that runs the
proxy writes the rings first: with one device, they say only which ports the storage servers have.

Traps:
    - Swift reads /etc/swift/swift.conf while constraints and storage policies are imported: the path is set
      here, before `swift_apps` imports them.
    - eventlet must patch the standard library before other modules have taken what they need from it.
"""

import importlib
import signal
import sys
from pathlib import Path

from swift.common import utils


def main(arguments: list[str]) -> None:
    """Run the servers named on the command line, until a signal ends the process."""
    folder = Path(arguments[0])
    sockets = {name: int(fd) for name, fd in (pair.split("=", 1) for pair in arguments[1:])}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    utils.monkey_patch()
    utils.SWIFT_CONF_FILE = str(folder / "swift.conf")
    apps = importlib.import_module("libs.embedded.swift_apps")
    if "proxy-server" in sockets:
        apps.write_rings(folder)
    apps.serve(folder, sockets)


if __name__ == "__main__":
    main(sys.argv[1:])
