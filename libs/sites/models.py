"""The deployment file as typed, validated models.

Everything in it may be read by anybody: secrets come from the environment (`libs.sites.credentials`).
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from contracts.base import Name
from contracts.packages import ProofMode
from contracts.states import LocationType, RouteType, StorageType
from libs.imaging.outcomes import RenderSettings
from libs.sites.retention import Retention
from libs.sites.scrubs import ScrubSettings
from libs.sites.settings import Settings
from libs.sites.units import Duration, Size

EMBEDDED = "embedded"
"""The address of a server that `chasqui up` starts itself."""


class NatsSettings(Settings):
    """A site's NATS server.

    Attributes:
        url: ``embedded``, or the address of a server of your own.
        user: Name to log in with; its password is CHASQUI_NATS_<SITE>_PASSWORD.
        domain: JetStream domain; the site's name if left out. Sites on one server share a domain.
        leaf_of: The site whose server this one connects to as a leaf node (embedded servers only).
    """

    url: str = EMBEDDED
    user: str = "chasqui"
    domain: str | None = None
    leaf_of: Name | None = None


class OpsDbSettings(Settings):
    """A site's ops-db.

    Attributes:
        host: ``embedded``, or the host of a PostgreSQL server of your own.
        database: The database's name; ``opsdb_<site>``, hyphens as underscores, if left out.
        writer: The role that the projector writes with: CHASQUI_OPSDB_<SITE>_WRITER_PASSWORD.
        reader: The role that everybody else reads with: CHASQUI_OPSDB_<SITE>_READER_PASSWORD.
    """

    host: str = EMBEDDED
    port: int = Field(default=5432, ge=1, le=65535)
    database: str | None = None
    writer: str = "chasqui_projector"
    reader: str = "chasqui_reader"


class HttpSettings(Settings):
    """Where a site's HTTP services listen; port 0 takes a free one."""

    host: str = "127.0.0.1"
    filing_port: int = Field(default=0, ge=0, le=65535)
    gateway_port: int = Field(default=0, ge=0, le=65535)


class DiskLocation(Settings):
    """A folder on a local or mounted disk."""

    type: LocationType
    storage: Literal[StorageType.DISK] = StorageType.DISK
    path: Path
    priority: int = 1
    active: bool = True
    retention: Retention = Retention()


class LogSettings(Settings):
    """How an archive keeps the event log of its site, and of the other sites as far as they are mirrored there.

    Attributes:
        every: How often the archiver adds what happened since.
        segment: About how much of the log goes into one object, before compression.
        folder: Where it lies below the prefix; another folder begins a new chain.
    """

    every: Duration = timedelta(minutes=1)
    segment: Size = Size(8 * 2**20)
    folder: str = "log"


class S3Location(Settings):
    """A bucket behind the S3 protocol.

    Attributes:
        endpoint: ``embedded``, or the address of a server of your own.
            Keys are CHASQUI_S3_<LOCATION>_ACCESS_KEY and CHASQUI_S3_<LOCATION>_SECRET_KEY.
        prefix: Put before every key.
        proof: How a fresh archive copy is proven.
        log: How the event log is kept there.
        scrub: How its copies are read again, now and then.
    """

    type: LocationType
    storage: Literal[StorageType.S3]
    endpoint: str = EMBEDDED
    bucket: str = Field(min_length=3, max_length=63)
    region: str = "us-east-1"
    prefix: str = ""
    proof: ProofMode = ProofMode.BYTES
    log: LogSettings = LogSettings()
    scrub: ScrubSettings = ScrubSettings()
    priority: int = 1
    active: bool = True
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _archives_only(self) -> "S3Location":
        if self.type is not LocationType.LONG_TERM_ARCHIVE:
            raise ValueError("S3 storage serves long_term_archive locations; use storage: disk here")
        return self


def _storage(value: object) -> str:
    """Which of the two a location is; a disk if it does not say."""
    if isinstance(value, dict):
        return str(value.get("storage", StorageType.DISK))
    return StorageType.S3 if isinstance(value, S3Location) else StorageType.DISK


Location = Annotated[
    Annotated[DiskLocation, Tag("disk")] | Annotated[S3Location, Tag("s3")], Discriminator(_storage)
]


class ScanSettings(Settings):
    """How the scanner looks at SOURCE.

    Attributes:
        quiet: A file is complete when it has not changed for this long.
        sweep: How often everything is looked at, whatever notifications said.
        missing_after: A filed file that is not complete by then is reported.
        unfiled_after: A file that nobody filed by then is reported.
    """

    quiet: Duration = timedelta(seconds=2)
    sweep: Duration = timedelta(seconds=30)
    missing_after: Duration = timedelta(minutes=10)
    unfiled_after: Duration = timedelta(minutes=10)


class ClaimSettings(Settings):
    """How long work stays with an instance of a service that makes no sign.

    Attributes:
        redelivery: After this time a message goes to another instance.
        lease: After this time another instance takes over a sweep.
    """

    redelivery: Duration = timedelta(seconds=9)
    lease: Duration = timedelta(seconds=15)


class AssociationSettings(Settings):
    """How a site collects associations.

    Attributes:
        deadline: After so long an association that names no deadline is collected with what is there.
    """

    deadline: Duration = timedelta(days=30)


