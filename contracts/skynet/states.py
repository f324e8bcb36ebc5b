"""The enums of observation assets, tasks and cameras, and the tables of what may follow what."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

State = TypeVar("State", bound=StrEnum)
Step = TypeVar("Step", bound=StrEnum)


class AssetRole(StrEnum):
    """What an observation asset contains."""

    SCIENCE_LIGHT = "SCIENCE_LIGHT"
    """A frame of the sky."""
    BIAS = "BIAS"
    """A frame of no exposure."""
    DARK = "DARK"
    """A frame with the shutter closed."""
    FLAT = "FLAT"
    """A frame of even light."""
    RADIO_TRACK = "RADIO_TRACK"
    """Spectra along a track."""
    RADIO_TRACK_TABLE = "RADIO_TRACK_TABLE"
    """What was read along a track, as a table."""
    RADIO_MAP = "RADIO_MAP"
    """A map of the sky."""


class TransferState(StrEnum):
    """The state of the transfer of an asset's bytes."""

    PENDING = "pending"
    """It waits for a transferrer."""
    ACTIVE = "active"
    """A transferrer has leased it."""
    COMPLETED = "completed"
    """The bytes are here, and are those that were declared; an asset that is made here begins so."""
    FAILED = "failed"
    """An attempt failed, or its lease expired."""
    CANCELED = "canceled"
    """Somebody did not want it any more."""


class TransferStep(StrEnum):
    """What happens to the transfer of an asset."""

    REQUESTED = "requested"
    """It is to be tried again."""
    STARTED = "started"
    """A transferrer leases it: an attempt begins."""
    PROGRESSED = "progressed"
    """More of the bytes are here; the lease is renewed."""
    COMPLETED = "completed"
    """Size and checksum are as declared."""
    FAILED = "failed"
    """The attempt failed, or its lease expired."""
    CANCELED = "canceled"
    """Nobody wants it any more."""


TRANSFER_STEPS: Mapping[TransferStep, tuple[TransferState, frozenset[TransferState]]] = {
    TransferStep.REQUESTED: (
        TransferState.PENDING,
        frozenset({TransferState.FAILED, TransferState.CANCELED}),
    ),
    TransferStep.STARTED: (TransferState.ACTIVE, frozenset({TransferState.PENDING})),
    TransferStep.PROGRESSED: (TransferState.ACTIVE, frozenset({TransferState.ACTIVE})),
    TransferStep.COMPLETED: (TransferState.COMPLETED, frozenset({TransferState.ACTIVE})),
    TransferStep.FAILED: (TransferState.FAILED, frozenset({TransferState.ACTIVE})),
    TransferStep.CANCELED: (
        TransferState.CANCELED,
        frozenset({TransferState.PENDING, TransferState.ACTIVE}),
    ),
}
"""What each step makes of a transfer, and from which states; from any other it is refused."""


class TaskType(StrEnum):
    """What an observation task is for."""

    OPTICAL_IMAGING = "optical_imaging"
    """Frames of the sky."""
    OPTICAL_IMAGING_BIAS_CALIBRATION = "optical_imaging_bias_calibration"
    """Frames of no exposure."""
    OPTICAL_IMAGING_DARK_CALIBRATION = "optical_imaging_dark_calibration"
    """Frames with the shutter closed."""
    OPTICAL_IMAGING_FLAT_CALIBRATION = "optical_imaging_flat_calibration"
    """Frames of even light."""
    RADIO_TRACKING = "radio_tracking"
    """A receiver that follows a source."""
    RADIO_MAPPING = "radio_mapping"
    """A receiver that is moved over a field."""


class TaskStatus(StrEnum):
    """The status of an observation task."""

    UNASSIGNED = "unassigned"
    """No telescope has it."""
    PENDING = "pending"
    """A telescope has it, and has not begun."""
    ACTIVE = "active"
    """It is being executed."""
    COMPLETED = "completed"
    """All of it was executed."""
    FAILED = "failed"
    """It cannot be executed."""
    NOT_ATTEMPTED = "not_attempted"
    """Its time was up before it was begun."""
    INTERRUPTED = "interrupted"
    """It was begun, and waits to be resumed."""
    CANCELED = "canceled"
    """Somebody did not want it any more."""


OPEN_TASKS = frozenset({TaskStatus.UNASSIGNED, TaskStatus.PENDING, TaskStatus.ACTIVE, TaskStatus.INTERRUPTED})
"""A task of another status is done with."""


class TaskStep(StrEnum):
    """What happens to an observation task."""

    ASSIGNED = "assigned"
    """A telescope is to execute it; one that has not begun may be given to another telescope."""
    STARTED = "started"
    """The telescope begins."""
    PROGRESSED = "progressed"
    """Exposures were made."""
    COMPLETED = "completed"
    """The last of them was."""
    FAILED = "failed"
    """The telescope gives up."""
    EXPIRED = "expired"
    """Its time is up."""
    INTERRUPTED = "interrupted"
    """The telescope has to stop, for weather or something that matters more."""
    RESUMED = "resumed"
    """The telescope goes on with it."""
    CANCELED = "canceled"
    """Nobody wants it any more."""


_ACTIVE = frozenset({TaskStatus.ACTIVE})

