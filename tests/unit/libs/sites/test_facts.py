from pathlib import Path

import pytest

from libs.sites.facts import to_facts
from libs.sites.loading import load
from libs.sites.models import Deployment


@pytest.fixture
def demo_deployment(tmp_path: Path, demo_text: str) -> Deployment:
    path = tmp_path / "demo.yaml"
    path.write_text(demo_text)
    return load(path, base=Path("/w"))


def test_everything_is_told(demo_deployment: Deployment) -> None:
    facts = to_facts(demo_deployment, 3)
    assert facts.revision == 3
    assert [site.name for site in facts.sites] == ["chile", "cologne"]
    assert {x.name: x.address for x in facts.locations} == {
        "chile-buffer": "/w/sites/chile/buffer",
        "chile-source": "/w/sites/chile/source",
        "cologne-archive": "embedded/chasqui-archive",
        "cologne-buffer": "/w/sites/cologne/buffer",
        "cologne-processing": "/w/sites/cologne/processing",
    }
    (camera,) = facts.instruments
    assert (camera.folder, camera.package_limit, [m.name for m in camera.modules]) == (
        "sky-camera",
        50 * 10**9,
        ["main", "guide"],
    )
    assert [(r.name, r.origin, r.destination) for r in facts.routes] == [
        ("chile-cologne", "chile", "cologne")
    ]


def test_the_order_of_the_file_is_no_fact(demo_deployment: Deployment) -> None:
    turned = demo_deployment.model_copy(update={"sites": dict(reversed(demo_deployment.sites.items()))})
    assert to_facts(turned, 1).content_id() == to_facts(demo_deployment, 2).content_id()


def test_another_content_is_another_fact(demo_deployment: Deployment) -> None:
    other = demo_deployment.model_copy(update={"telescope": "Other"})
    assert to_facts(other, 1).content_id() != to_facts(demo_deployment, 1).content_id()
