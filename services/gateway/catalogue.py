"""What ops-db knows of observations, files, packages and bundles, as lists in pages and one by one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from contracts.states import FileState, ObservationState, PackageState, WorkState
from libs.errors import UserError
from libs.insight.surroundings import counts_of
from libs.opsdb.reader import OpsDbReader
from services.gateway.paging import Page, Select, key_of, page_of, read_time
from services.gateway.records import (
    BundleRecord,
    CopyRecord,
    FileRecord,
    ObservationDetail,
    ObservationRecord,
    PackageRecord,
    Picture,
    TransferRecord,
)

PICTURES_EACH = 4

_PICTURES = f"""
    SELECT u.id AS unit, p.id AS file_id, p.preview_etag AS etag
    FROM unnest($1::uuid[]) AS u(id), LATERAL (
        SELECT f.id, f.preview_etag FROM raw_data_file f
        WHERE f.executed_obs_unit_id = u.id AND f.preview_state = 'rendered' LIMIT {PICTURES_EACH}
    ) AS p
"""  # noqa: S608  a number of this module
_COPIES = "SELECT * FROM physical_copy WHERE entity_id = ANY($1) ORDER BY created_at, location, id"
_TRANSFERS = "SELECT * FROM data_transfer WHERE data_transfer_package_id = ANY($1) ORDER BY started_at, id"
_EPOCH = "to_timestamp(0)"
"""Stands for a time that is not known here yet, which would have no place in an order."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Which page of a list: how long, and after what."""

    limit: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class ObservationFilter:
    """Which observations; None leaves a condition out.

    Attributes:
        since: Began at this time or later.
    """

    instrument: str | None = None
    state: ObservationState | None = None
    obs_unit: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class PackageFilter:
    """Which packages; None leaves a condition out."""

    executed_obs_unit_id: UUID | None = None
    instrument: str | None = None
    state: PackageState | None = None


