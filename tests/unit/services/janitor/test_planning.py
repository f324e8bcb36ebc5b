from dataclasses import replace
from datetime import timedelta

from services.janitor.facts import NO_HISTORY, History, Moment
from services.janitor.planning import Candidate, plan
from tests.support.worlds import ARCHIVED, NOW, buffered, on_disk, retention, source, world

CHANGED = History(since=NOW, refusal="content_changed", refused_at=NOW)
BEFORE_NS = int((NOW - timedelta(minutes=1)).timestamp()) * 10**9
AFTER_NS = int((NOW + timedelta(minutes=1)).timestamp()) * 10**9
AROUND = world(ARCHIVED, moment=Moment.DECIDING, retention=retention(verify_before_delete="checksum"))


def test_what_was_read_and_found_changed_is_not_read_again_until_somebody_touches_it() -> None:
    for copy, size in ((source(), 7), (buffered(), 1000)):
        untouched = replace(copy, seen=on_disk(size, 99, BEFORE_NS))
        [refused] = plan([Candidate(untouched, AROUND, CHANGED)]).refusals
        assert refused.problem.code == "content_changed"
        touched = replace(copy, seen=on_disk(size, 99, AFTER_NS))
        assert plan([Candidate(touched, AROUND, CHANGED)]).refusals == ()


def test_other_refusals_are_asked_again_each_time() -> None:
    untouched = source(seen=on_disk(7, 99, BEFORE_NS))
    for history in (NO_HISTORY, replace(CHANGED, refusal="held"), replace(CHANGED, refused_at=None)):
        assert plan([Candidate(untouched, AROUND, history)]).refusals == ()
