import fcntl
import os
from pathlib import Path
from uuid import uuid4

import pytest

from libs.bus.fencing import Overtaken
from libs.storage.partial_trees import TreeTry
from services.janitor.folders import job_folder, jobs_on_disk, remove, remove_leftovers


def test_a_job_goes_with_everything_in_it_and_nothing_else(tmp_path: Path) -> None:
    job, other = uuid4(), uuid4()
    for one in (job, other):
        (tmp_path / job_folder(one) / "camera").mkdir(parents=True)
        (tmp_path / job_folder(one) / "camera" / "a.fits").write_bytes(b"x")
    assert set(jobs_on_disk(tmp_path)) == {job, other}
    remove(tmp_path, job)
    remove(tmp_path, job)
    assert jobs_on_disk(tmp_path) == [other]
    assert (tmp_path / job_folder(other) / "camera" / "a.fits").is_file()


def test_with_a_job_go_all_tries_to_unpack_into_its_folder(tmp_path: Path) -> None:
    job, other = uuid4(), uuid4()
    for one in (job, other):
        (tmp_path / job_folder(one)).mkdir(parents=True)
    paused, another = (TreeTry.new("package", tmp_path / job_folder(one)) for one in (job, other))
    (paused.tree / "a.fits").write_bytes(b"x")
    remove(tmp_path, job)
    with pytest.raises(Overtaken):
        paused.check()
    with pytest.raises(FileNotFoundError):
        paused.tree.rename(tmp_path / job_folder(job))
    another.check()
    left = {path.name for path in (tmp_path / "staging").iterdir()}
    assert left == {str(other), another.path.name}
    remove(tmp_path, job)
    for attempt in (paused, another):
        attempt.close()


def test_links_of_users_are_removed_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    job, root = uuid4(), tmp_path / "root"
    (root / job_folder(job)).mkdir(parents=True)
    (root / job_folder(job) / "link").symlink_to(outside)
    remove(root, job)
    assert (outside / "precious").is_file()
    assert jobs_on_disk(root) == []


def test_a_link_in_the_place_of_a_jobs_folder_is_refused(tmp_path: Path) -> None:
    outside, root, job = tmp_path / "outside", tmp_path / "root", uuid4()
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    (root / "staging").mkdir(parents=True)
    (root / job_folder(job)).symlink_to(outside)
    with pytest.raises(OSError, match="symbolic link"):
        remove(root, job)
    assert (outside / "precious").is_file()


def test_a_link_in_the_place_of_all_jobs_is_refused(tmp_path: Path) -> None:
    outside, root, job = tmp_path / "outside", tmp_path / "root", uuid4()
    (outside / str(job)).mkdir(parents=True)
    root.mkdir()
    (root / "staging").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        remove(root, job)
    assert (outside / str(job)).is_dir()


def test_nothing_staged_is_nothing_to_do(tmp_path: Path) -> None:
    remove(tmp_path, uuid4())
    assert jobs_on_disk(tmp_path) == []
    assert remove_leftovers(tmp_path) == 0


def test_a_missing_location_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        jobs_on_disk(tmp_path / "unmounted")


def test_other_folders_are_no_jobs(tmp_path: Path) -> None:
    (tmp_path / "staging" / "my results").mkdir(parents=True)
    (tmp_path / "staging" / uuid4().hex).mkdir()
    assert jobs_on_disk(tmp_path) == []


def test_old_leftovers_go_and_work_in_progress_stays(tmp_path: Path) -> None:
    names = [".old.partial", ".busy.partial", ".fresh.partial"]
    for name in names:
        (tmp_path / "staging" / name / "payload").mkdir(parents=True)
    for name in names[:2]:
        os.utime(tmp_path / "staging" / name, (1, 1))
    busy = os.open(tmp_path / "staging" / ".busy.partial", os.O_RDONLY)
    try:
        fcntl.flock(busy, fcntl.LOCK_EX)
        assert remove_leftovers(tmp_path) == 1
    finally:
        os.close(busy)
    assert sorted(path.name for path in (tmp_path / "staging").iterdir()) == sorted(names[1:])


def test_killed_in_the_middle_a_folder_is_whole_or_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = uuid4()
    folder = tmp_path / job_folder(job)
    (folder / "camera").mkdir(parents=True)
    (folder / "camera" / "a.fits").write_bytes(b"x")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("rename", "fsync"):
        with monkeypatch.context() as patched:
            patched.setattr(os, step, killed)
            with pytest.raises(KeyboardInterrupt):
                remove(tmp_path, job)
        whole = folder.exists()
        assert whole == (step == "rename")
        assert not whole or (folder / "camera" / "a.fits").is_file()
    assert jobs_on_disk(tmp_path) == []
    assert remove_leftovers(tmp_path) == 1
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_folder_that_was_staged_anew_while_an_old_one_is_being_deleted_goes_too(tmp_path: Path) -> None:
    job = uuid4()
    aside = tmp_path / "staging" / f".{job}.deleting"
    for folder in (aside, tmp_path / job_folder(job)):
        folder.mkdir(parents=True)
        (folder / "a.fits").write_bytes(b"x")
    remove(tmp_path, job)
    assert list((tmp_path / "staging").iterdir()) == []
