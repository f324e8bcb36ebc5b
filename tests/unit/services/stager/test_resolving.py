from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.staging import Selection
from contracts.states import FileState, ObservationState, PackageState
from libs.errors import Permanent, Retriable
from services.stager.resolving import Catalogue, KnownFile, KnownPackage, KnownUnit, resolve

UNIT, OTHER = UUID(int=1), UUID(int=2)
SHA = "ab" * 32


def unit(
    id_: UUID = UNIT, state: ObservationState | None = ObservationState.FINISHED, awaited: int = 0
) -> KnownUnit:
    return KnownUnit(id_, state, awaited)


def package(
    number: int, state: PackageState | None = PackageState.ARCHIVED, unit_id: UUID | None = UNIT
) -> KnownPackage:
    return KnownPackage(UUID(int=100 + number), unit_id, state, f"p{number}.tar", 1000, SHA, 900)


def file(
    number: int, package_number: int | None = 1, state: FileState | None = FileState.PACKAGED
) -> KnownFile:
    inside = None if package_number is None else UUID(int=100 + package_number)
    return KnownFile(UUID(int=1000 + number), f"camera/f{number}", 10, state, inside)


def known(*things: KnownUnit | KnownPackage | KnownFile) -> Catalogue:
    return Catalogue(
        units={one.id: one for one in things if isinstance(one, KnownUnit)},
        packages={one.id: one for one in things if isinstance(one, KnownPackage)},
        files={one.id: one for one in things if isinstance(one, KnownFile)},
    )


def test_an_observation_is_all_its_packages_but_the_abandoned() -> None:
    things = known(unit(), package(2), package(1), package(3, PackageState.ABANDONED))
    wanted = resolve(Selection(executed_obs_unit_ids=(UNIT,)), things)
    assert [(one.name, one.paths, one.payload_bytes) for one in wanted] == [
        ("p1.tar", None, 900),
        ("p2.tar", None, 900),
    ]


def test_an_observation_without_files_is_nothing_to_stage() -> None:
    aborted = unit(state=ObservationState.ABORTED)
    assert resolve(Selection(executed_obs_unit_ids=(UNIT,)), known(aborted)) == ()


def test_files_are_their_packages_with_only_these_paths() -> None:
    things = known(package(1), package(2), file(1), file(2), file(3, 2))
    wanted = resolve(Selection(file_ids=(file(1).id, file(2).id, file(3).id, file(1).id)), things)
    assert [(one.name, one.paths, one.payload_bytes) for one in wanted] == [
        ("p1.tar", frozenset({"camera/f1", "camera/f2"}), 20),
        ("p2.tar", frozenset({"camera/f3"}), 10),
    ]


def test_a_package_asked_for_as_a_whole_is_whole_whatever_else_is_asked_for() -> None:
    things = known(unit(), package(1), package(2, unit_id=OTHER), file(1), file(3, 2))
    selection = Selection(
        executed_obs_unit_ids=(UNIT,), package_ids=(package(2).id,), file_ids=(file(1).id, file(3).id)
    )
    assert [one.paths for one in resolve(selection, things)] == [None, None]


@pytest.mark.parametrize(
    ("selection", "named"),
    [
        (Selection(executed_obs_unit_ids=(OTHER,)), f"observation {OTHER}"),
        (Selection(package_ids=(OTHER,)), f"package {OTHER}"),
        (Selection(file_ids=(OTHER,)), f"file {OTHER}"),
        (Selection(file_ids=tuple(UUID(int=9000 + n) for n in range(9))), "and 4 more"),
    ],
)
def test_what_nobody_knows_can_never_be_staged(selection: Selection, named: str) -> None:
    with pytest.raises(Permanent) as raised:
        resolve(selection, known(unit(), package(1), file(1)))
    assert raised.value.problem.code == "unknown_selection"
    assert named in raised.value.problem.reason


def test_an_abandoned_plan_can_never_be_staged() -> None:
    with pytest.raises(Permanent, match="package_abandoned"):
        resolve(Selection(package_ids=(package(1).id,)), known(package(1, PackageState.ABANDONED)))


@pytest.mark.parametrize(
    "things",
    [
        known(unit(state=ObservationState.RUNNING), package(1)),
        known(unit(state=None), package(1)),
        known(unit(awaited=1), package(1)),
        known(unit(), package(1), package(2, PackageState.TRANSFERRING)),
        known(unit(), package(1, PackageState.FAILED)),
        known(unit(), package(1, None)),
    ],
)
def test_an_observation_is_waited_for_until_all_of_it_is_archived(things: Catalogue) -> None:
    with pytest.raises(Retriable, match="not_archived"):
        resolve(Selection(executed_obs_unit_ids=(UNIT,)), things)


@pytest.mark.parametrize(
    ("one", "inside"),
    [
        (file(1, None, FileState.FILED), package(1)),
        (file(1, 1, FileState.PLANNED), package(1)),
        (file(1, 1, None), package(1)),
        (file(1, 7), package(1)),
        (file(1), package(1, PackageState.WAITING)),
    ],
)
def test_a_file_is_waited_for_until_its_package_is_archived(one: KnownFile, inside: KnownPackage) -> None:
    with pytest.raises(Retriable, match="not_archived"):
        resolve(Selection(file_ids=(one.id,)), known(one, inside))


def test_an_archived_package_whose_sealing_is_not_known_yet_is_waited_for() -> None:
    stub = KnownPackage(UUID(int=101), None, PackageState.ARCHIVED, "p", 10, None, 5)
    with pytest.raises(Retriable, match="not_archived"):
        resolve(Selection(package_ids=(stub.id,)), known(stub))


@given(states=st.lists(st.sampled_from([None, *PackageState]), min_size=1, max_size=6))
def test_only_archived_packages_are_ever_recalled(states: list[PackageState | None]) -> None:
    packages = [package(number, state) for number, state in enumerate(states)]
    try:
        wanted = resolve(Selection(executed_obs_unit_ids=(UNIT,)), known(unit(), *packages))
    except Retriable:
        assert any(state not in {PackageState.ARCHIVED, PackageState.ABANDONED} for state in states)
    else:
        archived = {one.id for one in packages if one.state is PackageState.ARCHIVED}
        assert {one.package_id for one in wanted} == archived
