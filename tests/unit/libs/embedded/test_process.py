import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import psutil

from libs.embedded.process import LOG_LIMIT_BYTES, Command, ServerProcess


def python(code: str, log: Path) -> Command:
    return Command((sys.executable, "-c", code), log)


async def said(process: ServerProcess, word: str) -> None:
    async with asyncio.timeout(10):
        while True:
            if word in process.log_tail():
                return
            await asyncio.sleep(0.01)


async def test_it_leads_a_session_and_stops_in_order(tmp_path: Path) -> None:
    code = (
        "import signal,sys,time;signal.signal(15,lambda *_:sys.exit(7));print('up',flush=True);time.sleep(60)"
    )
    process = ServerProcess(python(code, tmp_path / "log"))
    await said(process, "up")
    assert os.getsid(process.pid) == process.pid
    assert process.exit_code is None
    await process.stop(grace_s=5)
    assert process.exit_code == 7


async def test_one_that_will_not_stop_is_killed_with_its_descendants(tmp_path: Path) -> None:
    code = (
        "import signal,subprocess,sys,time;signal.signal(15,signal.SIG_IGN);"
        "c=subprocess.Popen([sys.executable,'-c','import time;time.sleep(60)'],start_new_session=True);"
        "print(f'child {c.pid}',flush=True);time.sleep(60)"
    )
    process = ServerProcess(python(code, tmp_path / "log"))
    await said(process, "child")
    child = int(process.log_tail().split()[-1])
    await process.stop(grace_s=0.1)
    assert process.exit_code == -signal.SIGKILL
    assert not psutil.pid_exists(child)


async def test_the_tail_is_of_this_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier run\n")
    process = ServerProcess(python("print('a');print('b')", log))
    assert await process.wait() == 0
    assert process.log_tail() == "a\nb"
    assert process.log_tail(1) == "b"


async def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        out.truncate(LOG_LIMIT_BYTES + 1)
    process = ServerProcess(python("print('new')", log))
    await process.wait()
    assert log.read_text() == "new\n"
    assert (tmp_path / "log.1").exists()


async def test_only_the_main_thread_may_start_one(tmp_path: Path) -> None:
    caught: list[BaseException] = []

    def start() -> None:
        try:
            ServerProcess(python("", tmp_path / "log"))
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


async def test_a_launcher_whose_starter_is_gone_starts_nothing() -> None:
    launcher = Path(sys.modules[ServerProcess.__module__].__file__ or "").with_name("launch.py")
    arguments = (
        sys.executable,
        "-I",
        "-S",
        str(launcher),
        "1",
        "9",
        "same",
        sys.executable,
        "-c",
        "print('ran')",
    )
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert out == b""
    assert b"starting process is gone" in err


async def test_a_missing_program_is_an_early_end(tmp_path: Path) -> None:
    process = ServerProcess(Command((str(tmp_path / "missing"),), tmp_path / "log"))
    assert await process.wait() != 0
    assert "No such file" in process.log_tail()
