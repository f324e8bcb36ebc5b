"""What a test starts ends with the test run, also when the run is killed."""

import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "tests.support.tied", str(os.getpid()),
                          "http.server", "--bind", "127.0.0.1", "0"], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


def test_a_program_ends_when_the_run_is_killed() -> None:
    run = subprocess.Popen([sys.executable, "-c", RUN], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert run.stdout is not None
        child = psutil.Process(int(run.stdout.readline()))
        run.kill()
        run.wait(10)
        psutil.wait_procs([child], timeout=20)
        assert not child.is_running()
    finally:
        run.kill()
        run.communicate()
