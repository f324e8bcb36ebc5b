import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from uuid import uuid4

import httpx
import pytest

from tests.support.door import Door, opened
from tests.support.histories import road as history
from tests.support.histories.road import Observation
from tests.support.road import Road

pytestmark = pytest.mark.integration

UNIT = Observation(number=1, files=2, start=datetime(2026, 5, 1, tzinfo=UTC))


class References(HTMLParser):
    """What a page refers to, and whether it has anything that its policy forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag in ("script", "img", "link") and (address := found.get("src") or found.get("href")):
            self.addresses.append(address)
        self.ids |= {found["id"]} if "id" in found else set()
        if tag == "style" or "style" in found or any(name.startswith("on") for name in found):
            self.inline.append(tag)
        if tag == "script" and "src" not in found:
            self.inline.append(tag)


async def test_the_page_needs_nothing_from_elsewhere(centre: Door) -> None:
    page = await centre.http.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    found = References()
    found.feed(page.text)
    assert found.inline == []
    assert found.addresses
    texts = {}
    for address in found.addresses:
        asset = await centre.http.get(f"/{address}")
        assert asset.status_code == 200, address
        same = await centre.http.get(f"/{address}", headers={"if-none-match": asset.headers["etag"]})
        assert same.status_code == 304
        texts[address] = asset.text
    script = texts["page.js"]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", script + texts["page.css"] + page.text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)
    used = set(re.findall(r'(?:byId|show)\("([a-z-]+)"', script))
    assert used <= found.ids, used - found.ids
    assert len(page.content) + sum(map(len, texts.values())) < 40_000


async def test_the_page_is_small_on_the_wire(centre: Door) -> None:
    for address in ("/", "/page.js", "/page.css"):
        sent = await centre.http.get(address, headers={"accept-encoding": "gzip"})
        assert sent.headers["content-encoding"] == "gzip", address
        assert int(sent.headers["content-length"]) < 6_000, address


async def test_what_the_page_reads_is_there(centre: Door) -> None:
    """The script names the fields it reads after `status.` and `found.`; all must be in the answers."""
    await centre.happen(history.road(UNIT))
    script = (await centre.http.get("/page.js")).text
    status = await centre.json("/status")
    assert set(re.findall(r"\bstatus\.([a-z_]+)", script)) <= set(status)
    explained = await centre.json(f"/explain/{UNIT.package_id}")
    assert set(re.findall(r"\bfound\.([a-z_]+)", script)) <= set(explained)
    assert set(re.findall(r"\bcopy\.([a-z_]+)", script)) <= set(explained["copies"][0])
    assert set(re.findall(r"\bstep\.([a-z_]+)", script)) - {"event"} <= set(explained["timeline"][0])
    (unit,) = (await centre.json("/executed_obs_units?limit=12"))["items"]
    assert set(re.findall(r"\bunit\.([a-z_]+)", script)) <= set(unit)
    assert set(re.findall(r"\bdisk\.([a-z_]+)", script)) <= set(status["disks"][0])


async def test_status_health_and_explain(centre: Door) -> None:
    await centre.happen(history.road(UNIT))
    status = await centre.json("/status")
    assert status["site"] == centre.place.site
    assert status["services"] == {"gateway": 1, "projector": 1}
    assert status["packages"] == {"archived": 1}
    assert status["files"] == {"packaged": 2}
    assert status["oldest_unarchived"] is None
    assert all(one["behind"] == 0 for one in status["projections"])
    assert {disk["location"] for disk in status["disks"]} == {
        f"{centre.place.site}-buffer",
        f"{centre.place.site}-processing",
    }
    health = await centre.json("/health")
    assert health["ok"]
    explained = await centre.json(f"/explain/{UNIT.file_ids[0]}")
    assert explained["state"] == "packaged"
    assert explained["waiting"]["now"].startswith("Nothing")
    assert explained["timeline"][-1]["event"] == "chasqui.package.archived.v1"


async def test_head_options_and_unknown_methods(centre: Door) -> None:
    full = await centre.http.get("/health")
    head = await centre.http.head("/health")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == full.headers["content-type"]
    options = await centre.http.options(f"/executed_obs_units/{uuid4()}/raw_data_files")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, POST, HEAD, OPTIONS")
    assert "access-control-allow-origin" not in options.headers
    deleted = await centre.http.delete("/staging")
    assert (deleted.status_code, deleted.json()["code"]) == (405, "method_not_allowed")
    assert deleted.headers["content-security-policy"]


async def test_other_pages_and_other_names_are_not_let_in(centre: Door) -> None:
    cross = await centre.http.post("/staging", content=b"{}", headers={"origin": "https://elsewhere.example"})
    assert (cross.status_code, cross.json()["code"]) == (403, "cross_origin")
    own = await centre.http.post("/staging", content=b"{", headers={"origin": centre.url})
    assert own.json()["code"] == "not_json"
    named = await centre.http.get("/status", headers={"host": "elsewhere.example"})
    assert (named.status_code, named.json()["code"]) == (421, "misdirected")
    local = await centre.http.get("/health", headers={"host": "localhost:8080"})
    assert local.status_code == 200


async def test_without_a_projector_health_says_what_is_wrong(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.health.FAR_BEHIND", 0)
    async with opened(road, road.centre) as door:
        health = await door.json("/health", status=503)
        assert not health["ok"]
        assert {problem["code"] for problem in health["problems"]} == {"projection_behind"}
        status = await door.json("/status")
        assert status["services"]["projector"] == 0
        assert all(one["behind_s"] is not None for one in status["projections"])


async def test_it_is_gone_when_it_stops_though_clients_listen(road: Road) -> None:
    async with httpx.AsyncClient() as http:
        async with opened(road, road.centre) as door:
            url = door.url
            answer = await http.send(http.build_request("GET", f"{url}/events"), stream=True)
            lines = answer.aiter_lines()
            assert (await anext(lines)).startswith("retry")
        assert [line async for line in lines][-1] == ""
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{url}/health")
