import io
from datetime import UTC, datetime

import pytest
from PIL import Image

from contracts.files import AssetRendered, ProblemFile, RenderedAsset, RenderFailed
from contracts.problems import Problem
from tests.support.door import Door
from tests.support.histories import road as history
from tests.support.histories.road import Observation

pytestmark = pytest.mark.integration

UNIT = Observation(number=1, files=3, start=datetime(2026, 5, 1, tzinfo=UTC))


def png(colour: int) -> bytes:
    made = io.BytesIO()
    Image.new("L", (8, 8), colour).save(made, "PNG")
    return made.getvalue()


async def test_pictures_with_their_versions(telescope: Door) -> None:
    await telescope.happen([*history.filing(UNIT), (history.ORIGIN, history.pictures(UNIT))])
    first = UNIT.file_ids[0]
    folder = telescope.place.previews / str(first)
    folder.mkdir(parents=True)
    (folder / "thumbnail.png").write_bytes(png(10))
    (folder / "preview.png").write_bytes(png(20))

    etags = set()
    for kind, content in (("thumbnail", png(10)), ("preview", png(20))):
        shown = await telescope.http.get(f"/raw_data_files/{first}/{kind}")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
        assert shown.content == content
        etags.add(shown.headers["etag"])
        assert "max-age=60" in shown.headers["cache-control"]
        same = await telescope.http.get(
            f"/raw_data_files/{first}/{kind}", headers={"if-none-match": f'"x", W/{shown.headers["etag"]}'}
        )
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == shown.headers["etag"]
    assert len(etags) == 2
    version = history.digest("preview", first)
    kept = await telescope.http.get(f"/raw_data_files/{first}/thumbnail?v={version}")
    assert "immutable" in kept.headers["cache-control"]
    webp = history.pictures(UNIT).assets[1].model_copy(update={"preview": f"{first}/preview.webp"})
    await telescope.happen(
        [(history.ORIGIN, AssetRendered(executed_obs_unit_id=UNIT.id, assets=(webp,), part=2, parts=2))]
    )
    (folder / "preview.webp").write_bytes(b"RIFF")
    other = await telescope.http.get(f"/raw_data_files/{webp.file_id}/preview")
    assert (other.headers["content-type"], other.content) == ("image/webp", b"RIFF")
    old = await telescope.http.get(f"/raw_data_files/{first}/thumbnail?v=older")
    assert "immutable" not in old.headers["cache-control"]


async def test_no_picture_and_why(telescope: Door) -> None:
    await telescope.happen(history.filing(UNIT))
    pending, failed, elsewhere = UNIT.file_ids
    problem = Problem(code="not_an_image", reason="it has no image", remedy="None.")
    failure = RenderFailed(
        executed_obs_unit_id=UNIT.id,
        files=(ProblemFile(file_id=failed, path=UNIT.paths[1], problem=problem),),
    )
    rendered = history.pictures(UNIT).model_copy(update={"assets": history.pictures(UNIT).assets[2:]})
    await telescope.happen([(history.ORIGIN, failure), (history.ORIGIN, rendered)])
    for file, word in (
        (pending, "not looked at it yet"),
        (failed, "not_an_image"),
        (elsewhere, "not at this site"),
    ):
        told = await telescope.json(f"/raw_data_files/{file}/preview", status=404)
        assert told["code"] == "no_preview"
        assert word in told["reason"]


async def test_a_picture_outside_the_folder_is_not_shown(telescope: Door) -> None:
    await telescope.happen(history.filing(UNIT))
    telescope.place.previews.mkdir(parents=True)
    (telescope.place.state / "secret.png").write_bytes(b"secret")
    asset = RenderedAsset(
        file_id=UNIT.file_ids[0],
        thumbnail="../secret.png",
        preview="../secret.png",
        etag="0" * 64,
        width=1,
        height=1,
    )
    event = history.pictures(UNIT).model_copy(update={"assets": (asset,)})
    await telescope.happen([(history.ORIGIN, event)])
    told = await telescope.json(f"/raw_data_files/{UNIT.file_ids[0]}/thumbnail", status=404)
    assert told["code"] == "no_preview"
