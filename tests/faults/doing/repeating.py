"""The same said again: stored events a second time, handlers that hear everything from the beginning."""

from contracts.subjects import events_stream
from tests.faults.chronicle import Entry
from tests.faults.scenario import Scene
from tests.faults.system import SITES


async def say_again(scene: Scene, times: int) -> None:
    """Store events a second time, long after: without the message id by which the stream would know them."""
    entries = [entry for site in SITES for entry in scene.chronicle.entries[site]]
    chosen = scene.rng.choices(entries, k=times)
    for entry in chosen:
        await _stored_again(scene, entry)
    kinds = sorted({type(entry.event).__name__ for entry in chosen})
    scene.did(f"{times} events are said again: {', '.join(kinds)}")


async def _stored_again(scene: Scene, entry: Entry) -> None:
    js = scene.stage.world.clients[entry.site].jetstream(timeout=10)
    stream = events_stream(entry.site)
    raw = await js.get_msg(stream, entry.sequence)
    headers = {name: value for name, value in (raw.headers or {}).items() if not name.startswith("Nats-")}
    await js.publish(str(raw.subject), raw.data or b"", stream=stream, headers=headers)


async def hear_again(scene: Scene) -> None:
    """Let every handler hear every event from the first one on, in any order of handlers."""
    consumers = [
        (site, events_stream(origin), info.name)
        for site in SITES
        for origin in SITES
        for info in await scene.stage.world.clients[site]
        .jetstream(timeout=10)
        .consumers_info(events_stream(origin))
        if info.config.durable_name
    ]
    for site, stream, name in scene.rng.sample(consumers, len(consumers)):
        await scene.stage.world.clients[site].jetstream(timeout=10).reset_consumer(stream, name, seq=1)
    scene.did(f"{len(consumers)} consumers hear everything again")
