from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.js.api import ConsumerInfo

from contracts.states import (
    CopyState,
    FileState,
    LetterState,
    ObservationState,
    PackageState,
    WorkState,
)
from libs.insight.explain import problem_of, steps_of
from libs.insight.progress import figures_of
from libs.insight.queues import queue_of
from libs.insight.status import instances
from libs.insight.waiting import NOTHING, waiting_for

NOW = datetime(2026, 11, 28, tzinfo=UTC)
FINISHED = {"state": "finished", "file_count": 3}


@pytest.mark.parametrize(
    ("row", "files", "packages", "word"),
    [
        ({}, {}, {}, "beginning to be known"),
        ({"state": "running"}, {"filed": 2, "scanned": 1}, {}, "3 files filed so far"),
        (FINISHED, {"filed": 1, "missing": 1, "packaged": 1}, {}, "2 filed files"),
        (FINISHED, {"refused": 1, "packaged": 2}, {}, "decision on 1 refused"),
        (FINISHED, {"scanned": 3}, {}, "packager to plan packages for 3"),
        (FINISHED, {"packaged": 2}, {"archived": 1}, "1 of its files to be known"),
        (FINISHED, {"packaged": 3}, {"waiting": 1, "archived": 1}, "archived (1 waiting)"),
        (FINISHED, {"packaged": 3}, {"failed": 1}, "1 failed"),
        (FINISHED, {"packaged": 3}, {"archived": 2, "abandoned": 1}, "Nothing"),
        ({"state": "aborted", "file_count": 0}, {}, {}, "Nothing"),
    ],
)
def test_what_an_observation_waits_for(
    row: dict[str, Any], files: dict[str, int], packages: dict[str, int], word: str
) -> None:
    assert word in waiting_for("executed_obs_unit", row, {"files": files, "packages": packages}).now


@pytest.mark.parametrize(
    ("row", "context", "word"),
    [
        ({"state": "planned"}, {}, "packager to write"),
        ({"state": "abandoned"}, {}, "given up"),
        ({"state": "waiting"}, {}, "bundler"),
        ({"state": "waiting"}, {"routes": 1}, "bundler"),
        ({"state": "waiting"}, {"routes": 0}, "archiver"),
        ({"state": "waiting", "data_transfer_package_id": 1}, {"routes": 1}, "mover"),
        ({"state": "transferring"}, {}, "bundle to be moved"),
        ({"state": "transferring"}, {"hop": {"completed_at": NOW}}, "verified where it arrived"),
        ({"state": "transferring", "verified_at": NOW}, {}, "archiver"),
        ({"state": "failed", "problem_reason": "it burnt"}, {}, "it burnt"),
        ({"state": "archived"}, {}, "Nothing"),
        ({}, {}, "events to arrive"),
    ],
)
def test_what_a_package_and_a_file_in_it_wait_for(
    row: dict[str, Any], context: dict[str, Any], word: str
) -> None:
    assert word in waiting_for("raw_data_package", row, context).now
    inside = waiting_for("raw_data_file", {"state": "packaged"}, {"package": row, **context})
    assert word in inside.now


@pytest.mark.parametrize(
    ("row", "context", "word"),
    [
        ({"state": "filed"}, {}, "scanner"),
        ({"state": "missing", "problem_reason": "it is gone"}, {}, "it is gone"),
        ({"state": "refused", "problem_reason": "other bytes"}, {}, "other bytes"),
        ({"state": "scanned"}, {"observation": {"state": "running"}}, "observation to finish"),
        ({"state": "scanned"}, {"observation": {"state": "finished"}}, "plan its package"),
        ({}, {}, "filing to be known"),
    ],
)
def test_what_a_file_waits_for(row: dict[str, Any], context: dict[str, Any], word: str) -> None:
    assert word in waiting_for("raw_data_file", row, context).now


