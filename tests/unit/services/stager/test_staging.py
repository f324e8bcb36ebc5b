import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.problems import Problem
from contracts.staging import ReleaseReason, Selection, StagingRequested
from libs.copies.staged import PlacedFile
from libs.errors import Permanent, Retriable
from services.stager.expiring import released
from services.stager.handlers import LAST_ATTEMPT, STAGE, given_up
from services.stager.queries import Expired, Staged
from services.stager.recalling import require_room, stands
from services.stager.staging import announced, chosen, completed, own_folder

NOW = datetime(2026, 3, 2, tzinfo=UTC)
JOB = uuid4()


def request(folder: str = f"staging/{JOB}") -> StagingRequested:
    return StagingRequested(
        job_id=JOB,
        selection=Selection(package_ids=(uuid4(),)),
        requested_by="somebody",
        requested_at=NOW,
        location="processing",
        folder=folder,
    )


def placed(path: str, size: int, mtime_ns: int) -> PlacedFile:
    return PlacedFile(path, size, mtime_ns, hashlib.sha256(b"data").hexdigest())


def test_a_job_has_one_folder_only() -> None:
    assert own_folder(request()) == f"staging/{JOB}"
    for folder in ("staging", "staging/../x", f"staging/{uuid4()}", f"staging/{JOB}/deeper", "results"):
        with pytest.raises(Permanent, match="folder_invalid"):
            own_folder(request(folder))


def test_the_time_to_keep_it_begins_when_all_is_there() -> None:
    done = [Staged(UUID(int=1), 3, 30), Staged(UUID(int=2), 1, 5)]
    event = completed(request(), done, NOW, timedelta(hours=2))
    assert (event.packages, event.files, event.payload_bytes) == (2, 4, 35)
    assert event.expires_at == NOW + timedelta(hours=2)


def test_an_announced_package_names_the_job_and_its_folder() -> None:
    event = announced(request(), Staged(UUID(int=1), 3, 30))
    assert (event.job_id, event.folder, event.file_count) == (JOB, f"staging/{JOB}", 3)


def test_a_job_given_up_says_why() -> None:
    why = Problem(code="not_archived", reason="no", remedy="wait")
    assert given_up(request(), why).problem == why


def test_giving_up_by_an_event_comes_before_the_dead_letters() -> None:
    assert STAGE.max_attempts > LAST_ATTEMPT


def test_an_expired_job_is_released_once_however_often_it_is_found() -> None:
    job = Expired(JOB, "processing", f"staging/{JOB}")
    assert released(job).reason is ReleaseReason.EXPIRED
    assert released(job).event_id("cologne") == released(job).event_id("cologne")


def test_only_what_was_asked_for_is_chosen() -> None:
    files = [placed("a", 1, 1), placed("b", 1, 1)]
    assert chosen(files, None) == files
    assert chosen(files, frozenset({"b"})) == files[1:]


def test_files_stand_with_size_and_time(tmp_path: Path) -> None:
    place = tmp_path / "camera" / "a"
    place.parent.mkdir()
    place.write_bytes(b"data")
    os.utime(place, ns=(5, 5))
    assert stands(tmp_path, [placed("camera/a", 4, 5)])
    assert not stands(tmp_path, [placed("camera/a", 4, 6)])
    assert not stands(tmp_path, [placed("camera/a", 5, 5)])
    assert not stands(tmp_path, [placed("camera/a", 4, 5), placed("camera/b", 4, 5)])
    assert not stands(tmp_path, [placed("camera/a/b", 4, 5)])
    place.rename(place.with_name("b"))
    place.symlink_to("b")
    assert not stands(tmp_path, [placed("camera/a", 4, 5)])


def test_a_job_that_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    require_room(tmp_path, 1)
    with pytest.raises(Retriable, match="disk_full"):
        require_room(tmp_path, 1 << 62)
    with pytest.raises(Retriable, match="location_missing"):
        require_room(tmp_path / "unmounted", 1)
