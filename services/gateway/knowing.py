"""The ops-db, once it has answered for the first time."""

from libs.errors import Retriable
from libs.opsdb.reader import OpsDbReader


class Knowing:
    """Holds the site's ops-db; the gateway listens before it is there."""

    def __init__(self) -> None:
        self._opsdb: OpsDbReader | None = None

    def found(self, opsdb: OpsDbReader) -> None:
        """It has answered."""
        self._opsdb = opsdb

    @property
    def opsdb(self) -> OpsDbReader:
        """The ops-db.

        Raises:
            Retriable: ``opsdb_unavailable`` as long as it has not answered.
        """
        if self._opsdb is None:
            raise Retriable(
                "opsdb_unavailable",
                "the gateway is waiting for its ops-db",
                "Ask again in a while; it is tried again by itself.",
            )
        return self._opsdb
