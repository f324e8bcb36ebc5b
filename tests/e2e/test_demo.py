"""`chasqui demo` in a process of its own, on the strangest tree we could think of."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from libs.simulator.filler import write_filler
from tests.support.machine import ROOT, chasqui, ended, processes_in, wait_until_gone

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(480), pytest.mark.xdist_group("e2e")]
EXAMPLES = ROOT / "examples" / "data"


def strange_tree(folder: Path) -> int:
    """Fill a folder; the number of regular files in it."""
    names = [
        "plain.fits",
        "nested/a/b/c/deep.dat",
        "with space/a b  c.txt",
        "ünï/código/天文.fits",
        "ünï/cafe\u0301 and caf\u00e9.txt",
        "newline/line\nbreak\r.txt",
        "-leading/--dash",
        "-leading/-rf",
        "percent/100%.txt",
        "percent/%0A literal",
        "quotes/'single' \"double\" `back` $HOME",
        "trailing/space ",
        "star/*?[a].txt",
        "long/" + "n" * 255,
        "long/" + "ö" * 127,
        "dots/.hidden",
        "dots/...",
        "back\\slash/a\\b",
    ]
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(100 + number))
        os.utime(path, ns=(1_000_000_000_123_456_789 + number, 1_000_000_000_123_456_789 + number))
    (folder / "empty").mkdir()
    (folder / "empty" / "zero bytes").touch()
    (folder / "equal").mkdir()
    (folder / "equal" / "one").write_bytes(b"the same")
    (folder / "equal" / "two").write_bytes(b"the same")
    os.link(folder / "equal" / "one", folder / "equal" / "hard link")
    write_filler(folder / "nested" / "larger.raw", 9_000_001, 7)
    (folder / "odd").mkdir()
    (folder / "odd" / "not a picture.fits").write_bytes(b"SIMPLE? not at all")
    (folder / "odd" / "link").symlink_to("/etc/hostname")
    (folder / "odd" / "loop").symlink_to("..")
    os.mkfifo(folder / "odd" / "pipe")
    for example in sorted(EXAMPLES.rglob("*.fits")):
        target = folder / "real" / example.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(example.read_bytes())
    return len(names) + 1 + 3 + 1 + 1 + 4


def listen(path: Path) -> socket.socket:
    """A socket file; its name must be short, so it is bound from within its folder."""
    listener = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        listener.bind(path.name)
    finally:
        os.chdir(before)
    return listener


def test_it_carries_any_tree_there_and_back_beside_another_one_and_again(tmp_path: Path) -> None:
    inputs, work = tmp_path / "in", tmp_path / "work"
    inputs.mkdir()
    files = strange_tree(inputs)
    with listen(inputs / "odd" / "socket"):
        process = chasqui("demo", "--input", str(inputs), "--workdir", str(work), "--json")
        finished(demo(tmp_path / "other"))
        out, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    finished(demo(tmp_path / "other"))
    told = json.loads(out.strip().splitlines()[-1])
    assert told["files"] == told["staged_files"] == files
    assert told["restored_identical"] is True
    assert told["source_cleared"] is True
    assert told["differences"] == []
    assert told["dead_letters"] == 0
    assert told["previews"] == 4
    assert told["archived_packages"] == told["packages"] >= told["observations"] > 10
    assert told["bundles"] >= 1
    assert {item["code"] for item in told["skipped"]} == {"symlink", "fifo", "socket"}
    assert wait_until_gone(work) == []

    restored = Path(told["processing_dir"]) / "sky-camera"
    for path in inputs.rglob("*"):
        if path.is_file() and not path.is_symlink():
            twin = restored / path.relative_to(inputs)
            assert twin.read_bytes() == path.read_bytes()
            assert twin.stat().st_mtime_ns == path.stat().st_mtime_ns
    assert processes_in(tmp_path) == []


def demo(workdir: Path) -> "subprocess.Popen[str]":
    return chasqui("demo", "--workdir", str(workdir), "--json")


def finished(process: "subprocess.Popen[str]") -> None:
    """It did all it is for."""
    out, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    told = json.loads(out.strip().splitlines()[-1])
    assert (told["files"], told["restored_identical"], told["previews"]) == (4, True, 4)


def test_never_over_something_else(tmp_path: Path) -> None:
    other = tmp_path / "precious"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    process = demo(other)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert json.loads(out)["error"]["code"] == "workdir_not_a_demo"
    assert (other / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("after_s", "number"),
    [
        (1.0, signal.SIGINT),
        pytest.param(1.0, signal.SIGKILL, marks=pytest.mark.long),
        pytest.param(6.0, signal.SIGINT, marks=pytest.mark.long),
        (6.0, signal.SIGTERM),
        (6.0, signal.SIGKILL),
    ],
    ids=str,
)
def test_an_interrupted_demo_leaves_nothing_running(
    tmp_path: Path, after_s: float, number: signal.Signals
) -> None:
    work = tmp_path / "work"
    process = chasqui("demo", "--workdir", str(work), "--keep")
    time.sleep(after_s)  # in the middle of starting, of travelling, or of waiting for a signal
    assert process.poll() is None
    with ended(process):
        process.send_signal(number)
    assert wait_until_gone(work) == []
    assert process.returncode in {0, 130, 143, -signal.SIGINT, -signal.SIGTERM, -signal.SIGKILL}
    if after_s < 2:
        assert process.returncode != 0
