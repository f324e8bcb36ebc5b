import json
from dataclasses import replace
from pathlib import Path

from libs.embedded.nats_conf import LeafRemote, Login, NatsSettings, render

SETTINGS = NatsSettings(
    name="chile",
    store=Path("/data/jetstream"),
    port=4000,
    monitor_port=4001,
    monitor_path="/hidden",
    login=Login("chasqui", 'quo"te'),
    max_payload=4_000_000,
)


def test_a_lone_server_is_local_authenticated_and_synced() -> None:
    document = json.loads(render(SETTINGS))
    assert document["host"] == "127.0.0.1"
    assert document["http"] == "127.0.0.1:4001"
    assert document["jetstream"] == {"store_dir": "/data/jetstream", "sync_interval": "always"}
    assert document["authorization"] == {"user": "chasqui", "password": 'quo"te'}
    assert document["max_payload"] == 4_000_000
    assert "leafnodes" not in document


def test_a_hub_and_a_leaf() -> None:
    remote = LeafRemote(7000, Login("leaf", "p@ss/word"))
    settings = replace(
        SETTINGS, domain="chile", leaf_port=5000, leaf_login=Login("leaf", "own"), leaf_of=remote
    )
    document = json.loads(render(settings))
    assert document["jetstream"]["domain"] == "chile"
    leafnodes = document["leafnodes"]
    assert leafnodes["no_advertise"] is True
    assert leafnodes["host"] == "127.0.0.1"
    assert leafnodes["authorization"] == {"user": "leaf", "password": "own"}
    assert leafnodes["remotes"] == [{"url": "nats-leaf://leaf:p%40ss%2Fword@127.0.0.1:7000"}]


def test_a_password_is_not_shown_by_accident() -> None:
    assert "quo" not in repr(SETTINGS)
