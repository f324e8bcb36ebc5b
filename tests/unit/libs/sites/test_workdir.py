import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from libs.errors import UserError
from libs.sites.loading import load
from libs.sites.workdir import Workdir, WorkdirLock, write_private

HOLDER = """
import sys, time
from pathlib import Path
from libs.sites.workdir import Workdir, WorkdirLock
with WorkdirLock(Workdir(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_chosen_comes_before_variable_and_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Workdir.find(Path("/w"), {"CHASQUI_WORKDIR": "/v"}).path == Path("/w")
    assert Workdir.find(None, {"CHASQUI_WORKDIR": "/v"}).path == Path("/v")
    assert Workdir.find(None, {"CHASQUI_WORKDIR": ""}).path == tmp_path / ".chasqui"
    assert Workdir.find(Path("rel"), {}).path == tmp_path / "rel"


def test_create_makes_the_layout_and_may_be_repeated(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path / "deep" / "w")
    workdir.create()
    workdir.create()
    assert sorted(x.name for x in workdir.path.iterdir()) == ["logs", "run", "servers"]
    assert stat.S_IMODE(workdir.run.stat().st_mode) == 0o700
    assert workdir.site("chile") == workdir.path / "sites/chile"


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("")
    with pytest.raises(UserError) as refused:
        Workdir(tmp_path / "w").create()
    assert refused.value.problem.code == "workdir_unusable"


def test_a_folder_in_place_of_the_lock_is_told(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path)
    workdir.lock_file.mkdir(parents=True)
    with pytest.raises(UserError) as refused, WorkdirLock(workdir):
        pass
    assert refused.value.problem.code == "workdir_unusable"


def test_only_locations_in_the_workdir_are_made(tmp_path: Path, demo_text: str) -> None:
    workdir, elsewhere = Workdir(tmp_path / "w"), tmp_path / "mounted"
    path = tmp_path / "demo.yaml"
    path.write_text(
        demo_text.replace("sites/chile/buffer", str(elsewhere)).replace("sites/cologne/buffer", "../outside")
    )
    made = workdir.create_locations(load(path, base=workdir.path))
    assert sorted(x.name for x in made) == ["processing", "source"]
    assert all(x.is_dir() for x in made)
    assert not elsewhere.exists()
    assert not (tmp_path / "outside").exists()


def test_second_holder_is_refused_and_told_the_first(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path)
    with WorkdirLock(workdir), pytest.raises(UserError) as refused, WorkdirLock(workdir):
        pass
    assert refused.value.problem.code == "workdir_in_use"
    assert str(os.getpid()) in refused.value.problem.reason
    with WorkdirLock(workdir):
        pass


def test_kill_gives_the_lock_back(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match=str(holder.pid)), WorkdirLock(Workdir(tmp_path)):
            pass
        holder.kill()
        holder.wait(timeout=10)
    with WorkdirLock(Workdir(tmp_path)):
        assert Workdir(tmp_path).lock_file.read_text() == f"{os.getpid()}\n"


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    with WorkdirLock(Workdir(tmp_path)):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with WorkdirLock(Workdir(tmp_path)):
            pass
    finally:
        child.kill()
        child.wait(timeout=10)


def test_private_files_are_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
