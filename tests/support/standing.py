"""A running `chasqui up` beside which commands are run, in this process."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.commandline import Answer, say
from tests.support.machine import INSTRUMENT, chasqui, ended, wait_until_gone


@dataclass(frozen=True)
class Standing:
    """A running `chasqui up`."""

    workdir: Path

    def say(self, *words: str) -> Answer:
        """Run a command with it."""
        return say(self.workdir, *words)

    def done(self, *words: str) -> Any:
        """The JSON of a command that must succeed."""
        answer = self.say(*words, "--json")
        assert answer.status == 0, answer.out + answer.err
        return answer.json

    def write(self, path: str, data: bytes) -> str:
        """A file of the instrument; its path as it is filed."""
        file = self.workdir / "sites/chile/source" / INSTRUMENT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return path

    def until(self, condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
        """Wait for anything."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen within {within_s} s"
            time.sleep(0.2)

    @contextmanager
    def joined(self, service: str, site: str, log: Path) -> Iterator[None]:
        """One more instance of a service, known to be alive, until Ctrl-C; its log goes to a file."""
        with log.open("w") as errors:
            words = ("run", service, "--site", site, "--workdir", str(self.workdir))
            process = chasqui(*words, stderr=errors)
            try:
                self.until(lambda: self.done("status")[site]["services"][service] == 2, "the second instance")
                yield
            finally:
                with ended(process):
                    process.send_signal(signal.SIGINT)
        assert process.returncode == 0


@contextmanager
def standing(workdir: Path, *words: str) -> Iterator[Standing]:
    """Run `chasqui up` while the block lasts; nothing is left of it then."""
    process = chasqui("up", *words, "--workdir", str(workdir), "--json")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "chasqui up ended at once"
        assert json.loads(line)["sites"].keys() == {"chile", "cologne"}
        yield Standing(workdir)
    finally:
        with ended(process):
            process.send_signal(signal.SIGINT)
    assert wait_until_gone(workdir) == []