class SiteSettings(Settings):
    """One site: its servers and its data locations."""

    description: str = ""
    nats: NatsSettings = NatsSettings()
    opsdb: OpsDbSettings = OpsDbSettings()
    http: HttpSettings = HttpSettings()
    scan: ScanSettings = ScanSettings()
    claims: ClaimSettings = ClaimSettings()
    associations: AssociationSettings = AssociationSettings()
    locations: dict[Name, Location] = Field(default_factory=dict)

    def domain_of(self, site: str) -> str:
        """The JetStream domain of these settings at `site`."""
        return self.nats.domain or site

    def database_of(self, site: str) -> str:
        """The name of the ops-db's database of these settings at `site`."""
        return self.opsdb.database or f"opsdb_{site.replace('-', '_')}"

    def locations_of(self, kind: LocationType) -> dict[str, DiskLocation | S3Location]:
        """The active locations of one type, the one to use first first."""
        chosen = [(n, x) for n, x in self.locations.items() if x.type is kind and x.active]
        return dict(sorted(chosen, key=lambda item: (item[1].priority, item[0])))


class InstrumentSettings(Settings):
    """An instrument.

    Attributes:
        site: Where it stands.
        source: The SOURCE location it writes to.
        folder: Its folder below that location's root; its own name if left out.
        modules: Its InstrumentModules; the first one takes files that name none.
        package_limit: No package of it is larger than this.
        max_files: No package of it has more files than this: a package's list of files is held in memory
            while it is written, about 2 KiB a file.
        priority: Of its packages; lower travels first.
        available: An unavailable instrument's registrations are refused.
        previews: How pictures are made of its files.
    """

    site: Name
    source: Name
    folder: str | None = None
    modules: tuple[Name, ...] = Field(min_length=1)
    package_limit: Size = Size(50_000_000_000)
    max_files: int = Field(default=30_000, ge=1, le=1_000_000)
    priority: int = Field(default=5, ge=0, le=9)
    available: bool = True
    previews: RenderSettings = RenderSettings()


class RouteSettings(Settings):
    """A way for bundles from one site's BUFFER to another's.

    Attributes:
        origin: The site that sends.
        destination: The site that receives.
        type: ``direct``, ``relay`` (through `via`) or ``custom`` (`from_location` to `to_location`).
        target_size: A bundle is closed when it reaches this.
        longest_wait: A bundle is closed when its oldest package has waited this long.
        send_when_idle: Do not wait at all while nothing else is on its way.
        max_packages: A bundle has no more packages than this.
        streams: How many packages or chunks are moved at once.
        rate_limit: Bytes per second; none if left out.
    """

    origin: Name
    destination: Name
    type: RouteType = RouteType.DIRECT
    via: tuple[Name, ...] = ()
    from_location: Name | None = None
    to_location: Name | None = None
    target_size: Size = Size(10_000_000_000_000)
    longest_wait: Duration = timedelta(minutes=10)
    send_when_idle: bool = True
    max_packages: int = Field(default=250, ge=1, le=500)
    streams: int = Field(default=4, ge=1, le=64)
    rate_limit: Size | None = None


class Deployment(Settings):
    """The whole file.

    Attributes:
        version: Of the file's format.
        observatory: The facility's name, as in FITS headers and VO records.
        telescope: The telescope's name.
    """

    version: Literal[1]
    observatory: str = Field(min_length=1)
    telescope: str = Field(min_length=1)
    sites: dict[Name, SiteSettings] = Field(min_length=1)
    instruments: dict[Name, InstrumentSettings] = Field(default_factory=dict)
    routes: dict[Name, RouteSettings] = Field(default_factory=dict)

    def site(self, name: str) -> SiteSettings:
        """The settings of a site.

        Raises:
            KeyError: There is no such site.
        """
        return self.sites[name]

    def locations(self) -> Iterator[tuple[str, str, DiskLocation | S3Location]]:
        """Every location as (site, name, settings)."""
        for site, settings in self.sites.items():
            for name, location in settings.locations.items():
                yield site, name, location

    def location(self, name: str) -> tuple[str, DiskLocation | S3Location]:
        """The site and settings of a location, by its name, which is unique in the deployment.

        Raises:
            KeyError: There is no such location.
        """
        for site, found, settings in self.locations():
            if found == name:
                return site, settings
        raise KeyError(name)

    def disk(self, name: str) -> DiskLocation:
        """The settings of a location on disk.

        Raises:
            KeyError: There is no such location, or it is not on disk.
        """
        _, location = self.location(name)
        if not isinstance(location, DiskLocation):
            raise KeyError(name)
        return location

    def instrument_folder(self, name: str) -> str:
        """An instrument's folder, relative to its SOURCE location's root."""
        return self.instruments[name].folder or name

    def instruments_at(self, site: str) -> dict[str, InstrumentSettings]:
        """The instruments that stand at a site."""
        return {n: i for n, i in self.instruments.items() if i.site == site}

    def routes_from(self, site: str) -> dict[str, RouteSettings]:
        """The routes that begin at a site."""
        return {n: r for n, r in self.routes.items() if r.origin == site}
