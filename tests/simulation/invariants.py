"""The invariants of docs/architecture.md, each looked at after every step that could break it.

They know nothing of how the services decide: they hold what is stored and what lies on the disks against what
the instruments wrote.
"""

from collections.abc import Callable, Iterator
from uuid import UUID

from contracts.base import Event
from contracts.bundles import BundleSealed, SealReason
from contracts.copies import CopyDeleted, DeletionRefused
from contracts.files import FilesMissing, FilesPackaged, FilesRefused
from contracts.letters import LetterDropped, LetterSettled
from contracts.observations import FilesFiled
from contracts.packages import PackageArchived, PackageCorrupted, PackageSealed, PackageVerified
from contracts.staging import StagingCompleted, StagingFailed, StagingReleased
from contracts.states import LocationType
from contracts.subjects import dead_stream, replay_stream
from contracts.transfers import TransferCompleted
from tests.simulation.bus.consumers import Settled
from tests.simulation.bus.deliveries import SimulatedMessage
from tests.simulation.notes import Notes
from tests.simulation.opsdb.database import Commit
from tests.simulation.opsdb.tables import difference, fold_singly
from tests.simulation.storage.archive import Archive
from tests.simulation.storage.contents import Member, Tar, sha256_of
from tests.simulation.storage.disk import Disk, Node
from tests.simulation.story.truth import Truth
from tests.simulation.world import Step, World

LONGEST_CLAIM_S = 120.0
"""No claim, and no pause before another try, is longer."""

FRESH_S = 90.0
"""Damage that is younger may have come after the bytes were read."""

TOLD_OTHERWISE: dict[type[Event], frozenset[str]] = {
    TransferCompleted: frozenset({"seconds"}),
    CopyDeleted: frozenset({"deleted_at"}),
    DeletionRefused: frozenset({"refusals"}),
    PackageArchived: frozenset({"proof", "buffer", "buffer_path"}),
    PackageCorrupted: frozenset({"problems"}),
    StagingCompleted: frozenset({"expires_at"}),
    StagingFailed: frozenset({"problem"}),
    FilesMissing: frozenset({"files"}),
    FilesRefused: frozenset({"files"}),
}
"""What a repeat of an event may tell otherwise: measured times and words. Its identity covers the rest."""


class Violated(Exception):
    """An invariant does not hold."""


class Inspector:
    """Looks at every step.

    Args:
        world: What is looked at.
        truth: What it is held against.

    Attributes:
        broken: The first thing found broken.
    """

    def __init__(self, world: World, truth: Truth) -> None:
        self.world = world
        self.truth = truth
        self.broken: Violated | None = None
        self.notes = Notes()
        world.watchers.append(self.look)

    def look(self, step: Step) -> None:
        """Ask every invariant that this kind of step could break."""
        if self.broken is not None:
            return
        self.notes.take(step)
        try:
            for invariant in INVARIANTS.get(step.kind, ()):
                invariant(self, step)
        except Violated as violation:
            self.broken = violation
            self.world.loop.halted = True

    def holders(self, member: Member) -> Iterator[Archive]:
        """The archives that hold a file as it is, at this moment."""
        for archive in self.world.archives.values():
            tars = [one.content for one in archive.objects.values() if isinstance(one.content, Tar)]
            if any(_holds(tar, member) for tar in tars):
                yield archive

    def copies_wanted(self, disk: Disk) -> int:
        """How many archive copies the policy of a location wants before anything goes from it."""
        return self.world.deployment.disk(disk.location).retention.archive_copies

    def freshly_damaged(self, location: str, path: str) -> bool:
        """Whether bytes there were changed so lately that whoever read them may not have seen it."""
        at = self.truth.damaged.get((location, path))
        return at is not None and self.world.loop.now - at < FRESH_S


def _holds(tar: Tar, member: Member) -> bool:
    return any(
        (one.path, one.content, one.size, one.mtime_ns)
        == (member.path, member.content, member.size, member.mtime_ns)
        for one in tar.members
    )


