"""Sealing, inspecting and unpacking against `cp` and `sha256sum` of the same bytes, on the same disk.

Run as ``python -m benchmarks.packaging [--folder DIR] [--scale F]``: a line per case, and one JSON object last.
The floor of sealing is one synced copy and one sha256sum; of inspecting, one sha256sum of the package; of
unpacking, one synced copy and one sha256sum. Every figure is the best of the rounds.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from libs.packaging import PayloadFile, inspect_bag, unpack_bag, write_bag
from libs.storage.exactly import facts_of

INFO = {"Bagging-Date": "2026-01-01"}
ROUNDS = 3


@dataclass(frozen=True)
class Figure:
    """One case: seconds, and the ratio to the floor."""

    case: str
    seconds: float
    floor_seconds: float
    ratio: float
    megabytes_per_second: float
    files_per_second: float


def best(action: Callable[[int], object]) -> float:
    """Each round writes to a place of its own: ext4 creates files slowly for seconds after mass deletions."""
    seconds = []
    for turn in range(ROUNDS):
        start = time.perf_counter()
        action(turn)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def fill(root: Path, count: int, size: int) -> list[PayloadFile]:
    content = os.urandom(size)
    files = []
    for index in range(count):
        path = root / f"night-{index % 100:02}" / f"exposure-{index:05}.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        status = path.stat()
        files.append(PayloadFile(str(path.relative_to(root)), status.st_size, status.st_mtime_ns))
    os.sync()
    return files


def copy_synced(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
    subprocess.run(["sync", "-f", str(target)], check=True)


def sum_all(root: Path) -> None:
    subprocess.run(
        ["find", str(root), "-type", "f", "-exec", "sha256sum", "{}", "+"],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def measure(work: Path, label: str, count: int, size: int) -> list[Figure]:
    source, target = work / "source", work / "bag.tar"
    files = fill(source, count, size)
    floor_copy = best(lambda turn: copy_synced(source, work / f"copy-{turn}"))
    floor_sum = best(lambda _: sum_all(source))
    sealed = write_bag(source, files, target, name="bag", info=INFO)

    def figure(case: str, seconds: float, floor: float) -> Figure:
        megabytes = sealed.payload_bytes / 1e6 / seconds
        return Figure(f"{label}: {case}", seconds, floor, seconds / floor, megabytes, count / seconds)

    seal_seconds = best(
        lambda _: write_bag(source, files, target, name="bag", info=INFO, replacing=facts_of(target))
    )
    inspect_seconds = best(
        lambda _: inspect_bag(target, expected_sha256=sealed.sha256, expected_size=sealed.size)
    )
    unpack_seconds = best(
        lambda turn: unpack_bag(target, work / f"out-{turn}", expected_sha256=sealed.sha256)
    )
    return [
        figure("seal", seal_seconds, floor_copy + floor_sum),
        figure("inspect", inspect_seconds, floor_sum),
        figure("unpack", unpack_seconds, floor_copy + floor_sum),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to work; default: the temporary folder"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of files")
    options = parser.parse_args()
    figures = []
    for label, count, size in (("10 KiB files", 10_000, 10 * 2**10), ("20 MiB files", 103, 20 * 2**20)):
        with tempfile.TemporaryDirectory(dir=options.folder) as work:
            figures += measure(Path(work), label, max(1, int(count * options.scale)), size)
    for one in figures:
        print(
            f"{one.case:24} {one.seconds:7.2f} s  floor {one.floor_seconds:6.2f} s  ratio {one.ratio:5.2f}"
            f"  {one.megabytes_per_second:7.0f} MB/s  {one.files_per_second:8.0f} files/s"
        )
    print(json.dumps({"benchmark": "packaging", "figures": [asdict(one) for one in figures]}))


if __name__ == "__main__":
    main()
