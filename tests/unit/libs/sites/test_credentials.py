import os
import pickle
import subprocess
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import UserError
from libs.sites.credentials import Credentials, Login, S3Keys, required
from libs.sites.models import Deployment

GIVEN = {
    "CHASQUI_NATS_LA_PALMA_PASSWORD": "n-secret",
    "CHASQUI_OPSDB_LA_PALMA_WRITER_PASSWORD": "w-secret",
    "CHASQUI_OPSDB_LA_PALMA_READER_PASSWORD": "r-secret",
    "CHASQUI_S3_DEEP_ARCHIVE_ACCESS_KEY": "a-key",
    "CHASQUI_S3_DEEP_ARCHIVE_SECRET_KEY": "s-secret",
}


@pytest.fixture
def deployment() -> Deployment:
    return Deployment.model_validate(
        {
            "version": 1,
            "observatory": "O",
            "telescope": "T",
            "sites": {
                "la-palma": {
                    "nats": {"user": "u"},
                    "opsdb": {"writer": "w", "reader": "r"},
                    "locations": {
                        "deep-archive": {"type": "long_term_archive", "storage": "s3", "bucket": "abc"},
                        "old-archive": {
                            "type": "long_term_archive",
                            "storage": "s3",
                            "bucket": "abd",
                            "active": False,
                        },
                    },
                }
            },
        }
    )


def test_each_secret_has_its_variable(deployment: Deployment) -> None:
    found = Credentials.from_environment(GIVEN)
    assert found.nats(deployment, "la-palma") == Login("u", "n-secret")
    assert found.opsdb_writer(deployment, "la-palma") == Login("w", "w-secret")
    assert found.opsdb_reader(deployment, "la-palma") == Login("r", "r-secret")
    assert found.s3("deep-archive") == S3Keys("a-key", "s-secret")


def test_required_are_those_of_what_is_active(deployment: Deployment) -> None:
    assert required(deployment, "la-palma") == tuple(sorted(GIVEN))
    with pytest.raises(KeyError):
        required(deployment, "chile")


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_one_is_named(name: str, value: str | None, deployment: Deployment) -> None:
    environment: Mapping[str, str] = {k: v for k, v in GIVEN.items() if k != name} | (
        {} if value is None else {name: value}
    )
    found = Credentials.from_environment(environment)
    assert found.missing(required(deployment, "la-palma")) == (name,)
    with pytest.raises(UserError) as refused:
        found.value(name)
    assert refused.value.problem.code == "credential_missing"
    assert name in refused.value.problem.reason


def test_nothing_else_is_taken_from_the_environment() -> None:
    found = Credentials.from_environment({**GIVEN, "HOME": "/root", "CHASQUI_WORKDIR": "x"})
    assert found.to_environment() == GIVEN


def test_values_are_never_shown(deployment: Deployment) -> None:
    found = Credentials.from_environment(GIVEN)
    shown = f"{found!r} {found} {found.s3('deep-archive')!r} {found.nats(deployment, 'la-palma')}"
    assert "secret" not in shown.lower().replace("_secret_key", "").replace("secret_key", "")
    assert "CHASQUI_NATS_LA_PALMA_PASSWORD" in shown


def test_a_process_can_be_given_fewer() -> None:
    found = Credentials(GIVEN).only(["CHASQUI_NATS_LA_PALMA_PASSWORD", "CHASQUI_NATS_OTHER_PASSWORD"])
    assert found.to_environment() == {"CHASQUI_NATS_LA_PALMA_PASSWORD": "n-secret"}


def test_the_later_of_two_wins() -> None:
    one, two = Credentials({"CHASQUI_NATS_A_PASSWORD": "1"}), Credentials({"CHASQUI_NATS_A_PASSWORD": "2"})
    assert one.joined(two) == two
    assert hash(one.joined(two)) == hash(two)
    assert one != two


def test_they_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(Credentials(GIVEN))) == Credentials(GIVEN)  # noqa: S301 - our own bytes


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_value_survives_the_file(value: str) -> None:
    found = Credentials({"CHASQUI_NATS_A_PASSWORD": value})
    assert Credentials.from_text(found.to_text()) == found


@pytest.mark.parametrize("value", ["plain", "two words", "a'b\"c", "$HOME `id`", "a\nb", "#no=comment", "ü"])
def test_a_shell_reads_the_file(value: str) -> None:
    text = Credentials({"CHASQUI_NATS_A_PASSWORD": value}).to_text()
    script = f'{text}printf %s "$CHASQUI_NATS_A_PASSWORD"'
    shown = subprocess.run(
        ["sh", "-c", script], capture_output=True, check=True, env={"PATH": os.environ["PATH"]}, timeout=10
    )
    assert shown.stdout.decode() == value


@pytest.mark.parametrize("text", ["hush", "A='hush", "CHASQUI_NATS_A_PASSWORD hush"])
def test_a_broken_file_is_refused_without_its_content(text: str) -> None:
    with pytest.raises(UserError) as refused:
        Credentials.from_text(text)
    assert refused.value.problem.code == "credentials_malformed"
    assert "hush" not in str(refused.value)
