"""What the checks look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from nats.aio.client import Client

from libs.storage.s3 import S3Store
from tests.faults.chronicle import Chronicle
from tests.faults.ledger import Ledger
from tests.faults.system import System


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a scenario expects that must not be otherwise.

    Attributes:
        letters: Codes of dead letters, by how many there may be at most.
        kept: Ids of packages whose copies in BUFFERs may stay.
    """

    letters: Mapping[str, int] = field(default_factory=dict)
    kept: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class World:
    """A system, what was put into it, and what it says of itself.

    Attributes:
        clients: A NATS client of each site's server.
        stores: By archive location; the way to S3 goes through no fault.
    """

    system: System
    ledger: Ledger
    chronicle: Chronicle
    clients: Mapping[str, Client]
    stores: Mapping[str, S3Store]
    allowed: Allowed = field(default_factory=Allowed)
