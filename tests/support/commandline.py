"""The command line in this process: a command's imports cost more than most commands do."""

import io
import json
import logging
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.main import main
from tests.support import logs


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of standard output."""
        return json.loads(self.out.splitlines()[-1])

    @property
    def code(self) -> str:
        """Of the error, which has a reason and a remedy."""
        error = self.json["error"]
        assert error["reason"]
        assert error["remedy"]
        return str(error["code"])


def say(workdir: Path, *words: str) -> Answer:
    """Run a command with a work directory to its end."""
    out, err = io.StringIO(), io.StringIO()
    before, handlers = sys.argv, logging.getLogger().handlers
    sys.argv = ["chasqui", *words, "--workdir", str(workdir)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    else:
        status = 0
    finally:
        sys.argv = before
        logging.getLogger().handlers = handlers
        logs.plainly()
    return Answer(status, out.getvalue(), err.getvalue())
