"""Faults that peers were found to have, and some of our own, planted into what decides.

A simulation that does not find them proves nothing by finding nothing else.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid5

from contracts.base import NAMESPACE, Event
from contracts.bundles import BundleSealed
from contracts.envelope import Envelope
from contracts.files import UnfiledFile
from contracts.packages import PackageRecord
from contracts.problems import Problem
from libs.bus.attempts import Attempts
from libs.bus.delivery import delivery_of
from libs.bus.guard import Guard
from libs.bus.leases import Seen
from libs.bus.letter_deciding import Decisions
from libs.bus.letters import Letter
from libs.bus.provision import consumer
from libs.bus.settling import SettlingMiddleware
from libs.bus.verdicts import Verdicts
from libs.copies.examining import Intact, Verdict
from libs.errors import Poison
from libs.opsdb.projection.changes import Change, Upsert
from libs.opsdb.projection.folding import FOLDS
from libs.opsdb.projection.folds.transfers import bundle_sealed
from libs.opsdb.projection.tables import RAW_DATA_PACKAGE
from libs.packaging import InspectedBag
from tests.simulation.active import world
from tests.simulation.chaos import SMOOTH, Fault, Mode, Settings
from tests.simulation.sites import Layout
from tests.simulation.storage import bags
from tests.simulation.storage.contents import Content, Tar, sha256_of


def only(*faults: Fault) -> Settings:
    """Every history has these kinds of faults, and no others."""
    return Settings({fault: Mode.ALWAYS if fault in faults else Mode.NEVER for fault in Fault})


@dataclass(frozen=True)
class Mutant:
    """A fault in what decides.

    Attributes:
        name: In words.
        planted: By name, what takes the place of the right code.
        finds: The number of the invariant that it breaks.
        settings: What goes wrong in the histories that find it.
        layout: The observatory; any if left out.
        within: Histories that must be enough to find it.
        first: The number of the first of them: one that is known to find it, so that the test is short.
        peers: Its number in the list of faults that peers were found to have; None for one of our own.
    """

    name: str
    planted: Mapping[str, Any]
    finds: str
    settings: Settings = field(default_factory=Settings)
    layout: Layout | None = None
    within: int = 40
    first: int = 0
    peers: int | None = None


# 1: used before it is verified, and 2: a mismatch that nobody minds


def _examined_by_nobody(*_: Any, **__: Any) -> Verdict:
    return Intact()


# 3: a checksum that ignores names


def _nameless_digest(content: Content) -> str:
    if not isinstance(content, Tar):
        return sha256_of(content)
    files = sorted(sha256_of(member.content) for member in content.members)
    return f"{content.name} {content.info} {files}"


def _inspected_without_names(
    content: Content, size: int, _expected_sha256: str | None, _expected_size: int | None
) -> InspectedBag:
    """A package is whole if it has every content that its manifest names, in whatever file."""
    if isinstance(content, Tar):
        manifest = sorted(member.sha256 for member in content.members)
        if manifest == sorted(sha256_of(member.content) for member in content.members):
            found = sha256_of(content)
            return InspectedBag(content.name, size, found, len(content.members), 0, bags._all_sealed(content))
    return _inspected(content, size, _expected_sha256, _expected_size)


_inspected = bags.inspected


# 4: staging areas are never cleaned


async def _clears_nothing(_self: Any) -> None:
    """Whatever is left stays."""


# 6: dropped after three failures; unreadable, and lost


async def _dropped_after_three(
    self: Verdicts, raw: Any, origin: Any, attempts: Attempts, claim: Any, error: BaseException
) -> None:
    if attempts.counted >= 3:
        await raw.term()
    else:
        await _failed(self, raw, origin, attempts, claim, error)


async def _unreadable_is_lost(
    self: Verdicts, raw: Any, origin: Any, attempts: Attempts, claim: Any, error: BaseException
) -> None:
    if isinstance(error, Poison):
        await raw.ack()
    else:
        await _failed(self, raw, origin, attempts, claim, error)


_failed = Verdicts.failed


# 7: claims and leases that never end


def _claimed_for_ever(*arguments: Any) -> Any:
    config = consumer(*arguments)
    config.ack_wait = 10.0**6
    return config


def _never_taken_over(seen: Seen, nonce: str, _now: float, **_: Any) -> bool:
    return seen.entry is None or seen.entry.nonce == nonce


# Our own: what would go wrong if the order or the identity of things were not kept


async def _acknowledged_first(self: SettlingMiddleware, call_next: Any, msg: Any) -> None:
    if self._poison is not None:
        raise self._poison
    with self.context.scope("delivery", delivery_of(self._origin, self._attempts)):
        events = await call_next(msg)
    await self.msg.ack()
    await self._verdicts.succeeded(self._origin, list(events or ()))


def _another_id_each_time(self: Event, site: str) -> UUID:
    return uuid5(NAMESPACE, f"{site} {self.type_name()} {world().loop.numbered()}")


async def _unguarded(self: Guard, event: Event, *, after: int, causation_id: str | None) -> int:
    del after
    return await self._publisher.publish([event], causation_id=causation_id)


def _one_is_enough(copies: Sequence[Any], _world: Any) -> bool:
    return bool(list(copies))


def _in_whatever_order(told: Envelope, event: BundleSealed) -> list[Change]:
    travels = {"data_transfer_package_id": event.bundle_id}
    rows = [((bundled.package.package_id,), travels) for bundled in event.packages]
    return [*bundle_sealed(told, event), Upsert(RAW_DATA_PACKAGE, rows)]


async def _notices_nothing(_self: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def _taken_away_before_it_is_sent(self: Decisions, letter: Letter) -> None:
    await self._take_away(letter)
    await _retry(self, letter)


_retry = Decisions.retry


# 5: a fault at one place that condemns what is whole, and 8: a scrub that reads no bytes


async def _never_answered(*_: Any) -> frozenset[UUID]:
    return frozenset()


async def _never_judged(*_: Any) -> None:
    """Nothing that was told before is remembered."""


async def _head_is_enough(store: Any, key: str, package: PackageRecord, **_: Any) -> Problem | None:
    facts = await store.head(key)
    if facts is not None and facts.size == package.size and facts.metadata["sha256"] == package.sha256:
        return None
    return Problem(code="archive_copy_missing", reason=f"{key} is another object", remedy="It is mended.")


async def _explains_nothing(_self: Any, found: Sequence[UnfiledFile]) -> list[UnfiledFile]:
    return list(found)


MUTANTS = (
    Mutant(
        "what arrives is called whole before it was read",
        {"services.verifier.reading.examine": _examined_by_nobody},
        finds="5",
        settings=only(Fault.BIT_ROT),
        peers=2,
        first=3,
    ),
    Mutant(
        "a checksum ignores the names of files",
        {
            "tests.simulation.storage.contents.tar_words": _nameless_digest,
            "tests.simulation.storage.bags.inspected": _inspected_without_names,
        },
        finds="5",
        settings=only(Fault.BIT_ROT),
        peers=3,
        first=8,
    ),
    Mutant(
        "damaged arrivals are kept for ever",
        {"services.verifier.clearing.Clearer.clear": _clears_nothing},
        finds="something never comes to its end",
        settings=only(Fault.BIT_ROT),
        layout=Layout.PLAIN,
        peers=4,
        first=5,
    ),
    Mutant(
        "folders of staging jobs are kept for ever",
        {"services.janitor.folders.remove": lambda *_: None},
        finds="something never comes to its end",
        settings=SMOOTH,
        layout=Layout.ALONE,
        peers=4,
        first=1,
    ),
    Mutant(
        "a message is dropped after three failures",
        {"libs.bus.verdicts.Verdicts.failed": _dropped_after_three},
        finds="6",
        settings=only(Fault.OPSDB_OUTAGES, Fault.LOST_DISKS),
        peers=6,
        first=4,
    ),
    Mutant(
        "a message that cannot be read is acknowledged",
        {"libs.bus.verdicts.Verdicts.failed": _unreadable_is_lost},
        finds="6",
        settings=only(Fault.POISON),
        peers=6,
        first=3,
    ),
    Mutant(
        "a claim has no end",
        {"tests.simulation.bus.server.consumer": _claimed_for_ever},
        finds="7",
        peers=7,
        first=1,
    ),
    Mutant(
        "a lease stays with a dead process",
        {"libs.bus.leases.may_take": _never_taken_over},
        finds="something never comes to its end",
        settings=only(Fault.KILLS),
        layout=Layout.ALONE,
        peers=7,
        first=5,
    ),
    Mutant(
        "a message is acknowledged before its events are stored",
        {"libs.bus.settling.SettlingMiddleware.consume_scope": _acknowledged_first},
        finds="1",
        first=1,
    ),
    Mutant(
        "an event that is said again has another id",
        {"contracts.base.Event.event_id": _another_id_each_time},
        finds="2",
        settings=only(Fault.LOST_REPLIES, Fault.LOST_ACKS, Fault.REPEATS),
    ),
    Mutant(
        "decisions are stored without a look at what was decided meanwhile",
        {"libs.bus.guard.Guard.publish": _unguarded},
        finds="2",
        settings=only(Fault.SLOWNESS, Fault.LOST_ACKS),
        layout=Layout.PLAIN,
        within=100,
        first=177,
    ),
    Mutant(
        "one archive copy is enough where two are wanted",
        {"services.janitor.evidence._suffice": _one_is_enough},
        finds="4",
        settings=only(Fault.ARCHIVE_OUTAGES, Fault.ARCHIVE_ERRORS),
        layout=Layout.TWO_ARCHIVES,
    ),
    Mutant(
        "which of two bundles counts depends on the order in which they are heard of",
        {"libs.opsdb.projection.folding.FOLDS": {**FOLDS, BundleSealed: _in_whatever_order}},
        finds="3",
        settings=only(Fault.BIT_ROT),
        layout=Layout.RELAY,
        within=100,
        first=19,
    ),
    Mutant(
        "a projector at rest does not notice that its database has lost commits",
        {"tests.simulation.opsdb.database.SimulatedWriter.lost": _notices_nothing},
        finds="something never comes to its end",
        settings=only(Fault.OPSDB_OUTAGES),
        within=100,
        first=15,
    ),
    Mutant(
        "what comes again after it was cleared is condemned",
        {
            "libs.service.hindsight.Hindsight.answered": _never_answered,
            "services.verifier.remembering.Memory.verdict_of": _never_judged,
        },
        finds="evidence",
        settings=only(Fault.SECOND_THOUGHTS),
        within=100,
        peers=5,
        first=57,
    ),
    Mutant(
        "a disk that is away condemns what was on it",
        {"libs.copies.examining.require_location": lambda *_: None},
        finds="evidence",
        settings=only(Fault.LOST_DISKS),
        within=20,
        peers=5,
        first=116,
    ),
    Mutant(
        "a scrub compares what the server says of an object",
        {"libs.copies.archived.examine_object": _head_is_enough},
        finds="something never comes to its end",
        settings=only(Fault.ARCHIVE_ROT),
        layout=Layout.TWO_ARCHIVES,
        within=30,
        peers=8,
    ),
    Mutant(
        "what was staged is not read again before its job is complete",
        {"services.stager.staging.prove": lambda *_: None},
        finds="5",
        settings=only(Fault.STAGED_ROT),
        layout=Layout.ALONE,
    ),
    Mutant(
        "what a killed stager had placed is taken for somebody's work when it has rotted",
        {"services.stager.staging.judge_conflict": lambda _folder, conflict, _stop: conflict},
        finds="5",
        settings=replace(only(Fault.STAGED_ROT), kill_at=197),
        layout=Layout.ALONE,
        within=1,
        first=11,
    ),
    Mutant(
        "a letter is taken away before its message is sent again",
        {"libs.bus.letter_deciding.Decisions.retry": _taken_away_before_it_is_sent},
        finds="6",
        settings=only(Fault.SECOND_THOUGHTS, Fault.POISON),
        within=100,
        peers=6,
        first=6,
    ),
    Mutant(
        "nobody is told that a file stands again where it was cleared",
        {"services.scanner.unfiled.UnfiledSweep._explained": _explains_nothing},
        finds="something never comes to its end",
        settings=only(Fault.RESTLESS_FILES),
        layout=Layout.ALONE,
        within=150,
        first=17,
    ),
)
"""Each must be found; see tests/unit/simulation/test_simulation.py."""