TASK_STEPS: Mapping[TaskStep, tuple[TaskStatus, frozenset[TaskStatus]]] = {
    TaskStep.ASSIGNED: (TaskStatus.PENDING, frozenset({TaskStatus.UNASSIGNED, TaskStatus.PENDING})),
    TaskStep.STARTED: (TaskStatus.ACTIVE, frozenset({TaskStatus.PENDING})),
    TaskStep.PROGRESSED: (TaskStatus.ACTIVE, _ACTIVE),
    TaskStep.COMPLETED: (TaskStatus.COMPLETED, _ACTIVE),
    TaskStep.FAILED: (TaskStatus.FAILED, _ACTIVE),
    TaskStep.EXPIRED: (TaskStatus.NOT_ATTEMPTED, frozenset({TaskStatus.PENDING})),
    TaskStep.INTERRUPTED: (TaskStatus.INTERRUPTED, _ACTIVE),
    TaskStep.RESUMED: (TaskStatus.ACTIVE, frozenset({TaskStatus.INTERRUPTED})),
    TaskStep.CANCELED: (TaskStatus.CANCELED, OPEN_TASKS),
}
"""What each step makes of a task, and from which statuses; from any other it is refused."""


class RunKind(StrEnum):
    """What a run does with an asset."""

    RENDER = "render"
    """Thumbnail and preview."""
    PROCESSING = "processing"
    """A processed asset."""
    ANALYSIS = "analysis"
    """Measurements."""


class RunState(StrEnum):
    """The state of a run."""

    READY = "ready"
    """It waits for a worker."""
    RUNNING = "running"
    """A worker has it."""
    COMPLETED = "completed"
    """What it made counts, unless a newer run did."""
    FAILED = "failed"
    """It made nothing."""
    CANCELED = "canceled"
    """Nobody wants it any more."""


OPEN_RUNS = frozenset({RunState.READY, RunState.RUNNING})
"""A run in another state is history, and never changes again."""


class RunStep(StrEnum):
    """What happens to a run; to try again after a failure is a new run."""

    STARTED = "started"
    """A worker takes it: an iteration begins."""
    PROGRESSED = "progressed"
    """A stage, or a part of one, is done."""
    RETURNED = "returned"
    """Its worker was lost: another one is to take it."""
    COMPLETED = "completed"
    """It made what it was to make."""
    FAILED = "failed"
    """It did not."""
    CANCELED = "canceled"
    """Nobody wants it any more."""


_RUNNING = frozenset({RunState.RUNNING})

RUN_STEPS: Mapping[RunStep, tuple[RunState, frozenset[RunState]]] = {
    RunStep.STARTED: (RunState.RUNNING, frozenset({RunState.READY})),
    RunStep.PROGRESSED: (RunState.RUNNING, _RUNNING),
    RunStep.RETURNED: (RunState.READY, _RUNNING),
    RunStep.COMPLETED: (RunState.COMPLETED, _RUNNING),
    RunStep.FAILED: (RunState.FAILED, _RUNNING),
    RunStep.CANCELED: (RunState.CANCELED, OPEN_RUNS),
}
"""What each step makes of a run, and from which states; from any other it is refused."""


class CoolerPolicy(StrEnum):
    """When a camera is cooled."""

    ALWAYS_ON = "always_on"
    """Day and night."""
    PRE_COOL_FOR_TASKS = "pre_cool_for_tasks"
    """From the lead time before a task until it was idle for the time-out."""
    MANUAL_ONLY = "manual_only"
    """When a person says so."""


class DeviceType(StrEnum):
    """What a device is."""

    ENCLOSURE = "enclosure"
    """A dome or roof."""
    OTA = "ota"
    """An optical tube assembly."""
    CAMERA = "camera"
    """A camera."""
    FOCUSER = "focuser"
    """It moves the focus."""
    INSTRUMENT_ROTATOR = "instrument_rotator"
    """It turns the instrument with the sky."""
    FILTER_WHEEL = "filter_wheel"
    """It changes filters."""
    MOUNT = "mount"
    """It points the telescope."""
    WEATHER_SENSOR = "weather_sensor"
    """It tells the weather."""
    ANTENNA = "antenna"
    """The dish of a radio telescope."""
    RECEIVER = "receiver"
    """It stands in the focus of an antenna."""
    RADIO_BACKEND = "radio_backend"
    """It makes spectra of what a receiver gives."""


class IllegalStep(ValueError):
    """A step that the tables do not have."""


def transfer_after(step: TransferStep, before: TransferState) -> TransferState:
    """The state of a transfer after a step.

    Raises:
        IllegalStep: The step does not lead from there.
    """
    return _after(TRANSFER_STEPS, "transfer", step, before)


def task_after(step: TaskStep, before: TaskStatus) -> TaskStatus:
    """The status of a task after a step.

    Raises:
        IllegalStep: The step does not lead from there.
    """
    return _after(TASK_STEPS, "task", step, before)


def run_after(step: RunStep, before: RunState) -> RunState:
    """The state of a run after a step.

    Raises:
        IllegalStep: The step does not lead from there.
    """
    return _after(RUN_STEPS, "run", step, before)


def _after(
    steps: Mapping[Step, tuple[State, frozenset[State]]], what: str, step: Step, before: State
) -> State:
    after, sources = steps[step]
    if before not in sources:
        raise IllegalStep(f"a {what} that is {before} cannot be {step}")
    return after
