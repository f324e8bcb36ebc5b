"""Worker processes: limits, crashes, ends."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from astropy.io import fits

from libs.imaging.child import AtWork, Child, child_environment
from libs.imaging.outcomes import NoPreview, NoPreviewCode, Rendered, RenderSettings
from libs.imaging.pool import PoolSettings, RenderPool

SETTINGS = RenderSettings()
ROOT = Path(__file__).parents[4]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "søl -1.fits"
    fits.PrimaryHDU(np.arange(600.0).reshape(20, 30)).writeto(path)
    return path


def sparse(path: Path, side: int) -> Path:
    """Write a header and a hole of side x side doubles."""
    header = fits.PrimaryHDU(np.zeros((1, 1))).header
    header["NAXIS1"] = header["NAXIS2"] = side
    path.write_bytes(header.tostring().encode("ascii"))
    os.truncate(path, 2880 + -(-side * side * 8 // 2880) * 2880)
    return path


def has_ended(pid: int) -> bool:
    """Dead counts, even where the machine's first process is slow to reap it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def code_of(outcome: Rendered | NoPreview) -> NoPreviewCode:
    assert isinstance(outcome, NoPreview)
    return outcome.code


async def test_starts_when_needed_reuses_and_ends(small: Path) -> None:
    async with RenderPool(PoolSettings(workers=2)) as pool:
        assert list(pool.processes) == []
        first = await pool.render(small, SETTINGS)
        assert isinstance(first, Rendered)
        (pid,) = pool.processes
        assert await pool.render(small, SETTINGS) == first
        assert list(pool.processes) == [pid]
    assert list(pool.processes) == []
    assert not psutil.pid_exists(pid)
    await pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        await pool.render(small, SETTINGS)


async def test_other_files_wake_no_worker(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_bytes(b"words")
    async with RenderPool(PoolSettings()) as pool:
        assert code_of(await pool.render(tmp_path / "a.fits", SETTINGS)) is NoPreviewCode.NOT_FITS
        assert code_of(await pool.render(tmp_path / "b.fits", SETTINGS)) is NoPreviewCode.UNREADABLE
        assert pool.processes == ()


@pytest.fixture
def oddly_named(small: Path) -> Path:
    return small.rename(f"{small.parent}/\udcff\n.fits")


async def test_names_that_are_no_utf8(oddly_named: Path) -> None:
    async with RenderPool(PoolSettings()) as pool:
        assert isinstance(await pool.render(oddly_named, SETTINGS), Rendered)


async def test_at_most_so_many_workers(small: Path) -> None:
    async with RenderPool(PoolSettings(workers=2)) as pool:
        outcomes = await asyncio.gather(*(pool.render(small, SETTINGS) for _ in range(12)))
        assert len(pool.processes) == 2
    assert {outcome.kind for outcome in outcomes} == {"rendered"}


async def test_a_huge_image_within_the_memory_limit(tmp_path: Path) -> None:
    huge = sparse(tmp_path / "huge.fits", 8192)
    async with RenderPool(PoolSettings(memory_bytes=1 << 29)) as pool:
        outcome = await pool.render(huge, SETTINGS)
        assert isinstance(outcome, Rendered)
        assert (outcome.native_width, outcome.preview.width) == (8192, 1024)


async def test_beyond_the_memory_limit(tmp_path: Path, small: Path) -> None:
    huge = sparse(tmp_path / "huge.fits", 8192)
    async with RenderPool(PoolSettings(memory_bytes=190 << 20)) as pool:
        assert code_of(await pool.render(huge, SETTINGS)) is NoPreviewCode.TOO_LARGE
        assert isinstance(await pool.render(small, SETTINGS), Rendered)


async def test_a_limit_below_what_a_worker_needs_for_anything(small: Path) -> None:
    async with RenderPool(PoolSettings(memory_bytes=4096)) as pool:
        codes = {code_of(await pool.render(small, SETTINGS)) for _ in range(2)}
        assert codes <= {NoPreviewCode.RENDERER_CRASHED, NoPreviewCode.TOO_LARGE}


async def test_a_file_that_takes_too_long(tmp_path: Path, small: Path) -> None:
    endless = sparse(tmp_path / "endless.fits", 40_000)
    async with RenderPool(PoolSettings(seconds_per_file=0.5)) as pool:
        assert isinstance(await pool.render(small, SETTINGS), Rendered)
        (pid,) = pool.processes
        assert code_of(await pool.render(endless, SETTINGS)) is NoPreviewCode.RENDERER_TIMEOUT
        assert list(pool.processes) == []
        assert not psutil.pid_exists(pid)
        assert isinstance(await pool.render(small, SETTINGS), Rendered)


async def test_a_worker_that_waits_for_a_processor_has_time(tmp_path: Path, small: Path) -> None:
    """It is given a processor for a moment now and then, as on a machine that is full."""
    signs = 0

    def at_work() -> None:
        nonlocal signs
        signs += 1

    async with RenderPool(PoolSettings(seconds_per_file=2.0)) as pool:
        await pool.render(small, SETTINGS)
        (pid,) = pool.processes
        large = sparse(tmp_path / "large.fits", 6000)
        outcome = asyncio.create_task(pool.render(large, SETTINGS, at_work))
        begun = time.monotonic()
        while time.monotonic() - begun < 5.0:
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(0.5)
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.02)
        assert isinstance(await outcome, Rendered)
    assert signs > 3


