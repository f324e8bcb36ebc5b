"""Observations and the filing of their files."""

import json

from contracts.envelope import Envelope
from contracts.observations import FilesFiled, ObservationFinished, ObservationStarted, Outcome
from contracts.states import FileState, ObservationState
from libs.opsdb.projection.changes import NO_PROBLEM, Change, Upsert, one
from libs.opsdb.projection.tables import EXECUTED_OBS_UNIT, OBS_UNIT, OBSERVING_PROGRAM, RAW_DATA_FILE

FROM_BEFORE_THE_SCAN = RAW_DATA_FILE.bits(FileState.FILED, FileState.MISSING, FileState.REFUSED)
"""A file that was found, planned or packaged already is not looked for again because it is filed again."""

_ENDED = {Outcome.COMPLETED: ObservationState.FINISHED, Outcome.ABORTED: ObservationState.ABORTED}


def observation_started(told: Envelope, event: ObservationStarted) -> list[Change]:
    """The observation runs. What it executes has a row from now on, whether it is registered already or not."""
    target = event.target
    columns = {
        "site": told.site,
        "instrument": event.instrument,
        "obs_unit": event.obs_unit,
        "observing_program": event.observing_program,
        "obs_mode": event.obs_mode,
        "target_name": target.name if target else None,
        "ra_deg": target.ra_deg if target else None,
        "dec_deg": target.dec_deg if target else None,
        "conditions": json.dumps(event.conditions),
        "state": ObservationState.RUNNING,
        "start_time": event.start_time,
        "filed_at": told.time,
    }
    planned: list[Change] = []
    if event.obs_unit is not None:
        planned.append(one(OBS_UNIT, (event.obs_unit,), {}))
    if event.observing_program is not None:
        planned.append(one(OBSERVING_PROGRAM, (event.observing_program,), {}))
    return [*planned, one(EXECUTED_OBS_UNIT, (event.executed_obs_unit_id,), columns)]


def files_filed(told: Envelope, event: FilesFiled) -> list[Change]:
    """Each file is to be looked for."""
    common = {
        "executed_obs_unit_id": event.executed_obs_unit_id,
        "instrument": event.instrument,
        "location": event.location,
        "state": FileState.FILED,
        **NO_PROBLEM,
        "raw_data_package_id": None,
        "filed_at": told.time,
    }
    rows = [
        (
            (file.file_id,),
            {
                **common,
                "instrument_module": file.module,
                "path": file.path,
                "declared_size": file.size,
                "declared_sha256": file.sha256,
            },
        )
        for file in event.files
    ]
    return [Upsert(RAW_DATA_FILE, rows, FROM_BEFORE_THE_SCAN)]


def observation_finished(told: Envelope, event: ObservationFinished) -> list[Change]:
    """The list of its files is closed."""
    columns = {
        "instrument": event.instrument,
        "quality": event.quality,
        "state": _ENDED[event.outcome],
        "end_time": event.end_time,
        "finished_at": told.time,
        "file_count": event.file_count,
    }
    return [one(EXECUTED_OBS_UNIT, (event.executed_obs_unit_id,), columns)]