def require(condition: object, number: str, what: str) -> None:
    """Raise `Violated` unless a condition holds."""
    if not condition:
        raise Violated(f"{number}: {what}")


# 1


def invariant_1_acknowledged_only_after_its_events_are_stored(inspector: Inspector, step: Step) -> None:
    """An input is acknowledged only after every event it causes is stored."""
    message: SimulatedMessage = step.what
    if step.facts[1] != Settled.ACKNOWLEDGED.value:
        return
    site = message.site
    for event in message.causes or ():
        known = inspector.notes.is_stored(site, event)
        require(known, "1", f"{message} is acknowledged, {type(event).__name__} of it is not stored")


# 2


def invariant_2_a_repeat_says_the_same(inspector: Inspector, step: Step) -> None:
    """The same input twice gives the same events."""
    event, first = inspector.notes.last, inspector.notes.first_of_last
    if event is None or first is None:
        return
    apart = set(TOLD_OTHERWISE.get(type(event), ()))
    same = event.model_dump(exclude=apart) == first.model_dump(exclude=apart)
    require(same, "2", f"{step.facts[0]}:{step.facts[1]} repeats {type(event).__name__} with another content")


def invariant_2_what_is_the_same_has_the_same_id(inspector: Inspector, step: Step) -> None:
    """A repeat is recognised by its id."""
    notes = inspector.notes
    if notes.last is not None:
        same = notes.id_of_last == notes.id_before
        require(
            same,
            "2",
            f"{type(notes.last).__name__} of {step.facts[0]}:{step.facts[1]} was stored under another id",
        )


def invariant_2_nothing_has_a_second_effect(inspector: Inspector, step: Step) -> None:
    """No file is in two packages, no package in two bundles or sealed as two, no file filed as new twice."""
    notes, event = inspector.notes, inspector.notes.last
    if notes.first_of_last is not None:
        return
    match event:
        case FilesFiled(after=None):
            for file in event.files:
                once = notes.once("filed", file.file_id, step.facts[1])
                require(once, "2", f"{file.path} is filed as new twice")
        case FilesPackaged():
            for packaged in event.files:
                once = notes.once("packaged", packaged.file_id, event.package_id)
                require(once, "2", f"file {packaged.file_id} is in two packages")
        case PackageSealed(package=package):
            once = notes.once("sealed", package.package_id, package.sha256)
            require(once, "2", f"{package.name} is sealed twice, with other bytes")
        case BundleSealed() if event.reason is not SealReason.REPAIR:
            for bundled in event.packages:
                once = notes.once("bundled", bundled.package.package_id, event.bundle_id)
                require(once, "2", f"{bundled.package.name} is in two bundles")
        case _:
            pass


def invariant_2_archives_are_written_once(inspector: Inspector, step: Step) -> None:
    """An archive's object is written over only by the same bytes, or where it was damaged."""
    archive, key = step.what
    digest = sha256_of(archive.objects[key].content)
    once = inspector.notes.once(f"archived {archive.location}", key, digest)
    require(once, "2", f"{key} in {archive.location} is written over with other bytes")


# 3


def invariant_3_opsdb_is_the_fold_of_the_log(_inspector: Inspector, step: Step) -> None:
    """A batch leaves the tables as its events do, one after the other; a batch of one does by definition."""
    commit: Commit = step.what
    if commit.before is None:
        return
    fold_singly(commit.before, commit.batch.happenings)
    for table, key in commit.tables.touched | commit.before.touched:
        live, folded = commit.tables[table].get(key), commit.before[table].get(key)
        require(
            live == folded,
            "3",
            f"{commit.site}: {table} {key}: the log differs: {difference(live, folded)}",
        )


# 4


def invariant_4_nothing_is_deleted_unless_it_may(inspector: Inspector, step: Step) -> None:
    """What goes is proven to be in as many archives as the policy wants, and still is in one of them."""
    disk, path, node = step.what
    kind = inspector.world.deployment.disk(disk.location).type
    if kind is LocationType.SOURCE:
        _require_archived(inspector, disk, path, Member(path, node.size, node.mtime_ns, node.content, "", 0))
    elif kind is LocationType.BUFFER and path.startswith("packages/") and "/." not in path:
        _require_package_archived(inspector, disk, path, node)


