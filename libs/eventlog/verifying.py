"""Reading a whole chain back: is it whole, and how far does it reach?

Every object is read. A link is good if its bytes have the SHA-256 of its name, its records are without a gap, and it
names the segment before it by that one's SHA-256; the newest head must be the end of such links from the first event.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from contracts.problems import Problem
from libs.eventlog.folder import LogFolder
from libs.eventlog.heads import Head, reach
from libs.eventlog.segments import SegmentDamaged, SegmentRef, whole_segment

UNFINISHED = 1
"""So many segments may lie beyond the head: an exporter that is killed leaves one."""

REMEDY = (
    "While the stream lives: chasqui events export --mend. Otherwise another archive or a mirror has what is lost "
    "here: chasqui events restore takes it from there."
)


@dataclass(frozen=True, slots=True)
class Link:
    """A segment that was read and is whole.

    Attributes:
        record_digest: Of its last record.
        size: Bytes in the archive.
    """

    ref: SegmentRef
    previous: SegmentRef | None
    record_digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Chain:
    """What was found.

    Attributes:
        path: The segments from the first event on, each following the one before, as far as the chain is whole.
        head: The end of `path`; None without any. It may reach one segment further than the head in the archive.
        claimed: The log goes up to here, by the newest head in the archive; 0 without one.
        stored_bytes: Of `path`, in the archive.
        beside: Whole segments that are not part of the chain: two exporters were at work at once.
        damaged: Segments that are there and are not what they should be.
        problems: Everything that is not as it should be; none if the chain is whole.
    """

    stream: str
    location: str
    path: tuple[SegmentRef, ...] = ()
    head: Head | None = None
    claimed: int = 0
    stored_bytes: int = 0
    beside: int = 0
    damaged: tuple[SegmentRef, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def last(self) -> int:
        """The chain is whole up to this sequence."""
        return reach(self.head)

    @property
    def whole(self) -> bool:
        """Whether nothing was found amiss."""
        return not self.problems


@dataclass(slots=True)
class Findings:
    """What was found in an archive.

    Attributes:
        head: The newest head that can be read.
        links: The whole segments.
        damaged: The others, and why.
        problems: Whatever else is not as it should be.
    """

    head: Head | None = None
    links: dict[SegmentRef, Link] = field(default_factory=dict)
    damaged: dict[SegmentRef, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


async def verify(folder: LogFolder, progress: Callable[[int, int], None] | None = None) -> Chain:
    """Read the chain of a stream back.

    Args:
        folder: The chain.
        progress: Hears how many segments were read, of how many.

    Raises:
        Retriable: The archive is away.
    """
    refs, odd = await folder.segments()
    head, head_problems = await folder.newest_head()
    found = Findings(head, problems=[_odd(key) for key in odd] + head_problems)
    if head is not None and head.tip not in refs and await folder.holds(head.tip):
        refs.append(head.tip)  # listings of some servers lag
    number = 0
    async for ref, body in folder.in_order(refs):
        await _inspect(folder.stream, ref, body, found)
        number += 1
        if progress is not None:
            progress(number, len(refs))
    return judge(folder.stream, folder.location, found)


async def _inspect(stream: str, ref: SegmentRef, body: bytes | SegmentDamaged, found: Findings) -> None:
    try:
        if isinstance(body, SegmentDamaged):
            raise body
        segment = await asyncio.to_thread(whole_segment, body, stream, ref)
    except SegmentDamaged as error:
        found.damaged[ref] = error.problem.reason
        return
    found.links[ref] = Link(ref, segment.header.previous, segment.record_digest, len(body))


def judge(stream: str, location: str, found: Findings) -> Chain:
    """What the segments and the newest head come to; pure.

    Args:
        stream: Whose chain it is.
        location: The archive.
        found: What was found there.
    """
    head, links = found.head, found.links
    problems = [*found.problems, *(_problem("segment_damaged", why) for why in found.damaged.values())]
    rooted = _rooted(links)
    path = [] if head is None else _path(head.tip, links)
    if head is not None and (not path or path[0].ref not in rooted):
        lost = path[0].previous if path else head.tip
        problems.append(_broken(head, lost, found))
        # What else lies in the place of a lost segment, no head vouches for.
        bound = path[0].ref.first if lost is None or lost in links else lost.first
        path, rooted = _longest((one for one in rooted if one.last < bound), links), set()
    elif head is not None and not _is_true(head, path):
        reason = f"the head at {head.last} does not say what its last segment says"
        problems.append(_problem("head_differs", reason))
    reached = len(path)
    path = _longest(rooted, links, after=path)
    if len(path) > reached + UNFINISHED:
        problems.append(_head_behind(head, path))
    return Chain(
        stream,
        location,
        path=tuple(link.ref for link in path),
        head=_head_of(stream, path),
        claimed=reach(head),
        stored_bytes=sum(link.size for link in path),
        beside=len(links) - len(path),
        damaged=tuple(found.damaged),
        problems=tuple(problems),
    )


def _rooted(links: Mapping[SegmentRef, Link]) -> set[SegmentRef]:
    """The links that follow from the first event."""
    rooted: set[SegmentRef] = set()
    for ref in sorted(links, key=lambda one: (one.first, one.last)):
        previous = links[ref].previous
        if ref.first == 1 if previous is None else previous in rooted and previous.last + 1 == ref.first:
            rooted.add(ref)
    return rooted


def _path(tip: SegmentRef, links: Mapping[SegmentRef, Link]) -> list[Link]:
    """The links that end with a tip, as far back as they follow each other."""
    path: list[Link] = []
    wanted: SegmentRef | None = tip
    while wanted is not None and (link := links.get(wanted)) is not None:
        if path and wanted.last + 1 != path[-1].ref.first:
            break
        path.append(link)
        wanted = link.previous
    return path[::-1]


def _longest(
    rooted: Iterable[SegmentRef], links: Mapping[SegmentRef, Link], after: list[Link] | None = None
) -> list[Link]:
    """The chain from the first event that reaches furthest; only one that goes on after another, if given."""
    base = after or []
    reached = base[-1].ref.last if base else 0
    for ref in sorted(rooted, key=lambda one: (one.last, one.sha256), reverse=True):
        if ref.last <= reached:
            break
        path = _path(ref, links)
        if path[: len(base)] == base:
            return path
    return base


def _head_of(stream: str, path: list[Link]) -> Head | None:
    if not path:
        return None
    tip = path[-1]
    return Head(stream=stream, segments=len(path), tip=tip.ref, record_digest=tip.record_digest)


def _is_true(head: Head, path: list[Link]) -> bool:
    """Whether a head that names the right segment also says the rest as it is."""
    return (head.segments, head.record_digest) == (len(path), path[-1].record_digest)


def _broken(head: Head, lost: SegmentRef | None, found: Findings) -> Problem:
    """What is amiss where the chain of the head ends, going back from it."""
    if lost is None:
        return _problem("segment_missing", f"the events before {head.tip.first} are missing")
    if lost in found.damaged:
        return _problem("chain_broken", f"the chain is not whole at {_span(lost)}: that segment is damaged")
    if lost in found.links:
        return _problem("chain_broken", f"{_span(lost)} is not where the next segment says that it is")
    return _problem("segment_missing", f"the segment {_span(lost)} (SHA-256 {lost.sha256}) is missing")


def _span(ref: SegmentRef) -> str:
    return f"{ref.first}-{ref.last}"


def _head_behind(head: Head | None, path: list[Link]) -> Problem:
    if head is None:
        return _problem("head_missing", f"there are {len(path)} segments, but no head that can be read")
    return _problem(
        "head_behind",
        f"the head says that the log ends at {head.last}, but whole segments follow up to {path[-1].ref.last}",
    )


def _odd(key: str) -> Problem:
    return Problem(
        code="object_unknown",
        reason=f"{key!r} lies among the segments and is none",
        remedy="Find out who put it there, and move it away.",
    )


def _problem(code: str, reason: str) -> Problem:
    return Problem(code=code, reason=reason, remedy=REMEDY)