@pytest.mark.parametrize(
    ("kind", "row", "word"),
    [
        ("data_transfer_package", {"state": "pending"}, "mover"),
        ("data_transfer", {"state": "in_progress"}, "bytes to be moved"),
        ("data_transfer", {"state": "failed", "problem_reason": "cut"}, "cut"),
        ("staging_job", {"state": "pending"}, "stager"),
        ("staging_job", {"state": "completed"}, "user to be done"),
        ("staging_job", {"state": "completed", "released_at": NOW}, "janitor"),
        ("staging_job", {"state": "failed", "problem_reason": "not archived"}, "not archived"),
        (
            "physical_copy",
            {"state": "present", "refusal_code": "x", "refusal_reason": "last copy"},
            "last copy",
        ),
        ("physical_copy", {"state": "deleted", "deleted_at": NOW}, "was deleted"),
        ("physical_copy", {"state": "present"}, "Nothing"),
    ],
)
def test_what_other_things_wait_for(kind: str, row: dict[str, Any], word: str) -> None:
    assert word in waiting_for(kind, row, {}).now


def test_every_state_has_words_of_its_own() -> None:
    kinds = {
        "executed_obs_unit": ObservationState,
        "raw_data_file": FileState,
        "raw_data_package": PackageState,
        "data_transfer": WorkState,
        "staging_job": WorkState,
        "physical_copy": CopyState,
        "dead_letter": LetterState,
    }
    for kind, states in kinds.items():
        for state in states:
            told = waiting_for(kind, {"state": state.value}, {"package": {"state": "planned"}})
            assert told.now
            assert told.next
            if state.value == "failed":
                assert told != NOTHING
                assert told.remedy


def record(seconds: float, kind: str, site: str = "a") -> dict[str, Any]:
    return {
        "time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds),
        "site": site,
        "service": "s",
        "type": kind,
    }


def test_equal_events_in_a_row_are_one_step() -> None:
    steps = steps_of([record(0, "x"), record(1, "x"), record(5, "y"), record(6, "y", "b"), record(9, "x")])
    assert [(step.event, step.site, step.times, step.after_s) for step in steps] == [
        ("x", "a", 2, None),
        ("y", "a", 1, 5.0),
        ("y", "b", 1, 1.0),
        ("x", "a", 1, 3.0),
    ]
    assert steps_of([]) == ()


def test_a_problem_is_three_columns() -> None:
    row = {"problem_code": "c", "problem_reason": "r", "problem_remedy": None}
    problem = problem_of(row)
    assert problem is not None
    assert (problem.code, problem.reason, problem.remedy) == ("c", "r", "")
    assert problem_of(row, "refusal") is None


@pytest.mark.parametrize("value", [None, b"", b"[1]", b"{not json", b"\xff", b"null"])
def test_progress_that_cannot_be_read_is_none(value: bytes | None) -> None:
    assert figures_of(value) == {}


def test_services_that_should_be_there_are_told() -> None:
    alive = {"a.1": {"service": "mover"}, "a.2": {"service": "mover"}, "b": {}}
    assert instances(alive, {"mover", "packager"}) == {"mover": 2, "packager": 0, "unknown": 1}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("chile_packager_plan", ("packager", "plan")),
        ("chile_stager_stage_all", ("stager", "stage_all")),
        ("cologne_packager_plan", None),
        ("reader-1234", None),
        ("chile_odd", None),
    ],
)
def test_whose_queue_a_consumer_is(name: str, found: tuple[str, str] | None) -> None:
    info = ConsumerInfo.from_response(
        {
            "name": name,
            "stream_name": "EVENTS_cologne",
            "created": "2026-01-01T00:00:00Z",
            "config": {"ack_policy": "explicit"},
            "num_pending": 3,
            "num_ack_pending": 2,
        }
    )
    queue = queue_of(info, "chile", "EVENTS_cologne")
    assert (None if queue is None else (queue.service, queue.handler)) == found
    if queue is not None:
        assert (queue.origin, queue.waiting, queue.in_hand, queue.redelivered) == ("cologne", 3, 2, 0)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_a_waiting_package_says_since_when_for_whom_and_until_when() -> None:
    row = {"state": "waiting", "sealed_at": at(0)}
    context = {"origin": "chile", "routes": 1, "longest_wait": timedelta(minutes=10)}
    told = waiting_for("raw_data_package", row, context)
    assert (told.since, told.next_at, told.by, told.at) == (at(0), at(10), "bundler", "chile")