async def test_a_worker_that_stands_still_is_given_up(tmp_path: Path, small: Path) -> None:
    async with RenderPool(PoolSettings(seconds_per_file=1.0)) as pool:
        await pool.render(small, SETTINGS)
        (pid,) = pool.processes
        outcome = asyncio.create_task(pool.render(sparse(tmp_path / "large.fits", 6000), SETTINGS))
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGSTOP)
        assert code_of(await outcome) is NoPreviewCode.RENDERER_TIMEOUT


async def test_a_worker_that_is_never_ready(small: Path) -> None:
    async with RenderPool(PoolSettings(seconds_to_start=0.001)) as pool:
        outcome = await pool.render(small, SETTINGS)
        assert code_of(outcome) is NoPreviewCode.RENDERER_CRASHED
        assert isinstance(outcome, NoPreview)
        assert "not ready within 0.001 s" in outcome.reason
    assert psutil.Process().children() == []


async def test_a_crash_harms_one_file_only(tmp_path: Path, small: Path) -> None:
    endless = sparse(tmp_path / "endless.fits", 40_000)
    async with RenderPool(PoolSettings(workers=2)) as pool:
        assert isinstance(await pool.render(small, SETTINGS), Rendered)
        (pid,) = pool.processes
        doomed = asyncio.create_task(pool.render(endless, SETTINGS))
        await until(lambda: psutil.Process(pid).cpu_percent(0.05) > 50)
        other = asyncio.create_task(pool.render(small, SETTINGS))
        os.kill(pid, signal.SIGSEGV)
        outcome = await doomed
        assert code_of(outcome) is NoPreviewCode.RENDERER_CRASHED
        assert isinstance(outcome, NoPreview)
        assert "SIGSEGV" in outcome.reason
        assert isinstance(await other, Rendered)
        assert isinstance(await pool.render(small, SETTINGS), Rendered)


async def test_a_worker_killed_while_idle_is_replaced(small: Path) -> None:
    async with RenderPool(PoolSettings()) as pool:
        await pool.render(small, SETTINGS)
        (pid,) = pool.processes
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not psutil.pid_exists(pid))
        assert isinstance(await pool.render(small, SETTINGS), Rendered)


async def test_a_cancelled_render_kills_its_worker(tmp_path: Path, small: Path) -> None:
    endless = sparse(tmp_path / "endless.fits", 40_000)
    async with RenderPool(PoolSettings()) as pool:
        await pool.render(small, SETTINGS)
        (pid,) = pool.processes
        task = asyncio.create_task(pool.render(endless, SETTINGS))
        await until(lambda: psutil.Process(pid).cpu_percent(0.05) > 50)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not psutil.pid_exists(pid)
        assert isinstance(await pool.render(small, SETTINGS), Rendered)


async def test_an_idle_worker_ends_and_another_takes_over(small: Path) -> None:
    async with RenderPool(PoolSettings(idle_seconds=0.1)) as pool:
        for _ in range(3):
            assert isinstance(await pool.render(small, SETTINGS), Rendered)
            await until(lambda: not pool.processes)
            await until(lambda: psutil.Process().children() == [])


async def test_close_finishes_what_was_accepted(small: Path) -> None:
    pool = RenderPool(PoolSettings())
    tasks = [asyncio.create_task(pool.render(small, SETTINGS)) for _ in range(4)]
    await until(lambda: bool(pool.processes))
    await pool.close()
    assert {(await task).kind for task in tasks} == {"rendered"}
    assert psutil.Process().children() == []


async def test_close_waits_for_a_file_that_is_only_being_looked_at(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = threading.Event()

    def slowly(_: Path) -> None:
        looked_at.wait(30)

    monkeypatch.setattr("libs.imaging.pool._refused_at_sight", slowly)
    pool = RenderPool(PoolSettings())
    task = asyncio.create_task(pool.render(small, SETTINGS))
    await asyncio.sleep(0.1)
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0.1)
    looked_at.set()
    async with asyncio.timeout(30):
        assert (await task).kind == "rendered"
        await closing


async def test_an_answer_that_is_none_of_ours(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def confused(_: Child, body: bytes, seconds: float, at_work: AtWork) -> bytes:
        at_work()
        return body[: round(seconds)]

    async with RenderPool(PoolSettings(seconds_per_file=5)) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(Child, "ask", confused)
            assert code_of(await pool.render(small, SETTINGS)) is NoPreviewCode.RENDERER_CRASHED
        assert isinstance(await pool.render(small, SETTINGS), Rendered)


def test_secrets_stay_with_the_parent() -> None:
    environment = child_environment({"PATH": "/bin", "S3_SECRET": "x"}, ["", "/opt/lib"])
    assert "S3_SECRET" not in environment
    assert environment["PYTHONPATH"] == f"{Path.cwd()}{os.pathsep}/opt/lib"


def test_the_parent_loads_neither_astropy_nor_numpy() -> None:
    program = "import sys, libs.imaging.pool; print({'astropy', 'numpy', 'PIL'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


async def test_busy_workers_die_with_their_parent(tmp_path: Path, small: Path) -> None:
    endless = sparse(tmp_path / "endless.fits", 40_000)
    program = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        from libs.imaging.outcomes import RenderSettings
        from libs.imaging.pool import PoolSettings, RenderPool

        async def main():
            pool = RenderPool(PoolSettings())
            await pool.render(Path(sys.argv[1]), RenderSettings())
            print(*pool.processes, flush=True)
            await pool.render(Path(sys.argv[2]), RenderSettings())

        asyncio.run(main())
    """)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(small), str(endless), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    await until(lambda: psutil.Process(worker).cpu_percent(0.05) > 50)
    parent.kill()
    await parent.communicate()
    async with asyncio.timeout(1):
        await until(lambda: has_ended(worker))
