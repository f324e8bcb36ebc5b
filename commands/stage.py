"""``chasqui stage ID...``: archived data back to a PROCESSING location, and its release."""

import asyncio
import getpass
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from commands.explain import read_id
from commands.reaching import Gateway, gateway_of
from contracts.problems import Problem
from contracts.staging import RequestStaging, Selection
from contracts.states import WorkState
from libs.errors import Permanent, Retriable, UserError
from libs.sites.running import find_running
from libs.sites.workdir import Workdir

POLL_S = 0.3
ENDED = frozenset({WorkState.COMPLETED, WorkState.FAILED})

_FIELDS = {
    "executed_obs_unit": "executed_obs_unit_ids",
    "raw_data_package": "package_ids",
    "raw_data_file": "file_ids",
}


async def stage(
    workdir: Workdir,
    ids: Sequence[str],
    *,
    location: str | None = None,
    keep_for_s: float | None = None,
    wait: bool = False,
    within_s: float | None = None,
    as_json: bool = False,
    console: Console | None = None,
) -> int:
    """Ask for archived data and tell where it will be.

    Args:
        workdir: Where an `up` runs.
        ids: Of observations, packages and files, in any mixture.
        location: The PROCESSING location; chosen by the gateway if left out.
        keep_for_s: Seconds to keep it after completion; the location's retention if left out.
        wait: Until everything is unpacked and verified.
        within_s: Seconds to wait at most; for ever if left out.
        as_json: One JSON object in the place of words.
        console: Where to show it; progress is shown only on a terminal.

    Returns:
        0 when it was asked for or, with `wait`, when it is there.

    Raises:
        UserError: Unknown ids or location, or nothing runs there.
        Permanent: The job failed.
        Retriable: The gateway is away, or ``still_staging`` after `within_s`.
    """
    console = console or Console()
    gateway = Gateway(gateway_of(workdir))
    request = RequestStaging(
        selection=await select(gateway, ids),
        requested_by=getpass.getuser(),
        location=location,
        keep_for_s=keep_for_s,
    )
    headers = {"idempotency-key": str(uuid4())}
    job = await gateway.ask("POST", "/staging", request.model_dump(mode="json"), headers)
    if wait:
        job |= await _wait(gateway, job["job_id"], within_s, console, quiet=as_json)
    folder = job.get("path") or _path(workdir, job["location"], job["folder"])
    _tell(console, job | {"path": folder}, folder or f"{job['location']}:{job['folder']}", as_json=as_json)
    return 0


async def release(
    workdir: Workdir, job: str, *, as_json: bool = False, console: Console | None = None
) -> int:
    """Say that a job's staged copies may go.

    Returns:
        0.

    Raises:
        UserError: There is no such job, it failed, or nothing runs there.
        Retriable: The gateway is away.
    """
    console = console or Console()
    answer = await Gateway(gateway_of(workdir)).ask("POST", f"/staging/{read_id(job)}/release")
    _tell(console, answer, f"released {answer['location']}:{answer['folder']}", as_json=as_json)
    return 0


async def select(gateway: Gateway, ids: Sequence[str]) -> Selection:
    """What the ids are, as the gateway knows them.

    Raises:
        UserError: ``id_invalid``, ``unknown_id``, ``cannot_be_staged``, or none was given.
    """
    if not ids:
        raise UserError("no_ids", "nothing is named", "Give ids of observations, packages or files.")
    chosen: dict[str, list[UUID]] = {field: [] for field in _FIELDS.values()}
    for wanted in dict.fromkeys(read_id(text) for text in ids):
        kind = (await gateway.ask("GET", f"/explain/{wanted}"))["kind"]
        if kind not in _FIELDS:
            raise UserError(
                "cannot_be_staged",
                f"{wanted} is a {kind.replace('_', ' ')}",
                "Give ids of observations, packages or files.",
            )
        chosen[_FIELDS[kind]].append(wanted)
    return Selection.model_validate(chosen)


async def _wait(
    gateway: Gateway, job: str, within_s: float | None, console: Console, *, quiet: bool
) -> dict[str, Any]:
    deadline = None if within_s is None else time.monotonic() + within_s
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("staging", total=None)
        while True:
            found: dict[str, Any] = await gateway.ask("GET", f"/staging/{job}")
            if found["state"] in ENDED:
                return _ended(found)
            told = found.get("progress") or {}
            done, total = told.get("done", 0), told.get("total") or told.get("bytes")
            progress.update(
                task, completed=done, total=total, description=f"{found['packages_done']} packages"
            )
            if deadline is not None and time.monotonic() > deadline:
                raise Retriable(
                    "still_staging",
                    f"the job {job} is {found['state']} after {within_s:g} s",
                    f"Look again with: chasqui explain {job}",
                )
            await asyncio.sleep(POLL_S)


def _ended(found: dict[str, Any]) -> dict[str, Any]:
    if found["state"] == WorkState.FAILED:
        problem = Problem.model_validate(found["problem"]) if found["problem"] else None
        if problem is None:
            raise Permanent("staging_failed", "the job failed", "Look at the dead letters.")
        raise Permanent(problem.code, problem.reason, problem.remedy)
    return found


def _path(workdir: Workdir, location: str, folder: str) -> str | None:
    """A folder at another site of this machine's `up`."""
    running = find_running(workdir)
    try:
        site, _ = running.deployment.location(location)
        disk: Path = running.deployment.disk(location).path
    except KeyError:
        return None
    return str(disk / folder) if site in running.running_sites else None


def _tell(console: Console, answer: dict[str, Any], words: str, *, as_json: bool) -> None:
    text = json.dumps(answer) if as_json else words
    console.print(text, soft_wrap=True, markup=False, highlight=False)