class Catalogue:
    """Answers from ops-db. Everything raises Retriable ``opsdb_unavailable`` while it is away."""

    def __init__(self, opsdb: OpsDbReader) -> None:
        self._opsdb = opsdb

    async def observations(self, wanted: ObservationFilter, part: Slice) -> Page[ObservationRecord]:
        """Observations, the latest first; those whose beginning is not known here yet are left out."""
        select = Select("SELECT * FROM executed_obs_unit WHERE start_time IS NOT NULL")
        select.where("instrument = {}", wanted.instrument)
        select.where("state = {}::observation_state", wanted.state)
        select.where("obs_unit = {}", wanted.obs_unit)
        select.where("start_time >= {}", wanted.since)
        select.where("(start_time, id) < ({}, {})", *key_of(part.cursor, read_time, UUID))
        rows = await select.fetch(self._opsdb, order="start_time DESC, id DESC", limit=part.limit)
        pictures = await self._pictures([row["id"] for row in rows[: part.limit]])
        return page_of(
            rows,
            part.limit,
            lambda row: ObservationRecord.of(row, pictures=pictures.get(row["id"], [])),
            lambda row: (row["start_time"], row["id"]),
        )

    async def observation(self, wanted: UUID) -> ObservationDetail:
        """One observation.

        Raises:
            UserError: ``unknown_executed_obs_unit``.
        """
        row = await self._one("executed_obs_unit", wanted)
        return ObservationDetail.of(
            row,
            files=await counts_of(self._opsdb, "raw_data_file", "executed_obs_unit_id", wanted),
            packages=await counts_of(self._opsdb, "raw_data_package", "executed_obs_unit_id", wanted),
            pictures=(await self._pictures([wanted])).get(wanted, []),
        )

    async def files_of(self, unit: UUID, state: FileState | None, part: Slice) -> Page[FileRecord]:
        """An observation's files, by path.

        Raises:
            UserError: ``unknown_executed_obs_unit``.
        """
        await self._one("executed_obs_unit", unit)
        select = Select("SELECT * FROM raw_data_file WHERE executed_obs_unit_id = $1", unit)
        select.where("state = {}::file_state", state)
        select.where("(COALESCE(path, ''), id) > ({}, {})", *key_of(part.cursor, str, UUID))
        rows = await select.fetch(self._opsdb, order="COALESCE(path, ''), id", limit=part.limit)
        return page_of(rows, part.limit, FileRecord.of, lambda row: (row["path"] or "", row["id"]))

    async def file(self, wanted: UUID) -> FileRecord:
        """One file.

        Raises:
            UserError: ``unknown_raw_data_file``.
        """
        return FileRecord.of(await self._one("raw_data_file", wanted))

    async def packages(self, wanted: PackageFilter, part: Slice) -> Page[PackageRecord]:
        """Packages, the latest planned first."""
        select = Select(
            f"SELECT *, COALESCE(planned_at, {_EPOCH}) AS place FROM raw_data_package WHERE true"  # noqa: S608  text of this module
        )
        select.where("executed_obs_unit_id = {}", wanted.executed_obs_unit_id)
        select.where("instrument = {}", wanted.instrument)
        select.where("state = {}::package_state", wanted.state)
        place = key_of(part.cursor, read_time, UUID)
        select.where(f"(COALESCE(planned_at, {_EPOCH}), id) < ({{}}, {{}})", *place)
        rows = await select.fetch(self._opsdb, order="place DESC, id DESC", limit=part.limit)
        copies = await self._copies([row["id"] for row in rows[: part.limit]])
        return page_of(
            rows,
            part.limit,
            lambda row: PackageRecord.of(row, copies=copies.get(row["id"], [])),
            lambda row: (row["place"], row["id"]),
        )

    async def package(self, wanted: UUID) -> PackageRecord:
        """One package.

        Raises:
            UserError: ``unknown_raw_data_package``.
        """
        row = await self._one("raw_data_package", wanted)
        return PackageRecord.of(row, copies=(await self._copies([wanted])).get(wanted, []))

    async def bundles(self, state: WorkState | None, part: Slice) -> Page[BundleRecord]:
        """Bundles, the latest sealed first."""
        select = Select(
            f"SELECT *, COALESCE(sealed_at, {_EPOCH}) AS place FROM data_transfer_package WHERE true"  # noqa: S608  text of this module
        )
        select.where("state = {}::work_state", state)
        place = key_of(part.cursor, read_time, UUID)
        select.where(f"(COALESCE(sealed_at, {_EPOCH}), id) < ({{}}, {{}})", *place)
        rows = await select.fetch(self._opsdb, order="place DESC, id DESC", limit=part.limit)
        transfers = await self._transfers([row["id"] for row in rows[: part.limit]])
        return page_of(
            rows,
            part.limit,
            lambda row: BundleRecord.of(row, transfers=transfers.get(row["id"], [])),
            lambda row: (row["place"], row["id"]),
        )

    async def bundle(self, wanted: UUID) -> BundleRecord:
        """One bundle.

        Raises:
            UserError: ``unknown_data_transfer_package``.
        """
        row = await self._one("data_transfer_package", wanted)
        return BundleRecord.of(row, transfers=(await self._transfers([wanted])).get(wanted, []))

    async def _one(self, table: str, wanted: UUID) -> asyncpg.Record:
        row = await self._opsdb.fetchrow(f"SELECT * FROM {table} WHERE id = $1", wanted)  # noqa: S608  names of this module
        if row is None:
            raise UserError(
                f"unknown_{table}",
                f"nothing here is a {table} with the id {wanted}",
                "Check the id; what happened at another site a moment ago may not have arrived yet.",
            )
        return row

    async def _pictures(self, units: list[UUID]) -> dict[UUID, list[Picture]]:
        return _grouped(await self._opsdb.fetch(_PICTURES, units), "unit", Picture)

    async def _copies(self, packages: list[UUID]) -> dict[UUID, list[CopyRecord]]:
        return _grouped(await self._opsdb.fetch(_COPIES, packages), "entity_id", CopyRecord)

    async def _transfers(self, bundles: list[UUID]) -> dict[UUID, list[TransferRecord]]:
        rows = await self._opsdb.fetch(_TRANSFERS, bundles)
        return _grouped(rows, "data_transfer_package_id", TransferRecord)


def _grouped(rows: Iterable[asyncpg.Record], owner: str, record: type[Any]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = {}
    for row in rows:
        found.setdefault(row[owner], []).append(record.of(row))
    return found
