"""What segments and heads come to: a pure decision."""

from libs.eventlog.heads import Head
from libs.eventlog.naming import ChainNames
from libs.eventlog.segments import SegmentRef
from libs.eventlog.verifying import Chain, Findings, Link, judge

STREAM = "EVENTS_chile"


def ref(first: int, last: int, mark: str = "a") -> SegmentRef:
    return SegmentRef(first=first, last=last, sha256=(mark * 64)[:64])


def link(one: SegmentRef, previous: SegmentRef | None) -> Link:
    return Link(one, previous, "0" * 64, 100)


def head(tip: SegmentRef, segments: int) -> Head:
    return Head(stream=STREAM, segments=segments, tip=tip, record_digest="0" * 64)


A, B, C, D = ref(1, 10), ref(11, 20), ref(21, 30), ref(31, 40)
LINKS = {A: link(A, None), B: link(B, A), C: link(C, B), D: link(D, C)}


def judged(
    links: dict[SegmentRef, Link], newest: Head | None, damaged: dict[SegmentRef, str] | None = None
) -> Chain:
    return judge(STREAM, "archive", Findings(newest, dict(links), damaged or {}))


def codes(chain: Chain) -> list[str]:
    return [problem.code for problem in chain.problems]


def without(*gone: SegmentRef) -> dict[SegmentRef, Link]:
    return {one: found for one, found in LINKS.items() if one not in gone}


def test_a_whole_chain() -> None:
    chain = judged(LINKS, head(D, 4))
    assert chain.whole
    assert (chain.last, chain.path, chain.head) == (40, (A, B, C, D), head(D, 4))
    assert (chain.stored_bytes, chain.beside) == (400, 0)


def test_nothing_is_whole_too() -> None:
    chain = judged({}, None)
    assert chain.whole
    assert (chain.last, chain.head) == (0, None)


def test_missing_segments() -> None:
    for gone, last in ((A, 0), (B, 10), (C, 20), (D, 30)):
        chain = judged(without(gone), head(D, 4))
        assert codes(chain) == ["segment_missing"]
        assert chain.last == last


def test_a_damaged_segment() -> None:
    chain = judged(without(B), head(D, 4), {B: "the bytes are wrong"})
    assert codes(chain) == ["segment_damaged", "chain_broken"]
    assert (chain.last, chain.damaged) == (10, (B,))


def test_a_segment_that_follows_another_one_than_it_says() -> None:
    for liar, last in ((link(C, ref(11, 20, "f")), 10), (link(C, None), 20), (link(C, A), 20)):
        chain = judged({**LINKS, C: liar}, head(D, 4))
        assert not chain.whole
        assert chain.last == last
    late = ref(5, 20)
    assert not judged({A: link(A, None), late: link(late, A)}, head(late, 2)).whole


def test_what_lies_in_the_place_of_a_lost_segment_is_not_believed() -> None:
    forged = ref(11, 20, "f")
    chain = judged({**without(B), forged: link(forged, A)}, head(D, 4))
    assert codes(chain) == ["segment_missing"]
    assert (chain.last, chain.path) == (10, (A,))


def test_one_segment_beyond_the_head_is_an_export_that_was_killed() -> None:
    chain = judged(LINKS, head(C, 3))
    assert chain.whole
    assert chain.head == head(D, 4)
    assert judged({A: link(A, None)}, None).whole


def test_a_head_that_was_rolled_back() -> None:
    chain = judged(LINKS, head(B, 2))
    assert codes(chain) == ["head_behind"]
    assert chain.last == 40


def test_a_head_that_is_missing() -> None:
    chain = judged(LINKS, None)
    assert codes(chain) == ["head_missing"]
    assert chain.last == 40


def test_a_head_that_says_something_else() -> None:
    assert codes(judged(LINKS, head(D, 5))) == ["head_differs"]
    other = head(D, 4).model_copy(update={"record_digest": "1" * 64})
    assert codes(judged(LINKS, other)) == ["head_differs"]


def test_the_newest_head_chooses_between_branches() -> None:
    short, long = ref(21, 25, "b"), ref(21, 35, "c")
    forked = {A: link(A, None), B: link(B, A), short: link(short, B), long: link(long, B)}
    chain = judged(forked, head(long, 3))
    assert chain.whole
    assert (chain.path[-1], chain.beside) == (long, 1)
    chain = judged(forked, head(short, 3))
    assert (chain.path[-1], chain.whole) == (short, True)


def test_keys_lead_there_and_back() -> None:
    names = ChainNames("site/", "log", STREAM)
    assert names.segment_of(names.segment(B)) == B
    assert names.reach_of(names.head(head(C, 3))) == 30
    assert names.segment(A).startswith(names.segments_from(1))
    assert names.segment(ref(9, 9)) < names.segment(ref(10, 10))
    for odd in ("x", names.segments + "x", names.head(head(C, 3)), names.segment(A) + "x"):
        assert names.segment_of(odd) is None
        assert names.reach_of(names.segment(A)) is None
