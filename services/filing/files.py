"""Whether files may be filed in an observation: one pure decision for a whole request."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from contracts.observations import DeclaredFile, FiledFile, FileFiles, FilesFiled, FilingAccepted, file_id
from contracts.problems import Problem
from contracts.states import FileState
from libs.bus.parts import in_parts
from libs.sites.models import InstrumentSettings
from services.filing.decisions import Accept, Decision, Refuse
from services.filing.observing import already_finished, not_started
from services.filing.world import FilesWorld, KnownFile

CORRECTABLE = frozenset({FileState.FILED, FileState.MISSING, FileState.REFUSED})
"""States in which a file's declaration may change."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A request to file files, with what its letters and the disk say about it.

    Attributes:
        instrument: The observation's instrument.
        settings: Of that instrument.
        folder: Its folder, relative to the SOURCE location's root.
        path_problems: What is wrong with a declared path, by path.
        other_problems: What is wrong with the instrument.
    """

    request: FileFiles
    instrument: str
    settings: InstrumentSettings
    folder: str
    path_problems: Mapping[str, Problem]
    other_problems: tuple[Problem, ...] = ()

    def source_path(self, declared: DeclaredFile) -> str:
        """Where a declared file is, relative to the SOURCE location's root."""
        return f"{self.folder}/{declared.path}"


class Step(Enum):
    """What filing a file means."""

    NEW = "new"
    """The observation did not have it."""
    AGAIN = "again"
    """Its declaration changes, or it was refused and is to be looked at once more."""
    REPEATED = "repeated"
    """It was filed just so before."""


def decide_files(registration: Registration, world: FilesWorld) -> Decision:
    """Accept all files of a request, or none."""
    unit_id = registration.request.executed_obs_unit_id
    if world.unit is None:
        return Refuse((not_started(str(unit_id)),))
    if problems := [*registration.other_problems, *_problems(registration, world)]:
        return Refuse(tuple(problems))
    filed = [_filed(registration, declared) for declared in registration.request.files]
    steps = [_step(file, world.mine.get(file.path)) for file in filed]
    new = [file for file, step in zip(filed, steps, strict=True) if step is Step.NEW]
    again = [file for file, step in zip(filed, steps, strict=True) if step is Step.AGAIN]
    if new and world.unit.finished is not None:
        return Refuse((already_finished(world.unit.finished, f"{len(new)} of these files are not in it"),))
    events = (*_events(registration, new, None), *_events(registration, again, world.last))
    answer = FilingAccepted(
        executed_obs_unit_id=unit_id, repeated=not events, file_ids=tuple(file.file_id for file in filed)
    )
    return Accept(events, answer)


def _filed(registration: Registration, declared: DeclaredFile) -> FiledFile:
    path = registration.source_path(declared)
    return FiledFile(
        file_id=file_id(registration.request.executed_obs_unit_id, path),
        path=path,
        module=declared.module or registration.settings.modules[0],
        size=declared.size,
        sha256=declared.sha256,
    )


def _step(file: FiledFile, known: KnownFile | None) -> Step:
    if known is None:
        return Step.NEW
    if known.state is FileState.REFUSED or not _same(file, known):
        return Step.AGAIN
    return Step.REPEATED


def _same(file: FiledFile, known: KnownFile) -> bool:
    return (file.module, file.size, file.sha256) == (known.module, known.size, known.sha256)


def _events(registration: Registration, files: Sequence[FiledFile], after: UUID | None) -> list[FilesFiled]:
    return in_parts(
        files,
        lambda chunk, part, parts: FilesFiled(
            executed_obs_unit_id=registration.request.executed_obs_unit_id,
            instrument=registration.instrument,
            location=registration.settings.source,
            files=chunk,
            after=after,
            part=part,
            parts=parts,
        ),
    )


def _problems(registration: Registration, world: FilesWorld) -> Iterator[Problem]:
    for path, count in Counter(file.path for file in registration.request.files).items():
        if count > 1:
            yield Problem(
                code="duplicate_path",
                reason=f"{path!r} is {count} times in the request",
                remedy="Name each file once.",
            )
    for declared in registration.request.files:
        yield from _file_problems(registration, declared, world)


def _file_problems(
    registration: Registration, declared: DeclaredFile, world: FilesWorld
) -> Iterator[Problem]:
    if (problem := registration.path_problems.get(declared.path)) is not None:
        yield problem
    modules = registration.settings.modules
    if declared.module is not None and declared.module not in modules:
        yield Problem(
            code="unknown_module",
            reason=f"{declared.path!r}: {registration.instrument} has no module {declared.module!r}, "
            f"but {', '.join(modules)}",
            remedy="Name one of the instrument's modules, or none for the first one.",
        )
    path = registration.source_path(declared)
    if (other := world.elsewhere.get(path)) is not None:
        yield Problem(
            code="file_filed_elsewhere",
            reason=f"{declared.path!r} is filed in observation {other}, and its copy is still on the disk",
            remedy="Write every observation's files under names of their own.",
        )
    known = world.mine.get(path)
    if (
        known is not None
        and known.state not in CORRECTABLE
        and not _same(_filed(registration, declared), known)
    ):
        yield Problem(
            code="file_already_packaged",
            reason=f"{declared.path!r} was filed with another declaration and is {known.state} already",
            remedy="Repeat the declaration as it was, or file a corrected file under another name.",
        )
