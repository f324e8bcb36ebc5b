from uuid import UUID, uuid4

import pytest

from contracts.files import FilesAssigned
from contracts.observations import FiledFile, FilesFiled
from libs.bus.parts import PART_BYTES, in_parts

UNIT = uuid4()
PACKAGE = uuid4()


def assigned(file_ids: tuple[UUID, ...], part: int, parts: int) -> FilesAssigned:
    return FilesAssigned(
        package_id=PACKAGE, executed_obs_unit_id=UNIT, file_ids=file_ids, part=part, parts=parts
    )


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (500, [500]), (501, [500, 1]), (1000, [500, 500])]
)
def test_parts_are_full_and_numbered(count: int, sizes: list[int]) -> None:
    file_ids = [uuid4() for _ in range(count)]

    events = in_parts(file_ids, assigned)

    assert [len(event.file_ids) for event in events] == sizes
    assert [event.part for event in events] == list(range(1, len(sizes) + 1))
    assert all(event.parts == len(sizes) for event in events)
    assert [file_id for event in events for file_id in event.file_ids] == file_ids


def test_long_paths_make_smaller_parts() -> None:
    files = [FiledFile(file_id=uuid4(), path=f"cam/{n}/" + "é" * 2000, module="ccd") for n in range(300)]

    events = in_parts(
        files,
        lambda chunk, part, parts: FilesFiled(
            executed_obs_unit_id=UNIT, instrument="cam", location="disk", files=chunk, part=part, parts=parts
        ),
    )

    assert len(events) > 1
    assert max(len(event.model_dump_json().encode()) for event in events) < PART_BYTES + 1000
    assert [file for event in events for file in event.files] == files


def test_one_item_above_the_limit_goes_alone() -> None:
    assert [len(event.file_ids) for event in in_parts([uuid4(), uuid4()], assigned, max_bytes=10)] == [1, 1]
