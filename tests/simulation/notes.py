"""What the invariants remember of a history: everything that was said, sealed, proven and seen damaged."""

from typing import Any
from uuid import UUID

from contracts.base import Event
from contracts.packages import PackageArchived
from contracts.registry import REGISTRY, UnreadableEvent
from contracts.subjects import events_stream
from contracts.transfers import MovedPackage, TransferCompleted
from libs.bus.stored import StoredMessage
from tests.simulation.storage.contents import Content, Tar, sha256_of
from tests.simulation.world import Step, World


class Notes:
    """Taken of each step before it is looked at.

    Attributes:
        last: The event of the step; None if it stores none.
        first_of_last: The first event with its id, if it is a repeat.
        id_of_last: The id of that event, and `id_before` that under which it was stored first.
        proven: Archives and the packages that were proven to be in them.
        arrivals: By transfer, what it brought.
        damaged_on_the_way: Names of packages whose bytes were changed in transit.
    """

    def __init__(self) -> None:
        self.last: Event | None = None
        self.first_of_last: Event | None = None
        self.id_of_last: str | None = None
        self.id_before: str | None = None
        self.proven: list[tuple[str, Tar]] = []
        self.arrivals: dict[UUID, tuple[MovedPackage, ...]] = {}
        self.damaged_on_the_way: set[str] = set()
        self._events: dict[tuple[str, str], Event] = {}
        self._said: set[tuple[type[Event], object]] = set()
        self._once: dict[tuple[str, object], object] = {}
        self._sealed: dict[str, Tar] = {}
        self._bad: set[tuple[str, str]] = set()
        self._uploaded: dict[tuple[str, str], Content] = {}
        self._rotten: set[tuple[str, str]] = set()
        self._ids: dict[tuple[str, Identity], str] = {}

    def take(self, step: Step) -> None:
        """Remember what a step says."""
        self.last = self.first_of_last = None
        match step.kind:
            case "store":
                self._stored(step.what)
            case "file" | "rot" if step.what is not None:
                self._seen(step)
            case "upload":
                archive, key = step.what
                self._uploaded[archive.location, key] = archive.objects[key].content
                self._rotten.discard((archive.location, key))
            case "rot":
                self._rotten.add((str(step.facts[0]), str(step.facts[1])))
            case "damaged":
                self.damaged_on_the_way.add(str(step.facts[0]))
            case _:
                pass

    def _stored(self, message: StoredMessage) -> None:
        event = _read(message)
        told = message.headers.get("ce-id")
        if event is None or told is None:
            return
        key = (message.stream, told)
        self.last = event
        self.id_of_last = key[1]
        self.first_of_last = self._events.get(key)
        self._events.setdefault(key, event)
        self._said.add((type(event), event.about()))
        self.id_before = self._ids.setdefault((message.stream, identity_of(event)), key[1])
        if isinstance(event, TransferCompleted):
            self.arrivals[event.transfer_id] = event.packages

    def _seen(self, step: Step) -> None:
        location, path = str(step.facts[0]), str(step.facts[1])
        node = step.what.nodes.get(path)
        sealed = self._sealed.get(path)
        if sealed is not None and (node is None or sha256_of(node.content) != sealed.digest):
            self._bad.add((location, path))

    def prove(self, world: World, event: PackageArchived) -> None:
        """An archive is said to have a package: as it was when that was proven, if its bytes changed before it was said."""
        there = event.location, event.key
        content = world.archives[event.location].objects[event.key].content
        if there in self._rotten:
            content = self._uploaded[there]
        if isinstance(content, Tar):
            self.proven.append((event.location, content))

    def still_there(self, world: World, location: str, tar: Tar) -> bool:
        """Whether an archive has an object of a package, whatever its bytes are by now."""
        return any(
            one.metadata.get("sha256") == tar.digest for one in world.archives[location].objects.values()
        )

    def is_stored(self, site: str, event: Event) -> bool:
        """Whether a site's stream has an event, under whatever id."""
        return (events_stream(site), identity_of(event)) in self._ids

    def said(self, kind: type[Event], about: object) -> bool:
        """Whether any site's stream has an event of a kind about something."""
        return (kind, about) in self._said

    def once(self, what: str, key: object, value: object) -> bool:
        """Whether something has not been said before with another value."""
        return self._once.setdefault((what, key), value) == value

    def is_first(self, path: str) -> bool:
        """Whether no package was sealed under a path yet."""
        return path not in self._sealed

    def seal(self, path: str, content: Any) -> None:
        """A package stands under its path for the first time."""
        self._sealed[path] = content

    def sealed_tar(self, path: str) -> Tar | None:
        """The package that was sealed under a path."""
        return self._sealed.get(path)

    def was_bad(self, location: str, path: str) -> bool:
        """Whether what stood there was ever damaged, or gone."""
        return (location, path) in self._bad


Identity = tuple[type[Event], tuple[object, ...]]


def identity_of(event: Event) -> Identity:
    """What an event derives from, whatever id somebody made of it."""
    return type(event), event.identity()


def _read(message: StoredMessage) -> Event | None:
    try:
        return REGISTRY.read("chasqui." + message.subject.split(".", 2)[2], message.data)
    except UnreadableEvent:
        return None