def _require_archived(inspector: Inspector, disk: Disk, path: str, member: Member) -> None:
    proven = {
        location
        for location, tar in inspector.notes.proven
        if _holds(tar, member) and inspector.notes.still_there(inspector.world, location, tar)
    }
    wanted = inspector.copies_wanted(disk)
    require(
        len(proven) >= wanted,
        "4",
        f"{path} goes from {disk.location}: proven in {sorted(proven)}, {wanted} wanted",
    )
    require(
        any(inspector.holders(member)), "4", f"{path} goes from {disk.location}: it is in no archive any more"
    )


def _require_package_archived(inspector: Inspector, disk: Disk, path: str, node: Node) -> None:
    tar = inspector.notes.sealed_tar(path)
    require(tar is not None, "4", f"{path} goes from {disk.location}: nobody sealed it")
    if tar is not None:
        for member in tar.members:
            _require_archived(inspector, disk, f"{path}: {member.path} ({node.size} bytes)", member)


def invariant_4_staged_data_goes_when_given_back(inspector: Inspector, step: Step) -> None:
    """A staging job's folder goes once the job was released, has expired or failed."""
    _, job = step.what
    over = inspector.notes.said(StagingReleased, job) or inspector.notes.said(StagingFailed, job)
    require(over, "4", f"the folder of job {job} goes though nobody released it")


# 5


def invariant_5_what_is_said_to_be_whole_is_what_was_written(inspector: Inspector, step: Step) -> None:
    """Archived, verified and staged bytes are those of the instrument: names, contents, times."""
    event = inspector.notes.last
    match event:
        case PackageArchived(location=location, key=key):
            if not inspector.freshly_damaged(location, key):
                _require_written(inspector, inspector.world.archives[location].objects[key].content, key)
            inspector.notes.prove(inspector.world, event)
            require(
                event.sidecar_key in inspector.world.archives[location].objects, "5", f"{key} has no sidecar"
            )
        case PackageVerified(location=location, path=path):
            node = inspector.world.disks[location].nodes.get(path)
            if node is not None and not inspector.freshly_damaged(location, path):
                _require_written(inspector, node.content, path)
        case StagingCompleted():
            _require_staged(inspector, event)
        case _:
            pass


def _require_written(inspector: Inspector, content: object, where: str) -> None:
    require(isinstance(content, Tar), "5", f"{where} is damaged, and said to be whole")
    if isinstance(content, Tar):
        for member in content.members:
            written = inspector.truth.wrote(member.path, member.content, member.size, member.mtime_ns)
            require(written, "5", f"{where} has another {member.path} than its instrument wrote")


def _require_staged(inspector: Inspector, event: StagingCompleted) -> None:
    disk = inspector.world.disks[event.location]
    found = disk.below(event.folder)
    gone = inspector.notes.said(StagingReleased, event.job_id) and not found
    require(
        gone or len(found) == event.files, "5", f"job {event.job_id} has {len(found)} files of {event.files}"
    )
    for path in found:
        node = disk.nodes[path]
        own = path.removeprefix(f"{event.folder}/")
        written = inspector.truth.wrote(own, node.content, node.size, node.mtime_ns)
        require(written, "5", f"job {event.job_id}: {own} is not what its instrument wrote")


def invariant_5_no_job_ends_for_what_a_disk_did(inspector: Inspector, _step: Step) -> None:
    """Nobody but the stager works in a job's folder before it is complete: what is in its way is its own."""
    event = inspector.notes.last
    if isinstance(event, StagingFailed):
        require(
            event.problem.code != "destination_differs", "5", f"job {event.job_id}: {event.problem.reason}"
        )


def invariant_5_packages_hold_what_was_written(inspector: Inspector, step: Step) -> None:
    """A sealed package has what stood on the instrument's disk, each file under its own name."""
    disk, path = step.what, str(step.facts[1])
    node = disk.find(path)
    if node is not None and path.startswith("packages/") and inspector.notes.is_first(path):
        _require_written(inspector, node.content, path)
        inspector.notes.seal(path, node.content)


