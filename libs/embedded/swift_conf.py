"""Swift's configuration files, as plain functions of the settings.

What was chosen, and why:
    - Chunks of 1 MiB instead of 64 KiB: throughput is bound by the number of Python calls.
    - Every object is synced before it is acknowledged (Swift knows nothing else), never in between:
      `mb_per_sync` is above the largest object.
    - Time-outs of a minute and no error suppression: there is one copy, so a slow disk is waited for, and
      a device that failed once is asked again at once.
    - Part limits are S3's own: 10,000 parts of 5 MiB to 5 GiB, objects of 5 GiB in one piece.
"""

from dataclasses import dataclass
from pathlib import Path

from libs.embedded.ports import LOCALHOST

SERVERS = ("proxy-server", "account-server", "container-server", "object-server")
STORAGE_SERVERS = SERVERS[1:]
ACCOUNT = "chasqui"
USER = "archive"
CHUNK_BYTES = 1024 * 1024
MIB_PER_SYNC = 8192
TIMEOUT_S = 60
MAX_PARTS = 10_000
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_PLAIN_FILTERS = (
    "catch_errors",
    "gatekeeper",
    "healthcheck",
    "listing_formats",
    "bulk",
    "copy",
    "dlo",
    "symlink",
)
_PIPELINE = (
    "catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo "
    "versioned_writes symlink proxy-server"
)


@dataclass(frozen=True, slots=True)
class SwiftSettings:
    """All that the configuration files say.

    Attributes:
        folder: Where the files are, and the rings beside them.
        devices: Folder of the one device's folder.
        device: The device's name. Storage servers ask for no password: an unguessable name is one.
        hash_suffix: Salt of the paths on disk; it must stay the same for as long as the data.
        secret_key: The S3 user's secret key.
        region: S3 region.
        ports: Port of each of `SERVERS`.
    """

    folder: Path
    devices: Path
    device: str
    hash_suffix: str
    secret_key: str
    region: str
    ports: dict[str, int]


def files(settings: SwiftSettings) -> dict[str, str]:
    """Return the text of each configuration file by its name."""
    texts = {f"{name}.conf": _storage(settings, name) for name in STORAGE_SERVERS}
    return {"swift.conf": _swift(settings), "proxy-server.conf": _proxy(settings), **texts}


def _section(title: str, /, **values: object) -> str:
    lines = [f"[{title}]", *(f"{key} = {value}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _swift(settings: SwiftSettings) -> str:
    policy = _section("storage-policy:0", name="single", default="yes")
    return _section("swift-hash", swift_hash_path_suffix=settings.hash_suffix) + policy


def _defaults(settings: SwiftSettings, name: str, /, **values: object) -> str:
    return _section(
        "DEFAULT",
        swift_dir=settings.folder,
        bind_ip=LOCALHOST,
        bind_port=settings.ports[name],
        log_level="WARNING",
        **values,
    )


def _proxy(settings: SwiftSettings) -> str:
    application = _section(
        "app:proxy-server",
        use="egg:swift#proxy",
        account_autocreate="true",
        client_chunk_size=CHUNK_BYTES,
        object_chunk_size=CHUNK_BYTES,
        client_timeout=TIMEOUT_S,
        node_timeout=TIMEOUT_S,
        conn_timeout=TIMEOUT_S,
        error_suppression_interval=0,
        error_suppression_limit=1_000_000,
    )
    pipeline = _section("pipeline:main", pipeline=_PIPELINE)
    return _defaults(settings, "proxy-server") + pipeline + application + _filters(settings)


def _filters(settings: SwiftSettings) -> str:
    login = {f"user_{ACCOUNT}_{USER}": f"{settings.secret_key} .admin"}
    sections = [_section(f"filter:{name}", use=f"egg:swift#{name}") for name in _PLAIN_FILTERS]
    return "".join(sections) + "".join(
        (
            _section("filter:cache", **{"paste.filter_factory": "libs.embedded.swift_cache:filter_factory"}),
            _section("filter:tempauth", use="egg:swift#tempauth", **login),
            _section(
                "filter:slo",
                use="egg:swift#slo",
                max_manifest_segments=MAX_PARTS,
                max_manifest_size=MAX_MANIFEST_BYTES,
            ),
            _section(
                "filter:s3api",
                use="egg:swift#s3api",
                location=settings.region,
                max_upload_part_num=MAX_PARTS,
            ),
            _section(
                "filter:versioned_writes",
                use="egg:swift#versioned_writes",
                allow_versioned_writes="true",
                allow_object_versioning="true",
            ),
        )
    )


def _storage(settings: SwiftSettings, name: str) -> str:
    kind = name.removesuffix("-server")
    defaults = _defaults(
        settings,
        name,
        devices=settings.devices,
        mount_check="false",
        node_timeout=TIMEOUT_S,
        conn_timeout=TIMEOUT_S,
        container_update_timeout=TIMEOUT_S,
    )
    chunks = {"disk_chunk_size": CHUNK_BYTES, "network_chunk_size": CHUNK_BYTES, "mb_per_sync": MIB_PER_SYNC}
    pipeline = _section("pipeline:main", pipeline=f"healthcheck {name}")
    application = _section(f"app:{name}", use=f"egg:swift#{kind}", **(chunks if kind == "object" else {}))
    return defaults + pipeline + application + _section("filter:healthcheck", use="egg:swift#healthcheck")
