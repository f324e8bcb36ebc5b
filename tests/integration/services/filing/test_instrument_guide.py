import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.observations import FilesFiled, ObservationFinished
from services.filing.answers import _STATUS
from tests.support.road import Road

pytestmark = pytest.mark.integration

GUIDE = Path(__file__).parents[4] / "docs" / "instrument-guide.md"


def example(heading: str, language: str) -> str:
    text = GUIDE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1]
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def defined(heading: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(example(heading, "python"), names)  # noqa: S102  the guide's own example is what is tested
    return names


def on_port(road: Road, port: int) -> Road:
    place = road.telescope
    http = place.settings.http.model_copy(update={"filing_port": port})
    site = place.settings.model_copy(update={"http": http})
    deployment = place.deployment.model_copy(update={"sites": {**place.deployment.sites, place.site: site}})
    return replace(road, telescope=replace(place, deployment=deployment))


async def test_the_examples_over_http(road: Road, unused_tcp_port: int) -> None:
    road = on_port(road, unused_tcp_port)
    url = f"http://127.0.0.1:{unused_tcp_port}"
    observe: Callable[[str], None] = defined("With Python, over HTTP")["observe"]
    async with road.running(road.telescope, "filing"):
        await asyncio.to_thread(observe, url)
        if shutil.which("curl"):
            script = re.sub("URL=.*", f"URL={url}", example("With curl", "sh"))
            done = await asyncio.create_subprocess_exec("bash", "-ec", script, stdout=asyncio.subprocess.PIPE)
            out, _ = await done.communicate()
            assert done.returncode == 0
            assert out.count(b'"accepted":true') == 2
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/health")).status_code == 200
    assert len(await road.events_of(road.telescope, FilesFiled)) == 1
    assert len(await road.events_of(road.telescope, ObservationFinished)) == 1


async def test_the_example_over_nats(road: Road) -> None:
    observe: Callable[[str, str], Awaitable[None]] = defined("With Python, over NATS")["observe"]
    address = road.telescope.bus_address()
    url = address.url.replace("://", f"://{address.user}:{address.password}@")
    async with road.running(road.telescope, "filing"):
        await asyncio.sleep(0.2)
        await observe(url, road.telescope.site)
    assert len(await road.events_of(road.telescope, ObservationFinished)) == 1


def test_the_guide_lists_every_code_with_its_status() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for code, status in _STATUS.items():
        assert re.search(rf"\| .*`{code}`.* \| .*{status}.* \|", text), (
            f"{code} ({status}) is not in the guide"
        )
