from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.errors import Permanent
from libs.storage.base import unheard
from libs.storage.s3_job import STALE_UPLOAD, UploadJob, abort_age, judge_existing
from libs.storage.s3_objects import ExistingObject, ObjectFacts, Uploaded, UploadOutcome
from libs.storage.s3_parts import plan_parts
from libs.storage.s3_settings import MIB

JOB = UploadJob(
    "bucket",
    "k",
    Path("/f"),
    plan_parts(3, 5 * MIB, 1000),
    "aa",
    {"unit": "u"},
    ExistingObject.KEEP,
    4,
    unheard,
)
SAME = ObjectFacts("k", 3, '"e"', datetime(2026, 1, 1, tzinfo=UTC), {"sha256": "aa"})


def test_nothing_there_is_sent() -> None:
    assert judge_existing(JOB, None) is None


def test_the_same_content_is_left_alone() -> None:
    found = judge_existing(JOB, SAME)
    assert found is not None
    assert (found.outcome, found.parts) == (UploadOutcome.ALREADY_THERE, 0)


@pytest.mark.parametrize(
    "other", [replace(SAME, size=4), replace(SAME, metadata={}), replace(SAME, metadata={"sha256": "bb"})]
)
def test_another_content_is_refused_or_replaced_on_request(other: ObjectFacts) -> None:
    with pytest.raises(Permanent) as caught:
        judge_existing(JOB, other)
    assert caught.value.problem.code == "object_differs"
    assert judge_existing(replace(JOB, existing=ExistingObject.REPLACE), other) is None


def test_only_a_replacement_goes_without_condition() -> None:
    assert JOB.condition == {"IfNoneMatch": "*"}
    assert replace(JOB, existing=ExistingObject.REPLACE).condition == {}
    assert JOB.user_metadata == {"unit": "u", "sha256": "aa"}


@pytest.mark.parametrize(
    ("existing", "outcome", "all_of_them"),
    [
        (ExistingObject.KEEP, UploadOutcome.UPLOADED, True),
        (ExistingObject.KEEP, UploadOutcome.ALREADY_THERE, False),
        (ExistingObject.REPLACE, UploadOutcome.UPLOADED, False),
    ],
)
def test_a_replacement_under_way_is_never_aborted(
    existing: ExistingObject, outcome: UploadOutcome, all_of_them: bool
) -> None:
    done = Uploaded("k", outcome, 3, "aa", '"e"', None, parts=0)
    assert abort_age(replace(JOB, existing=existing), done) == (None if all_of_them else STALE_UPLOAD)
