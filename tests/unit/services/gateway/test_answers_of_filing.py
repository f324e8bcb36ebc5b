import json
from uuid import uuid4

import pytest

from contracts.observations import FilingAccepted, FilingRefused
from contracts.problems import Problem
from libs.errors import UserError
from services.filing import answers
from services.gateway import filing


def refused(code: str) -> FilingRefused:
    return FilingRefused(problem=Problem(code=code, reason="r", remedy="r"))


def test_every_refusal_has_the_status_that_filing_gives_it() -> None:
    codes = {*answers._STATUS, *answers.RETRIABLE, *filing.STATUS, "unknown_instrument"} - {
        "filing_unreachable"
    }
    for code in codes:
        assert filing.status_of(refused(code), new=201) == answers.status_of(refused(code), new=201), code


@pytest.mark.parametrize(("repeated", "status"), [(False, 201), (True, 200)])
def test_what_is_accepted_again_is_not_new(repeated: bool, status: int) -> None:
    accepted = FilingAccepted(executed_obs_unit_id=uuid4(), repeated=repeated)
    assert filing.status_of(accepted, new=201) == status
    assert answers.status_of(accepted, new=201) == status


def test_the_observation_of_the_address_goes_into_the_body() -> None:
    unit = str(uuid4())
    assert json.loads(filing.naming_unit(b'{"files": []}', unit)) == {
        "files": [],
        "executed_obs_unit_id": unit,
    }
    same = json.dumps({"executed_obs_unit_id": unit.upper()}).encode()
    assert json.loads(filing.naming_unit(same, unit))["executed_obs_unit_id"] == unit.upper()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"executed_obs_unit_id": "other"}', "invalid_request"),
        (b'{"executed_obs_unit_id": 7}', "invalid_request"),
        (b"[]", "not_json"),
        (b"", "not_json"),
        (b'{"a": NaN}', "not_json"),
    ],
)
def test_a_body_that_cannot_be_forwarded(body: bytes, code: str) -> None:
    with pytest.raises(UserError) as error:
        filing.naming_unit(body, str(uuid4()))
    assert error.value.problem.code == code
