"""Every command of the operator's runbook is executed, in the situation that its page describes."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from commands.run import place_of
from contracts.copies import copy_id
from contracts.packages import PackageSealed
from contracts.states import CopyKind
from libs.breakers.circuit import Pauses
from libs.breakers.resources import archive
from libs.breakers.shared import Breakers
from libs.bus.connection import connect
from libs.errors import Retriable
from libs.sites.workdir import Workdir
from tests.support.machine import INSTRUMENT
from tests.support.runbook import Written, pages, written
from tests.support.standing import Standing
from tests.support.standing import standing as stands

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(480), pytest.mark.xdist_group("e2e")]

AT_THE_END = "site-lost"
"""The page whose commands stop what all others need."""
COMMANDS = [one for one in written() if one.page != AT_THE_END]


class Scene:
    """What the names in capitals stand for, made when a command asks for it."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self._known: dict[str, str] = {}
        self._made: dict[str, Callable[[], str]] = {
            "OBSERVATION": lambda: str(self._filed()["executed_obs_unit_id"]),
            "FILE": lambda: str(self._filed()["file_ids"][0]),
            "PACKAGE": self._package,
            "COPY": self._copy,
            "JOB": self._job,
            "LETTER": self._letter,
            "CODE": lambda: "not_json",
            "BREAKER": self._breaker,
            "HOLD": self._hold,
            "ASSOCIATION": self._association,
        }
        self._observation: dict[str, Any] = {}

    def words(self, command: Written) -> list[str]:
        """A command as an operator would type it."""
        return [self.stands_for(word) if word in command.names else word for word in command.words]

    def stands_for(self, name: str) -> str:
        """What a name stands for now."""
        if name not in self._known:
            self._known[name] = self._made[name]()
        return self._known[name]

    def used_up(self, *names: str) -> None:
        """These are made anew when they are asked for again."""
        for name in names:
            self._known.pop(name, None)

    def _filed(self) -> dict[str, Any]:
        if not self._observation:
            path = self.standing.write("runbook/frame.raw", b"what was seen")
            self._observation = self.standing.done("file", path, "--instrument", INSTRUMENT, "--wait")
        return self._observation

    def _package(self) -> str:
        (package,) = self.standing.done("explain", self.stands_for("FILE"))["related"]["package"]
        return str(package)

    def _copy(self) -> str:
        package = UUID(self.stands_for("PACKAGE"))
        return str(copy_id(CopyKind.RAW_DATA_PACKAGE, package, "cologne-archive"))

    def _job(self) -> str:
        return str(self.standing.done("stage", self.stands_for("FILE"), "--wait")["job_id"])

    def _hold(self) -> str:
        words = ("hold", "place", "--package", self.stands_for("PACKAGE"), "--reason", "to be looked at")
        return str(self.standing.done(*words)["id"])

    def _association(self) -> str:
        """One of two exposures is there."""
        name, path = "C8C0A1010", self.standing.write("runbook/exposure.raw", b"counts")
        exposure = ("--exposure", "C8C0A1Q1", "--association", name, "--exposures", "2")
        self.standing.done("file", path, "--instrument", INSTRUMENT, *exposure)

        def is_here() -> bool:
            answer = self.standing.say("explain", name, "--json")
            return answer.status == 0 and "Here: 1." in answer.json["waiting"]["now"]

        self.standing.until(is_here, "the exposure")
        return name

    def _letter(self) -> str:
        asyncio.run(self._publish_poison())

        def letters() -> list[dict[str, Any]]:
            return list(self.standing.done("dead", "list", "--service", "bundler"))

        self.standing.until(lambda: bool(letters()), "the dead letter")
        return str(letters()[0]["id"])

    async def _publish_poison(self) -> None:
        """Somebody publishes what is no event on an event's subject."""
        place = place_of("chile", None, Workdir(self.standing.workdir))
        client = await connect(place.bus_address(), name="test")
        headers = {
            "ce-id": str(uuid4()),
            "ce-type": PackageSealed.type_name(),
            "ce-source": "/chasqui/chile/stranger",
            "ce-time": datetime.now(UTC).isoformat(),
        }
        try:
            await client.jetstream().publish(PackageSealed.subject("chile"), b"{no json", headers=headers)
        finally:
            await client.close()

    def _breaker(self) -> str:
        resource = archive("cologne-archive")
        asyncio.run(self._open(resource.key))
        return resource.key

    async def _open(self, key: str) -> None:
        place = place_of("cologne", None, Workdir(self.standing.workdir))
        client = await connect(place.bus_address(), name="test")
        breakers = Breakers(client, site="cologne", who="test", pauses=Pauses(threshold=1, first_s=60.0))
        try:
            with pytest.raises(Retriable):
                async with breakers.using(archive(key.removeprefix("location."))):
                    raise Retriable("s3_unreachable", "the archive does not answer", "Start it.")
        finally:
            await client.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with stands(tmp_path_factory.mktemp("runbook") / "work") as made:
        yield Scene(made)


ENDS = {("release", "JOB"): "JOB", ("drop", "LETTER"): "LETTER", ("release", "HOLD"): "HOLD"}
"""Commands after which what they name is gone."""


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_the_command_does_what_the_page_says(scene: Scene, command: Written, tmp_path: Path) -> None:
    words = scene.words(command)
    if words[0] == "run":
        with scene.standing.joined(words[1], words[3], tmp_path / "log"):
            return
    if words[0] == "file":
        scene.standing.write(words[1], b"late")
    answer = scene.standing.say(*words)
    assert answer.status == 0, answer.out + answer.err
    assert answer.out
    if "--dry-run" not in words:
        scene.used_up(*(name for (verb, name) in ENDS if verb in words and name in command.names))


def test_a_lost_site_comes_back(tmp_path: Path) -> None:
    commands = [one.words for one in written() if one.page == AT_THE_END]
    before, after = commands[:2], commands[2:]
    assert [words[:2] for words in before] == [("events", "export"), ("events", "verify")]
    assert [words[0] for words in after] == ["events", "up"]
    workdir = tmp_path / "work"
    with stands(workdir) as standing:
        path = standing.write("night/frame.raw", b"what was seen")
        filed = standing.done("file", path, "--instrument", INSTRUMENT, "--wait")
        for words in before:
            answer = standing.say(*words)
            assert answer.status == 0, answer.out + answer.err
    servers = Workdir(workdir).servers
    for folder in (servers / "nats" / "cologne", servers / "postgres"):
        shutil.rmtree(folder)
    answer = Standing(workdir).say(*after[0])
    assert answer.status == 0, answer.out + answer.err
    with stands(workdir) as standing:
        unit = filed["executed_obs_unit_id"]
        standing.until(
            lambda: "executed_obs_unit" in standing.say("explain", unit, "--json").out, "the ops-db"
        )
        assert standing.done("status")["cologne"]["dead_letters"] == 0


def test_every_page_has_commands_and_is_listed() -> None:
    index = next(page for page in pages() if page.stem == "README")
    others = [page for page in pages() if page.stem != "README"]
    assert {one.page for one in written()} == {page.stem for page in others}
    assert [page.name for page in others if f"({page.name})" not in index.read_text("utf-8")] == []
