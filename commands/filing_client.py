"""An instrument's side of filing, over HTTP: what `demo`, `file` and `simulate` use, and anybody could."""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx

from contracts.observations import (
    DeclaredFile,
    FilingAccepted,
    FilingRefused,
    FinishObservation,
    Outcome,
    StartObservation,
)
from libs.errors import Retriable, UserError
from libs.service.patience import patiently

MOST_FILES = 5_000


class FilingClient:
    """Files observations at a site.

    Args:
        url: Base URL of the site's filing service.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def start(self, request: StartObservation) -> UUID:
        """Begin an observation; its id.

        Raises:
            UserError: It was refused.
        """
        accepted = await self._post("/executed_obs_units/start", request.model_dump(mode="json"))
        return accepted.executed_obs_unit_id

    async def file(self, unit: UUID, files: Sequence[DeclaredFile]) -> tuple[UUID, ...]:
        """Register files, in requests of a size the service takes; their ids, in the same order.

        Raises:
            UserError: They were refused; none of the refused request is recorded.
        """
        ids: list[UUID] = []
        for begin in range(0, len(files), MOST_FILES):
            body = {"files": [f.model_dump(mode="json") for f in files[begin : begin + MOST_FILES]]}
            ids += (await self._post(f"/executed_obs_units/{unit}/raw_data_files", body)).file_ids
        return tuple(ids)

    async def finish(self, unit: UUID, end: datetime, outcome: Outcome = Outcome.COMPLETED) -> None:
        """Close an observation's list of files.

        Raises:
            UserError: It was refused.
        """
        request = FinishObservation(executed_obs_unit_id=unit, end_time=end, outcome=outcome)
        await self._post(f"/executed_obs_units/{unit}/finish", request.model_dump(mode="json"))

    async def _post(self, path: str, body: dict[str, Any]) -> FilingAccepted:
        return await patiently(lambda: self._once(path, body), what="filing")

    async def _once(self, path: str, body: dict[str, Any]) -> FilingAccepted:
        try:
            response = await self._http.post(path, json=body)
        except httpx.TransportError as error:
            raise Retriable(
                "filing_unreachable",
                f"filing at {self._url} does not answer: {error or type(error).__name__}",
                "Start it with chasqui up, or check the address; it is tried again by itself.",
            ) from error
        if response.is_success:
            return FilingAccepted.model_validate_json(response.content)
        refused = FilingRefused.model_validate_json(response.content)
        told = refused.details or (refused.problem,)
        kind = Retriable if response.status_code == httpx.codes.SERVICE_UNAVAILABLE else UserError
        raise kind(
            refused.problem.code,
            "; ".join(problem.reason for problem in told[:10]),
            told[0].remedy or refused.problem.remedy,
        )
