"""Every step from every state, by the fold and PostgreSQL: what the table does not have changes nothing."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from contracts.base import Event
from contracts.copies import CopyDeleted, CopyRef, DeletionRefused, DeletionScheduled, RefusedCopy, copy_id
from contracts.envelope import Envelope
from contracts.packages import PackageStaged
from contracts.problems import Problem
from contracts.states import COPY_STEPS, CopyKind, CopyState, CopyStep, copy_sources
from contracts.subjects import events_stream
from libs.opsdb.projection.applying import Batch, Happening
from libs.opsdb.writer import OpsDbWriter

from .conftest import Database

pytestmark = pytest.mark.integration

SITE, PLACE = "chile", "chile-buffer"
THEN, NOW = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)
WHY = Problem(code="because", reason="it stays", remedy="wait")
STEPS = [(step, after) for step in CopyStep for after in COPY_STEPS[step] if step is not CopyStep.BEGUN]


def ref(entity: UUID) -> CopyRef:
    return CopyRef(kind=CopyKind.RAW_DATA_PACKAGE, entity_id=entity, location=PLACE, path="p.tar", size=5)


def event_of(step: CopyStep, after: CopyState, entity: UUID) -> Event:
    match step:
        case CopyStep.REFUSED:
            refusal = RefusedCopy(copy_ref=ref(entity), problem=WHY, state=after)
            return DeletionRefused(location=PLACE, refusals=(refusal,))
        case CopyStep.SCHEDULED:
            return DeletionScheduled(location=PLACE, batch=uuid4(), copies=(ref(entity),))
        case CopyStep.DELETED:
            return CopyDeleted(location=PLACE, batch=uuid4(), deleted_at=NOW, copies=(ref(entity),))
        case _:
            return PackageStaged(
                job_id=uuid4(), package_id=entity, location=PLACE, folder="f", file_count=1, payload_bytes=5
            )


def stored(events: list[Event]) -> list[Happening]:
    return [
        Happening(
            events_stream(SITE),
            number,
            Envelope.of(event, site=SITE, service="test", time=NOW, causation_id=None),
            event,
        )
        for number, event in enumerate(events, start=1)
    ]


async def test_every_step_from_every_state(database: Database) -> None:
    cases = [
        (before, step, after, uuid4())
        for before in CopyState
        for step, after in STEPS
        if after is not CopyState.PRESENT or step is not CopyStep.ARRIVED
    ]
    for before, _, _, entity in cases:
        await database.execute(
            "INSERT INTO physical_copy (id, kind, entity_id, location, state, created_at, refusal_code, refused_at) "  # noqa: S608 - of this test
            f"VALUES ('{copy_id(CopyKind.RAW_DATA_PACKAGE, entity, PLACE)}', 'raw_data_package', '{entity}', "
            f"'{PLACE}', '{before}', '{THEN.isoformat()}', 'earlier', '{THEN.isoformat()}')"
        )
    happenings = stored([event_of(step, after, entity) for _, step, after, entity in cases])
    async with OpsDbWriter.open(database.writer) as writer:
        await writer.apply(Batch(happenings, {events_stream(SITE): len(happenings)}))
    rows = {
        row["entity_id"]: row for row in await database.fetch("SELECT *, state::text AS s FROM physical_copy")
    }
    for before, step, after, entity in cases:
        row, legal = rows[entity], before in copy_sources(step, after)
        assert row["s"] == (after if legal else before), (before, step, after)
        said = (row["refusal_code"], row["refused_at"], row["scheduled_at"], row["deleted_at"])
        assert said == _expected(step, legal=legal), (before, step, after)


def _expected(
    step: CopyStep, *, legal: bool
) -> tuple[str | None, datetime | None, datetime | None, datetime | None]:
    """Refusal, when it was refused, announced, deleted: a step that is not taken leaves everything as it was."""
    if not legal:
        return ("earlier", THEN, None, None)
    match step:
        case CopyStep.REFUSED:
            return ("because", NOW, None, None)
        case CopyStep.SCHEDULED:
            return (None, THEN, NOW, None)
        case CopyStep.DELETED:
            return (None, None, None, NOW)
        case _:
            return (None, None, None, None)


async def test_a_try_after_the_other_in_one_batch_and_one_by_one(database: Database) -> None:
    one, other = uuid4(), uuid4()
    steps = [
        (CopyStep.ARRIVED, CopyState.STAGED),
        (CopyStep.SCHEDULED, CopyState.DELETION_SCHEDULED),
        (CopyStep.REFUSED, CopyState.DELETION_FAILED),
        (CopyStep.SCHEDULED, CopyState.DELETION_SCHEDULED),
        (CopyStep.REFUSED, CopyState.STAGED),
        (CopyStep.SCHEDULED, CopyState.DELETION_SCHEDULED),
        (CopyStep.DELETED, CopyState.DELETED),
        (CopyStep.SCHEDULED, CopyState.DELETION_SCHEDULED),
        (CopyStep.REFUSED, CopyState.STAGED),
    ]
    first = [event_of(*step, one) for step in steps]
    second = [event_of(*step, other) for step in steps]
    happenings = stored([*first, *second])
    async with OpsDbWriter.open(database.writer) as writer:
        cut = len(first)
        await writer.apply(Batch(happenings[:cut], {events_stream(SITE): cut}))
        for happening in happenings[cut:]:
            await writer.apply(Batch([happening], {events_stream(SITE): happening.sequence}))
    rows = await database.fetch(
        "SELECT state::text, deleted_at, scheduled_at, refusal_code FROM physical_copy"
    )
    assert [tuple(row) for row in rows] == [("deleted", NOW, NOW, None)] * 2
