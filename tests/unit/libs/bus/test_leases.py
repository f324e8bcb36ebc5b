"""Who may take a lease, and which processes are gone."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.bus.holders import ProcessId, is_gone, this_process
from libs.bus.leases import Entry, Seen, may_take

PROCESS = ProcessId("boot", "pid:[1]", 7, 100)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def seen(at: float, *, nonce: str = "other", process: ProcessId | None = PROCESS) -> Seen:
    entry = Entry(instance="i", nonce=nonce, process=process, lease_s=15.0, since=NOW, renewed=NOW)
    return Seen(revision=4, entry=entry, at=at)


def living(_: ProcessId) -> bool:
    return False


def dead(_: ProcessId) -> bool:
    return True


def test_a_free_lease_is_taken() -> None:
    assert may_take(Seen(revision=0, entry=None, at=100.0), "mine", 100.0, living)
    assert may_take(Seen(revision=9, entry=None, at=100.0), "mine", 100.0, living)


@pytest.mark.parametrize(("after", "taken"), [(0.0, False), (14.9, False), (15.0, True), (900.0, True)])
def test_a_held_lease_is_taken_when_the_same_revision_was_seen_for_its_whole_time(
    after: float, taken: bool
) -> None:
    assert may_take(seen(100.0), "mine", 100.0 + after, living) is taken


def test_a_lease_of_a_dead_process_is_taken_at_once() -> None:
    assert may_take(seen(100.0), "mine", 100.0, dead)


def test_a_process_that_cannot_be_told_is_waited_for() -> None:
    assert not may_take(seen(100.0, process=None), "mine", 100.0, dead)


def test_ones_own_lease_whose_answer_was_lost_is_taken() -> None:
    assert may_take(seen(100.0, nonce="mine"), "mine", 100.0, living)


def test_dates_say_nothing() -> None:
    old = seen(100.0)
    assert old.entry is not None
    ancient = old.entry.model_copy(update={"renewed": datetime(1970, 1, 1, tzinfo=UTC)})
    assert not may_take(replace(old, entry=ancient), "mine", 100.0, living)


@pytest.fixture
def child() -> subprocess.Popen[bytes]:
    """A process that waits, its entry in /proc complete."""
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def identity_of(process: subprocess.Popen[bytes]) -> ProcessId:
    here = this_process()
    assert here is not None
    started = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
    return ProcessId(here.boot, here.namespace, process.pid, started)


def test_a_living_and_a_stopped_process_are_not_gone(child: subprocess.Popen[bytes]) -> None:
    identity = identity_of(child)
    try:
        assert not is_gone(identity)
        os.kill(child.pid, signal.SIGSTOP)
        assert not is_gone(identity)
    finally:
        child.kill()
        child.communicate()


def test_a_killed_process_is_gone_before_and_after_its_parent_asks(child: subprocess.Popen[bytes]) -> None:
    identity = identity_of(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(identity)
    child.communicate()
    assert is_gone(identity)


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    here = this_process()
    assert here is not None
    assert not is_gone(here)
    assert is_gone(replace(here, started=here.started - 1))


def test_of_another_machine_or_container_nothing_is_known() -> None:
    here = this_process()
    assert here is not None
    unused = replace(here, pid=2**22 + 1)
    assert is_gone(unused)
    assert not is_gone(replace(unused, boot="another"))
    assert not is_gone(replace(unused, namespace="pid:[2]"))
