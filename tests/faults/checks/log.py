"""The log: without gaps, readable to the last event, with everything that filing accepted; nobody behind it."""

import json
from collections import Counter

from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo

from contracts.observations import FilesFiled, ObservationFinished, ObservationStarted
from contracts.subjects import dead_stream, events_stream
from libs.bus.letters import PREFIX
from tests.faults.checks.world import World
from tests.faults.system import SITES


async def whole(world: World) -> list[str]:
    """No event is missing or unreadable, at its own site or in a mirror."""
    told = list(world.chronicle.unreadable)
    for site in SITES:
        own = (await _js(world, site).stream_info(events_stream(site))).state
        if (own.first_seq, own.messages) != (1, own.last_seq):
            told.append(
                f"the log of {site} has {own.messages} messages from {own.first_seq} to {own.last_seq}"
            )
        read = len(world.chronicle.entries[site]) + len(world.chronicle.unreadable)
        if world.chronicle.last[site] != own.last_seq or read < own.messages:
            told.append(f"of the log of {site}, {read} messages of {own.messages} were read")
        for other in (one for one in SITES if one != site):
            copy = (await _js(world, other).stream_info(events_stream(site))).state
            if (copy.messages, copy.last_seq) != (own.messages, own.last_seq):
                told.append(f"{other} mirrors {copy.messages} of the {own.messages} messages of {site}")
    return told


async def filed(world: World) -> list[str]:
    """What filing accepted is in the log: each start, each end, each file."""
    log, ledger = world.chronicle, world.ledger
    starts = {event.executed_obs_unit_id for event in log.of(ObservationStarted)}
    ends = {event.executed_obs_unit_id for event in log.of(ObservationFinished)}
    files = {file.file_id for event in log.of(FilesFiled) for file in event.files}
    finished = {unit for unit, observation in ledger.observations.items() if observation.finished}
    return [
        *(
            f"the start of {one} was accepted, but is not in the log"
            for one in ledger.observations.keys() - starts
        ),
        *(f"the end of {one} was accepted, but is not in the log" for one in finished - ends),
        *(f"file {one} was accepted, but is not in the log" for one in ledger.files.keys() - files),
    ]


async def letters(world: World) -> list[str]:
    """No dead letters but those that are expected."""
    found: list[tuple[str, str]] = []
    for site in SITES:
        js = _js(world, site)
        state = (await js.stream_info(dead_stream(site))).state
        for sequence in range(state.first_seq, state.last_seq + 1) if state.messages else ():
            headers = (await js.get_msg(dead_stream(site), sequence)).headers or {}
            problem = json.loads(headers.get(f"{PREFIX}problem", "{}"))
            found.append((str(problem.get("code")), f"{headers.get(f'{PREFIX}handler')}: {problem}"))
    codes = Counter(code for code, _ in found)
    expected = world.allowed.letters
    return [
        f"dead letter {words}"
        for code, words in found
        if codes[code] > expected.get(code, 0)
    ]  # fmt: skip


async def settled(world: World) -> list[str]:
    """Every handler has settled everything that it heard."""
    return [
        f"{info.name} on {events_stream(origin)}: {info.num_ack_pending} unsettled, {info.num_pending} unheard"
        for site in SITES
        for origin in SITES
        for info in await _consumers(_js(world, site), events_stream(origin))
        if info.num_pending or info.num_ack_pending
    ]


async def _consumers(js: JetStreamContext, stream: str) -> list[ConsumerInfo]:
    """The durable ones; readers' own come and go."""
    found: list[ConsumerInfo] = []
    while page := await js.consumers_info(stream, offset=len(found)):
        found += page
    return [info for info in found if info.config.durable_name]


def _js(world: World, site: str) -> JetStreamContext:
    return world.clients[site].jetstream(timeout=10)
