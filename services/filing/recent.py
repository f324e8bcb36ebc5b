"""What is said of tasks, assets and cameras and ops-db has not applied yet. Each event tells the whole of its thing."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar
from uuid import UUID

from contracts.base import Event
from contracts.skynet.assets import AssetEvent
from contracts.skynet.cameras import CameraRegistered
from contracts.skynet.tasks import TaskEvent
from services.filing.logtail import Found

Told = TaskEvent | AssetEvent | CameraRegistered
E = TypeVar("E", bound=Told)


class Recent(Generic[E]):
    """Events about things of one kind, between the position of ops-db and the end of the log.

    Args:
        kind: What the events are; others are left out.
    """

    def __init__(self, kind: type[E]) -> None:
        self._kind = kind
        self._order: deque[tuple[int, UUID]] = deque()
        self._said: dict[UUID, deque[tuple[E, str | None]]] = defaultdict(deque)

    @property
    def held(self) -> int:
        """How many events there are."""
        return len(self._order)

    def take(self, found: Found) -> None:
        """Add an event; sequences rise."""
        if isinstance(found.event, self._kind):
            uid = uid_of(found.event)
            self._order.append((found.sequence, uid))
            self._said[uid].append((found.event, found.causation_id))

    def prune(self, position: int) -> None:
        """Forget what ops-db has applied up to `position`."""
        while self._order and self._order[0][0] <= position:
            _, uid = self._order.popleft()
            self._said[uid].popleft()
            if not self._said[uid]:
                del self._said[uid]

    def of(self, uid: UUID) -> Iterator[E]:
        """What is said of one thing."""
        return (event for event, _ in self._said.get(uid, ()))

    def caused(self, uid: UUID, request: UUID, kind: type[Event] | None = None) -> bool:
        """Whether a request led to something that is said of a thing, of one kind or of any."""
        return any(
            cause == str(request) and (kind is None or isinstance(event, kind))
            for event, cause in self._said.get(uid, ())
        )

    def numbered(self, number: int) -> dict[UUID, E]:
        """The newest event about each thing that has this number."""
        newest = ((uid, latest(None, self.of(uid))) for uid in self._said)
        return {uid: event for uid, event in newest if event is not None and number_of(event) == number}


def latest(known: E | None, said: Iterable[E]) -> E | None:
    """What counts of a thing: the event of the highest turn."""
    return max((event for event in (known, *said) if event is not None), key=turn_of, default=None)


def turn_of(event: Told) -> int:
    """Counts what was said of a thing."""
    return event.revision if isinstance(event, CameraRegistered) else event.turn


def uid_of(event: Told) -> UUID:
    """Of the thing that is told about."""
    return event.about()


def number_of(event: Told) -> int:
    """The network's number of the thing that is told about."""
    match event:
        case TaskEvent():
            return event.task.id
        case CameraRegistered():
            return event.camera.id
        case _:
            return event.asset.id
