from configparser import ConfigParser
from pathlib import Path

from libs.embedded.swift_conf import SERVERS, SwiftSettings, files

SETTINGS = SwiftSettings(
    folder=Path("/data/s3/conf"),
    devices=Path("/data/s3/devices"),
    device="d",
    hash_suffix="salt",
    secret_key="secret",
    region="us-east-1",
    ports={name: 6000 + number for number, name in enumerate(SERVERS)},
)


def parsed(text: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_every_server_has_a_local_address_and_never_looks_in_etc() -> None:
    texts = files(SETTINGS)
    for name in SERVERS:
        defaults = parsed(texts[f"{name}.conf"])["DEFAULT"]
        assert defaults["bind_ip"] == "127.0.0.1"
        assert defaults["bind_port"] == str(SETTINGS.ports[name])
        assert defaults["swift_dir"] == "/data/s3/conf"
    assert not any("/etc" in text for text in texts.values())


def test_every_filter_of_the_pipeline_is_defined() -> None:
    proxy = parsed(files(SETTINGS)["proxy-server.conf"])
    *filters, application = proxy["pipeline:main"]["pipeline"].split()
    assert application == "proxy-server"
    assert {f"filter:{name}" for name in filters} == {s for s in proxy.sections() if s.startswith("filter:")}


def test_the_user_and_the_salt() -> None:
    texts = files(SETTINGS)
    assert parsed(texts["proxy-server.conf"])["filter:tempauth"]["user_chasqui_archive"] == "secret .admin"
    assert parsed(texts["swift.conf"])["swift-hash"]["swift_hash_path_suffix"] == "salt"