# 6


def invariant_6_nothing_vanishes(inspector: Inspector, step: Step) -> None:
    """A message leaves its consumer when it was handled, or when its letter is stored."""
    message: SimulatedMessage = step.what
    if step.facts[1] == Settled.ACKNOWLEDGED.value:
        require(message.causes is not None, "6", f"{message} is acknowledged though its handler failed")
        return
    letters = inspector.world.servers[message.site].streams[dead_stream(message.site)]
    known = any(message.is_in(letter) for letter in letters.messages)
    require(known, "6", f"{message} is given up without a dead letter")


def invariant_6_a_letter_goes_when_it_was_decided_about(inspector: Inspector, step: Step) -> None:
    """A letter is taken away once its message waits to be handled again, was handled, or was dropped with a word."""
    server, letter = step.what
    identity, burial = letter.headers["chasqui-dead-id"], letter.headers["chasqui-dead-burial"]
    again = server.streams[replay_stream(server.site)].messages
    sent = any(one.headers.get("Nats-Msg-Id") == f"retry:{identity}:{burial}" for one in again)
    over = any(inspector.notes.said(kind, UUID(identity)) for kind in (LetterDropped, LetterSettled))
    require(sent or over, "6", f"letter {identity} is gone, and nobody has its message")


def invariant_6_nothing_is_retried_for_ever(inspector: Inspector, step: Step) -> None:
    """A message is delivered so often, and not more."""
    limit = 7000
    require(int(str(step.facts[1])) <= limit, "6", f"{step.facts[0]} was delivered {step.facts[1]} times")


# 7


def invariant_7_every_claim_expires(inspector: Inspector, step: Step) -> None:
    """Whatever is in somebody's hand comes back by itself."""
    now, consumer = inspector.world.loop.now, step.what.consumer
    for sequence, pending in consumer.pending.items():
        left = pending.due - now
        if left > LONGEST_CLAIM_S:
            raise Violated(f"7: {consumer.name}:{sequence} is {pending.holder}'s for {left:.0f} s")


# Evidence


def invariant_copies_are_condemned_on_evidence(inspector: Inspector, step: Step) -> None:
    """A copy is declared damaged only on what was read of it, or because it is not there on a disk that is."""
    event = inspector.notes.last
    if isinstance(event, PackageCorrupted):
        [path] = [
            moved.path
            for moved in inspector.notes.arrivals[event.transfer_id]
            if moved.package.package_id == event.package.package_id
        ]
        known = (
            inspector.notes.was_bad(event.location, path) or (event.location, path) in inspector.truth.damaged
        )
        require(
            known, "evidence", f"{event.package.name} at {event.location} is called damaged, and never was"
        )


Invariant = Callable[[Inspector, Step], None]

INVARIANTS: dict[str, tuple[Invariant, ...]] = {
    "store": (
        invariant_2_a_repeat_says_the_same,
        invariant_2_what_is_the_same_has_the_same_id,
        invariant_2_nothing_has_a_second_effect,
        invariant_5_what_is_said_to_be_whole_is_what_was_written,
        invariant_5_no_job_ends_for_what_a_disk_did,
        invariant_copies_are_condemned_on_evidence,
    ),
    "settle": (
        invariant_1_acknowledged_only_after_its_events_are_stored,
        invariant_6_nothing_vanishes,
    ),
    "deliver": (invariant_6_nothing_is_retried_for_ever, invariant_7_every_claim_expires),
    "commit": (invariant_3_opsdb_is_the_fold_of_the_log,),
    "delete": (invariant_4_nothing_is_deleted_unless_it_may,),
    "take away": (invariant_6_a_letter_goes_when_it_was_decided_about,),
    "remove": (invariant_4_staged_data_goes_when_given_back,),
    "upload": (invariant_2_archives_are_written_once,),
    "file": (invariant_5_packages_hold_what_was_written,),
}
"""By kind of step, what it could break; invariant 8 and the end of everything are asked by `ending`."""