def test_a_package_on_its_way_names_the_breakers_before_it() -> None:
    hop = {"started_at": at(1), "origin": "chile", "destination_location": "cologne-buffer"}
    context = {"bundle": {"route": "south-north"}, "hop": hop}
    told = waiting_for("raw_data_package", {"state": "transferring"}, context)
    assert (told.since, told.by, told.at) == (at(1), "mover", "chile")
    assert told.uses == ("route.south-north", "location.cologne-buffer")


def test_a_package_before_the_archive_names_all_archives_at_its_end() -> None:
    row = {"state": "transferring", "sealed_at": at(0), "verified_at": at(5)}
    context = {"bundle": {"destination": "cologne"}, "archives": ("disk-archive", "tape-archive")}
    told = waiting_for("raw_data_package", row, context)
    assert (told.since, told.by, told.at) == (at(5), "archiver", "cologne")
    assert told.uses == ("location.disk-archive", "location.tape-archive")


def test_a_copy_that_only_waits_says_until_when() -> None:
    row = {"state": "present", "refusal_code": "retention", "refused_at": at(1), "refusal_reason": "too new"}
    context = {"site": "chile", "archived_at": at(0), "keep_for": timedelta(minutes=60)}
    told = waiting_for("physical_copy", row, context)
    assert (told.since, told.next_at, told.by, told.at) == (at(1), at(60), "janitor", "chile")
    other = waiting_for("physical_copy", {**row, "refusal_code": "not_archived"}, context)
    assert other.next_at is None


def test_a_damaged_copy_waits_for_its_repair_or_for_a_person() -> None:
    damaged = {"scrub_problem_code": "checksum_mismatch", "scrub_problem_reason": "other bytes"}
    row = {"state": "present", "location": "the-archive", "scrubbed_at": at(0), **damaged}
    told = waiting_for("physical_copy", row, {"site": "cologne"})
    assert "repair: other bytes" in told.now
    assert (told.since, told.by, told.uses) == (at(0), "archiver", ("location.the-archive",))
    told = waiting_for("physical_copy", {**row, "unrepairable_at": at(3)}, {})
    assert "For a person" in told.now
    assert (told.since, told.by) == (at(3), None)
    assert "SOURCE" in told.remedy
    archived = {**row, "unrepairable_at": at(3), "entity_id": "4711"}
    told = waiting_for("physical_copy", archived, {"archive": True})
    assert "chasqui scrub 4711 --now" in told.remedy


def test_a_letter_and_a_hold_name_the_command_that_ends_them() -> None:
    letter = {"id": "4711", "state": "buried", "service": "mover", "handler": "move", "buried_at": at(0)}
    assert "chasqui dead retry 4711" in waiting_for("dead_letter", letter, {}).remedy
    assert waiting_for("dead_letter", {**letter, "state": "retried"}, {}).by == "mover"
    hold = {"id": "4712", "placed_at": at(0), "placed_by": "somebody", "reason": "a transient"}
    assert "chasqui hold release 4712" in waiting_for("deletion_hold", hold, {}).remedy
    assert "released it" in waiting_for("deletion_hold", {**hold, "released_at": at(1)}, {}).now


def test_an_expiring_job_says_when() -> None:
    told = waiting_for("staging_job", {"state": "completed", "completed_at": at(0), "expires_at": at(9)}, {})
    assert (told.since, told.next_at) == (at(0), at(9))
