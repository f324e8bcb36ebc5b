from dataclasses import replace
from uuid import uuid4

from services.scanner.handlers import still_wanted
from services.scanner.watchlist import Wanted


def test_a_late_repeat_looks_only_for_what_is_wanted_as_it_was_declared_then() -> None:
    def wanted(size: int | None) -> Wanted:
        return Wanted(uuid4(), uuid4(), "camera", "main", "disk", "camera/n/a", size)

    same, found, corrected = wanted(None), wanted(7), wanted(1001)
    known = [same, replace(corrected, size=1000)]

    assert still_wanted([same, found, corrected], known) == [same]
