from dataclasses import replace
from uuid import uuid4

from services.scanner.watchlist import Wanted, Watched, Watchlist


def watched(path: str = "camera/n/a") -> Watched:
    return Watched(Wanted(uuid4(), uuid4(), "camera", "main", "disk", path), filed=0.0, sequence=1)


def test_it_is_found_by_path_folder_and_observation() -> None:
    entry, other = watched(), watched("camera/m/b")
    watchlist = Watchlist()
    watchlist.add(entry)
    watchlist.add(other)

    assert watchlist.at("disk", "camera/n/a") == [entry]
    assert watchlist.at("another", "camera/n/a") == []
    assert watchlist.below("disk", "camera/n") == [entry]
    assert len(watchlist.below("disk", "camera")) == 2
    assert watchlist.of_unit(other.wanted.unit_id) == [other]


def test_the_same_declaration_keeps_what_was_seen() -> None:
    entry = watched()
    watchlist = Watchlist()
    watchlist.add(entry)

    assert watchlist.add(replace(entry, filed=99.0)) is entry
    corrected = replace(entry, wanted=replace(entry.wanted, size=5))
    assert watchlist.add(corrected) is corrected
    assert not watchlist.holds(entry)
    watchlist.drop([entry])
    assert watchlist.holds(corrected)


def test_an_event_that_comes_again_late_takes_no_correction_back() -> None:
    entry = watched()
    corrected = replace(entry, wanted=replace(entry.wanted, size=5), sequence=2)
    watchlist = Watchlist()
    watchlist.add(entry)
    watchlist.add(corrected)

    assert watchlist.add(entry) is corrected
    assert watchlist.holds(corrected)


def test_nothing_is_left_of_what_is_dropped() -> None:
    entry = watched()
    watchlist = Watchlist()
    watchlist.add(entry)
    watchlist.drop([entry, entry])

    assert len(watchlist) == 0
    assert watchlist.at("disk", "camera/n/a") == watchlist.below("disk", "camera") == []
    assert entry.wanted.file_id not in watchlist
