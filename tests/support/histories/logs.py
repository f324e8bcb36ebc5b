"""Logs of two sites in which many observations are on the road at once."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts.envelope import Envelope
from contracts.subjects import events_stream
from libs.opsdb.projection.applying import Happening
from tests.support.histories import associations, care, catalog, mishaps, road, skynet
from tests.support.histories.road import Observation, Step

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
CHANCE = 0.4
"""Of each mishap."""


def smooth(observations: int, *, files: Sequence[int], seed: int = 0) -> Iterator[Step]:
    """Observations without mishap, of these numbers of files in turn, some of them on the road at once."""
    chance = random.Random(seed)  # noqa: S311 - plausible, not secret
    many = [
        list(road.road(Observation(n, files[n % len(files)], BEGIN + timedelta(minutes=n))))
        for n in range(observations)
    ]
    yield from interleaved(many, chance, at_once=8)


def eventful(observations: int, seed: int) -> Iterator[Step]:
    """Observations that meet every mishap now and then."""
    chance = random.Random(seed)  # noqa: S311 - plausible, not secret
    sites = [[(site, mishaps.deployment(r)) for r in (1, 2)] for site in (road.ORIGIN, road.DESTINATION)]
    units = [
        list(_eventful(Observation(n, chance.choice((1, 2, 5)), BEGIN + timedelta(minutes=n)), chance))
        for n in range(observations)
    ]
    grouped = [list(associations.association(n, BEGIN, chance)) for n in range(1, 2 + observations // 4)]
    registering = [
        list(catalog.telling(site, chance, offset=timedelta(hours=n)))
        for n, site in enumerate((road.ORIGIN, road.DESTINATION))
    ]
    tokens = [list(catalog.token(n)) for n in range(2)]
    night = list(skynet.night(BEGIN, chance))
    yield from interleaved([*sites, *registering, *tokens, *units, *grouped, night], chance, at_once=10)


def interleaved(
    histories: Sequence[Sequence[Step]], chance: random.Random, *, at_once: int
) -> Iterator[Step]:
    """All steps, each history in its own order, `at_once` histories at a time."""
    waiting = [iter(history) for history in histories]
    waiting.reverse()
    active = [waiting.pop() for _ in range(min(at_once, len(waiting)))]
    while active:
        chosen = chance.randrange(len(active))
        step = next(active[chosen], None)
        if step is not None:
            yield step
        elif waiting:
            active[chosen] = waiting.pop()
        else:
            active.pop(chosen)


def log(steps: Iterator[Step], seed: int = 0, *, repeats: float = 0.0) -> list[Happening]:
    """The steps as they stand in the sites' streams, in the order in which they happened.

    Args:
        steps: From above.
        seed: For times and repeats.
        repeats: The chance that, after a step, an earlier event of the same site is stored once more.
    """
    chance = random.Random(seed)  # noqa: S311 - plausible, not secret
    told: dict[str, list[Happening]] = {road.ORIGIN: [], road.DESTINATION: []}
    found: list[Happening] = []
    now = BEGIN
    for site, event in steps:
        now += timedelta(milliseconds=chance.randrange(1, 500))
        # Services stamp on their own: times need not follow the order in the stream.
        said = now + timedelta(milliseconds=chance.randrange(-200, 200))
        envelope = Envelope.of(event, site=site, service="history", time=said, causation_id="cause")
        found.append(_stored(told[site], Happening(events_stream(site), 0, envelope, event)))
        if told[site] and chance.random() < repeats:
            found.append(_stored(told[site], chance.choice(told[site])))
    return found


def _stored(stream: list[Happening], happening: Happening) -> Happening:
    stored = happening._replace(sequence=len(stream) + 1)
    stream.append(stored)
    return stored


def _eventful(observation: Observation, chance: random.Random) -> Iterator[Step]:
    yield from _until_scanned(observation, chance)
    while _now_and_then(chance):
        yield from _refused(observation, chance)
        observation = replace(observation, plan=observation.plan + 1)
    if _now_and_then(chance):
        return
    yield from road.packing(observation)
    while _now_and_then(chance):
        fail = chance.choice((mishaps.failed_travel, mishaps.corrupted_travel))
        yield from fail(observation)
        observation = replace(observation, attempt=observation.attempt + 1)
    yield from road.travel(observation)
    yield from _at_destination(observation, chance)


def _until_scanned(observation: Observation, chance: random.Random) -> Iterator[Step]:
    if _now_and_then(chance):
        yield mishaps.unfiled(observation, filed_later=_now_and_then(chance))
    yield from road.filing(observation)
    if _now_and_then(chance):
        yield mishaps.missing(observation)
    yield from road.scan(observation)
    if _now_and_then(chance):
        yield mishaps.not_rendered(observation, chance.choice(("not_an_image", "renderer_crashed")))
    if _now_and_then(chance):
        yield road.ORIGIN, road.pictures(observation)


def _at_destination(observation: Observation, chance: random.Random) -> Iterator[Step]:
    if _now_and_then(chance):
        yield mishaps.forwarded(observation)
    yield road.DESTINATION, road.verified(observation)
    yield road.DESTINATION, road.received(observation)
    yield road.DESTINATION, road.archived(observation)
    if _now_and_then(chance):
        yield from mishaps.staging(observation, fails=_now_and_then(chance))
    if _now_and_then(chance):
        yield from mishaps.keeping(observation)
    if _now_and_then(chance):
        yield road.ORIGIN, road.source_cleared(observation)
    if _now_and_then(chance):
        yield mishaps.repaired_by_relay(observation)
    for some in (
        care.holding(observation),
        care.clearing(observation),
        care.scrubbing(observation, mended=_now_and_then(chance)),
        care.burial(observation, dropped=_now_and_then(chance)),
    ):
        if _now_and_then(chance):
            yield from some


def _now_and_then(chance: random.Random) -> bool:
    return chance.random() < CHANCE


def _refused(observation: Observation, chance: random.Random) -> Iterator[Step]:
    code = chance.choice(("file_changed", "file_unreadable", "checksum_mismatch"))
    steps = list(mishaps.refusal(observation, code))
    yield from steps
    after = steps[2][1].event_id(road.ORIGIN)
    if code == "checksum_mismatch":
        again = road.filed(observation, declared=road.digest(observation.plan), after=after)
        yield road.ORIGIN, again
        after = again.event_id(road.ORIGIN)
    found_as = observation.plan if code == "file_changed" else 0
    yield from road.scan(observation, mtime_ns=1_790_000_000_000_000_000 + found_as, after=after)
