import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.copies import CopyRef
from contracts.states import CopyKind, FileState, PackageState
from libs.errors import Retriable, UserError
from libs.sites.retention import Retention
from libs.storage.deletion import EmptiedFolders
from services.janitor import deleting
from services.janitor.deleting import Ground, delete, require_mounted
from services.janitor.facts import (
    ArchiveCopy,
    Copy,
    Evidence,
    Moment,
    PackageFacts,
    SourceCopy,
    StagedFolder,
    Standing,
    World,
)
from services.janitor.may_delete import Answer, may_delete
from services.janitor.planning import Candidate

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SHA = "cd" * 32
WHOLE = ArchiveCopy("archive", "centre", "k", NOW, NOW, None, Evidence.ASKED, Standing.WHOLE)
PACKAGE = PackageFacts(
    id=uuid4(),
    name="p.tar",
    state=PackageState.ARCHIVED,
    size=9,
    sha256=SHA,
    archived_at=NOW,
    verified_at=NOW,
    archives=(WHOLE,),
    open_bundles=(),
)
ACTING = World(Moment.ACTING, NOW, Retention.model_validate({"keep_for": 0}), package=PACKAGE)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    (tmp_path / "root" / "camera").mkdir(parents=True)
    return Ground(tmp_path / "root", "camera", EmptiedFolders.REMOVE)


def candidate(path: str, size: int, mtime_ns: int) -> Candidate:
    ref = CopyRef(kind=CopyKind.RAW_DATA_FILE, entity_id=uuid4(), location="source", path=path, size=size)
    return Candidate(SourceCopy(ref, FileState.PACKAGED, size, mtime_ns, SHA), ACTING)


def put(ground: Ground, path: str, data: bytes = b"data") -> Candidate:
    place = ground.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    facts = place.stat()
    return candidate(path, facts.st_size, facts.st_mtime_ns)


def test_files_go_and_so_do_emptied_folders_below_the_instruments(ground: Ground) -> None:
    files = [put(ground, f"camera/night/deep/{name}.fits") for name in ("a", "b c", "ü")]
    cleared = delete(ground, files)
    assert cleared.gone == tuple(files)
    assert cleared.refused == ()
    assert list((ground.root / "camera").iterdir()) == []


def test_a_file_directly_in_the_instruments_folder_goes(ground: Ground) -> None:
    assert delete(ground, [put(ground, "camera/a")]).gone
    assert (ground.root / "camera").is_dir()


def test_folders_stay_while_the_instrument_observes(ground: Ground) -> None:
    busy = Ground(ground.root, ground.base, EmptiedFolders.KEEP)
    assert delete(busy, [put(ground, "camera/night/a")]).gone
    assert (ground.root / "camera" / "night").is_dir()


def test_a_file_outside_the_instruments_folder_goes_without_its_folder(ground: Ground) -> None:
    assert delete(ground, [put(ground, "elsewhere/a")]).gone
    assert (ground.root / "elsewhere").is_dir()


def test_a_repeat_finds_them_gone_and_says_the_same(ground: Ground) -> None:
    files = [put(ground, f"camera/{number}") for number in range(5)]
    assert delete(ground, files[:2]).gone == tuple(files[:2])
    assert delete(ground, files).gone == tuple(files)


def test_a_changed_file_stays(ground: Ground) -> None:
    grown, touched = put(ground, "camera/grown"), put(ground, "camera/touched")
    (ground.root / "camera/grown").write_bytes(b"more data than before")
    os.utime(ground.root / "camera/touched", ns=(1, 1))
    cleared = delete(ground, [grown, touched])
    assert cleared.gone == ()
    assert [one.problem.code for one in cleared.refused] == ["changed_on_disk", "changed_on_disk"]
    assert len(list((ground.root / "camera").iterdir())) == 2


def test_what_a_killed_deletion_took_aside_goes_with_the_repeat(ground: Ground) -> None:
    file = put(ground, "camera/night/a")
    place = ground.root / "camera/night/a"
    place.rename(place.with_name(".a.0123456789abcdef.chasqui-deleting"))
    assert delete(ground, [file]).gone == (file,)
    assert list((ground.root / "camera").iterdir()) == []


def test_a_file_that_comes_after_the_look_stays(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    there, gone = put(ground, "camera/there"), put(ground, "camera/gone")
    (ground.root / "camera/gone").unlink()

    def replaced_after(copy: Copy, world: World) -> Answer:
        put(ground, "camera/.new", b"newer")
        assert isinstance(copy, SourceCopy)
        (ground.root / "camera/.new").rename(ground.root / copy.ref.path)
        return may_delete(copy, world)

    monkeypatch.setattr(deleting, "may_delete", replaced_after)
    cleared = delete(ground, [there, gone])
    assert [one.problem.code for one in cleared.refused] == ["replaced"]
    assert cleared.gone == (gone,)
    assert {path.read_bytes() for path in (ground.root / "camera").iterdir()} == {b"newer"}
    assert len(list((ground.root / "camera").iterdir())) == 2


def test_links_are_neither_followed_nor_removed(ground: Ground, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    precious = outside / "precious"
    precious.write_bytes(b"data")
    facts = precious.stat()
    (ground.root / "camera/folder").symlink_to(outside)
    (ground.root / "camera/file").symlink_to(precious)
    cleared = delete(
        ground,
        [
            candidate("camera/folder/precious", facts.st_size, facts.st_mtime_ns),
            candidate("camera/file", facts.st_size, facts.st_mtime_ns),
            candidate("camera/../../outside/precious", facts.st_size, facts.st_mtime_ns),
        ],
    )
    assert cleared.gone == ()
    assert {one.problem.code for one in cleared.refused} == {"not_a_regular_file"}
    assert precious.read_bytes() == b"data"


def test_a_folder_in_the_place_of_a_file_stays(ground: Ground) -> None:
    (ground.root / "camera/a").mkdir()
    cleared = delete(ground, [candidate("camera/a", 4, 5)])
    assert [one.problem.code for one in cleared.refused] == ["not_a_regular_file"]


def test_what_the_system_refuses_is_a_refusal(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(ground, "camera/a")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", denied)
    cleared = delete(ground, [file])
    assert [one.problem.code for one in cleared.refused] == ["delete_refused"]


def test_an_unmounted_disk_is_not_an_empty_one(ground: Ground) -> None:
    require_mounted(ground)
    (ground.root / "camera").rmdir()
    with pytest.raises(Retriable, match="location_missing"):
        require_mounted(ground)


def test_an_instruments_folder_behind_a_link_is_refused(ground: Ground, tmp_path: Path) -> None:
    (ground.root / "camera").rmdir()
    (tmp_path / "outside").mkdir()
    (ground.root / "camera").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="path_symlink"):
        require_mounted(ground)


def test_only_single_files_are_deleted_this_way(ground: Ground) -> None:
    with pytest.raises(TypeError):
        delete(ground, [Candidate(StagedFolder("p", "staging/x", "staging/x"), ACTING)])
