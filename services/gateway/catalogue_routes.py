"""The addresses of what ops-db knows."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from contracts.base import Utc
from contracts.states import FileState, ObservationState, PackageState, WorkState
from services.gateway.catalogue import Catalogue, ObservationFilter, PackageFilter, Slice
from services.gateway.knowing import Knowing
from services.gateway.paging import DEFAULT_LIMIT, MOST, Page
from services.gateway.records import (
    BundleRecord,
    FileRecord,
    ObservationDetail,
    ObservationRecord,
    PackageRecord,
)

Limit = Annotated[int, Query(ge=1, le=MOST)]
Cursor = Annotated[str | None, Query(max_length=8192)]
Word = Annotated[str | None, Query(max_length=250)]


def router(knowing: Knowing) -> APIRouter:
    """Observations with their files, packages and bundles."""
    routes = APIRouter(tags=["catalogue"])
    _add_observations(routes, knowing)
    _add_packages(routes, knowing)
    return routes


def _add_observations(routes: APIRouter, knowing: Knowing) -> None:
    @routes.get("/executed_obs_units")
    async def observations(
        *,
        instrument: Word = None,
        state: ObservationState | None = None,
        obs_unit: Word = None,
        since: Utc | None = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[ObservationRecord]:
        """Observations, the latest first."""
        wanted = ObservationFilter(instrument, state, obs_unit, since)
        return await Catalogue(knowing.opsdb).observations(wanted, Slice(limit, cursor))

    @routes.get("/executed_obs_units/{executed_obs_unit_id}")
    async def observation(executed_obs_unit_id: UUID) -> ObservationDetail:
        """One observation, with its files and packages by state."""
        return await Catalogue(knowing.opsdb).observation(executed_obs_unit_id)

    @routes.get("/executed_obs_units/{executed_obs_unit_id}/raw_data_files")
    async def files(
        executed_obs_unit_id: UUID,
        state: FileState | None = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[FileRecord]:
        """An observation's files, by path."""
        part = Slice(limit, cursor)
        return await Catalogue(knowing.opsdb).files_of(executed_obs_unit_id, state, part)

    @routes.get("/raw_data_files/{raw_data_file_id}")
    async def file(raw_data_file_id: UUID) -> FileRecord:
        """One file."""
        return await Catalogue(knowing.opsdb).file(raw_data_file_id)


def _add_packages(routes: APIRouter, knowing: Knowing) -> None:
    @routes.get("/raw_data_packages")
    async def packages(
        executed_obs_unit_id: UUID | None = None,
        instrument: Word = None,
        state: PackageState | None = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[PackageRecord]:
        """Packages with their copies, the latest planned first."""
        wanted = PackageFilter(executed_obs_unit_id, instrument, state)
        return await Catalogue(knowing.opsdb).packages(wanted, Slice(limit, cursor))

    @routes.get("/raw_data_packages/{raw_data_package_id}")
    async def package(raw_data_package_id: UUID) -> PackageRecord:
        """One package with its copies."""
        return await Catalogue(knowing.opsdb).package(raw_data_package_id)

    @routes.get("/data_transfer_packages")
    async def bundles(
        state: WorkState | None = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
    ) -> Page[BundleRecord]:
        """Bundles with their hops, the latest sealed first."""
        return await Catalogue(knowing.opsdb).bundles(state, Slice(limit, cursor))

    @routes.get("/data_transfer_packages/{data_transfer_package_id}")
    async def bundle(data_transfer_package_id: UUID) -> BundleRecord:
        """One bundle with its hops."""
        return await Catalogue(knowing.opsdb).bundle(data_transfer_package_id)
