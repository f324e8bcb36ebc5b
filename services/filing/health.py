"""Whether filing can answer now."""

from pydantic import BaseModel, computed_field

from contracts.problems import Problem
from libs.errors import Retriable
from libs.opsdb.reader import OpsDbReader
from services.filing.logtail import LogTail


class HealthReport(BaseModel):
    """What filing waits for, if anything."""

    site: str
    problems: tuple[Problem, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # mypy has no support for a decorated property
    @property
    def ok(self) -> bool:
        """Whether requests can be settled."""
        return not self.problems


class Health:
    """Asks the servers that filing needs.

    Attributes:
        opsdb: None until it has answered for the first time.
    """

    def __init__(self, site: str, tail: LogTail) -> None:
        self.opsdb: OpsDbReader | None = None
        self._site = site
        self._tail = tail

    async def report(self) -> HealthReport:
        """Ask them."""
        problems = []
        for ask in (self._tail.last_sequence, self._ask_opsdb):
            try:
                await ask()
            except Retriable as error:
                problems.append(error.problem)
        return HealthReport(site=self._site, problems=tuple(problems))

    async def _ask_opsdb(self) -> int:
        if self.opsdb is None:
            raise Retriable("opsdb_unavailable", "the ops-db has not answered yet", "It is tried by itself.")
        return int(await self.opsdb.fetchval("SELECT 1"))
