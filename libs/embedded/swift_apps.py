"""Swift's applications on sockets that are bound already. Imported by `swift_host` alone, once it is set up.

Traps:
    - Swift logs to syslog whatever its settings say; the handler is replaced before the first logger.
    - Swift's own `run_server` replaces eventlet's hub, which silences servers that run already.
    - The AWS SDKs want the header `ETag` written like this: capitals are left alone.
"""

import logging
import socket
import sys
import time
from configparser import ConfigParser
from pathlib import Path

import eventlet
from eventlet import wsgi
from eventlet.greenio import GreenSocket
from swift.common.http_protocol import SwiftHttpProtocol
from swift.common.ring import RingBuilder
from swift.common.utils import NullLogger, get_hub, get_logger, logs
from swift.common.wsgi import RestrictedGreenPool, init_request_processor
from swift.obj.updater import ObjectUpdater

from libs.embedded.ports import LOCALHOST

PART_POWER = 8
MAX_CLIENTS = 1024
IDLE_TIMEOUT_S = 600.0
LISTINGS_EVERY_S = 5.0


class StderrHandler(logging.Handler):
    """Writes what Swift means for syslog to standard error, with time and level in front."""

    def __init__(self, address: object = None, facility: object = None) -> None:
        del address, facility
        super().__init__()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line: time (UTC), level, Swift's own text."""
        stamp = logging.Formatter().formatTime(record)
        sys.stderr.write(f"{stamp} {record.levelname} {self.format(record)}\n")
        sys.stderr.flush()


def write_rings(folder: Path) -> None:
    """Write the account, container and object ring: one replica on the one device."""
    for kind in ("account", "container", "object"):
        settings = ConfigParser(interpolation=None)
        settings.read(folder / f"{kind}-server.conf")
        port = settings.getint("DEFAULT", "bind_port")
        (device,) = (place.name for place in Path(settings["DEFAULT"]["devices"]).iterdir())
        builder = RingBuilder(PART_POWER, 1, 0)
        place = {"id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": device, "meta": ""}
        builder.add_dev({**place, "ip": LOCALHOST, "port": port})
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def serve(folder: Path, sockets: dict[str, int]) -> None:
    """Serve each named application on its socket; return when one of them ends."""
    logs.ThreadSafeSysLogHandler = StderrHandler
    eventlet.hubs.use_hub(get_hub())
    eventlet.debug.hub_exceptions(False)
    threads = [eventlet.spawn(_serve_one, folder, name, fd) for name, fd in sockets.items()]
    if "object-server" in sockets:
        threads.append(eventlet.spawn(_keep_listings, folder))
    for thread in threads:
        thread.wait()


def _keep_listings(folder: Path) -> None:
    """Bring objects into the listing of their container that were stored while it could not be written.

    An object counts as stored before its container knows it: on a disk that is just running full, or when the
    process that has the containers dies, the object server writes down what is to be done later.
    """
    settings = ConfigParser(interpolation=None)
    settings.read(folder / "object-server.conf")
    conf = dict(settings["DEFAULT"])
    (device,) = Path(conf["devices"]).iterdir()
    updater = ObjectUpdater({**conf, "interval": LISTINGS_EVERY_S}, get_logger(conf, log_route="updater"))
    while True:
        eventlet.sleep(LISTINGS_EVERY_S)
        updater.begin = time.time()
        updater.object_sweep(str(device))


def _serve_one(folder: Path, name: str, fd: int) -> None:
    application, *_ = init_request_processor(str(folder / f"{name}.conf"), name)
    listener = GreenSocket(socket.socket(fileno=fd))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wsgi.server(
        listener,
        application,
        NullLogger(),
        custom_pool=RestrictedGreenPool(MAX_CLIENTS),
        protocol=SwiftHttpProtocol,
        socket_timeout=IDLE_TIMEOUT_S,
        capitalize_response_headers=False,
    )
