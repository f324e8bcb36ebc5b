"""What an answer is made from: a site, its server and its ops-db."""

from dataclasses import dataclass

from nats.aio.client import Client

from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place


@dataclass(frozen=True, slots=True)
class Sight:
    """A site as it can be looked at.

    Attributes:
        client: Connected to the site's NATS server.
        opsdb: The site's ops-db.
    """

    place: Place
    client: Client
    opsdb: OpsDbReader
