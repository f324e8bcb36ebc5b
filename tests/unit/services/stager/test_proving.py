import threading
from pathlib import Path

import pytest

from libs.copies.staged import PlacedFile
from libs.errors import ChasquiError, Permanent, Retriable
from libs.packaging import DestinationConflict, SealedFile
from services.stager.proving import judge_conflict, prove
from tests.support.placed import DATA, TIME_NS, placed


def proven(folder: Path, *files: PlacedFile) -> list[int]:
    heard: list[int] = []
    prove(folder, files, threading.Event(), heard.append)
    return heard


def test_what_stands_is_left_alone_and_counted(tmp_path: Path) -> None:
    files = [placed(tmp_path, "camera/a"), placed(tmp_path, "camera/b")]
    assert proven(tmp_path, *files) == [len(DATA), 2 * len(DATA)]
    assert (tmp_path / "camera/a").read_bytes() == DATA


def test_what_the_disk_damaged_is_taken_away_and_told(tmp_path: Path) -> None:
    files = [placed(tmp_path, "camera/a"), placed(tmp_path, "camera/b", DATA.swapcase())]
    with pytest.raises(Retriable, match="staged_copy_damaged") as told:
        proven(tmp_path, *files)
    assert "'camera/b' (damaged)" in told.value.problem.reason
    assert [path.name for path in (tmp_path / "camera").iterdir()] == ["a"]


def test_what_somebody_changed_is_told_and_stays(tmp_path: Path) -> None:
    changed = placed(tmp_path, "a", b"a result of mine", TIME_NS + 1)
    with pytest.raises(Retriable, match=r"'a' \(changed\)"):
        proven(tmp_path, changed)
    assert (tmp_path / "a").read_bytes() == b"a result of mine"


def test_what_is_gone_is_told(tmp_path: Path) -> None:
    gone = placed(tmp_path, "a")
    (tmp_path / "a").unlink()
    with pytest.raises(Retriable, match=r"'a' \(missing\)"):
        proven(tmp_path, gone)


def test_a_proof_that_is_told_to_stop_stops_and_takes_nothing_away(tmp_path: Path) -> None:
    stop, damaged = threading.Event(), placed(tmp_path, "a", DATA.swapcase())
    stop.set()
    with pytest.raises(Retriable, match="cancelled"):
        prove(tmp_path, [damaged], stop, lambda _: None)
    assert (tmp_path / "a").exists()


def judged(folder: Path, *files: PlacedFile) -> ChasquiError:
    sealed = [SealedFile(one.path, one.size, one.mtime_ns, one.sha256, 0) for one in files]
    return judge_conflict(folder, DestinationConflict(sealed), threading.Event())


def test_a_packages_own_files_that_rotted_make_way_for_it(tmp_path: Path) -> None:
    placed(tmp_path, "camera/other")
    error = judged(tmp_path, placed(tmp_path, "camera/a", DATA.swapcase()))
    assert isinstance(error, Retriable)
    assert error.problem.code == "staged_copy_damaged"
    assert [path.name for path in (tmp_path / "camera").iterdir()] == ["other"]


def test_nothing_makes_way_where_somebodys_work_stands(tmp_path: Path) -> None:
    rotten = placed(tmp_path, "a", DATA.swapcase())
    error = judged(tmp_path, rotten, placed(tmp_path, "b", b"a result of mine", TIME_NS + 1))
    assert isinstance(error, Permanent)
    assert error.problem.code == "destination_differs"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_what_is_whole_after_all_stays_and_is_tried_again(tmp_path: Path) -> None:
    error = judged(tmp_path, placed(tmp_path, "a"))
    assert isinstance(error, Retriable)
    assert error.problem.code == "staged_copy_misread"
    assert (tmp_path / "a").read_bytes() == DATA
