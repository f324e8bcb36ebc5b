"""Whatever is told of associations, in any order and however often, the rows come out the same."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.associations import AssociationEvent
from contracts.envelope import Envelope
from libs.associations.association import Association, after
from libs.opsdb.projection.coalescing import coalesce
from libs.opsdb.projection.folding import fold
from libs.opsdb.projection.tables import ASN_MEMBERS
from tests.support.histories import associations

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
Told = tuple[Envelope, AssociationEvent]
Rows = dict[tuple[str, tuple[object, ...]], Mapping[str, object]]


def told(seed: int) -> list[Told]:
    """The events of an association, as one site or two tell them."""
    chance = Random(seed)  # noqa: S311 - plausible, not secret
    found = []
    for n, (site, event) in enumerate(associations.association(1, BEGIN, chance)):
        said = BEGIN + timedelta(seconds=n + chance.randrange(-3, 3))
        found.append((Envelope.of(event, site=site, service="history", time=said), event))
    return found  # type: ignore[return-value]  # a step's event is any event


def rows_of(events: Iterable[Told]) -> Rows:
    """What is written for these events, if they are folded as one batch."""
    coalesced = coalesce(change for envelope, event in events for change in fold(envelope, event))
    return {
        (table.name, key): row.values
        for table, waves in coalesced.items()
        for wave in waves.waves
        for key, row in wave.rows.items()
    }


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), chance=st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_rows(seed: int, chance: Random) -> None:
    events = told(seed)
    mixed = [*events, *chance.choices(events, k=5)]
    chance.shuffle(mixed)
    assert rows_of(mixed) == rows_of(events)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_the_rows_are_what_the_decisions_made_of_the_association(seed: int) -> None:
    known: dict[str, Association] = {}
    events = told(seed)
    for envelope, event in events:
        if isinstance(event, AssociationEvent):
            known[envelope.site] = after(known.get(envelope.site), event)
    if len(known) > 1:
        return  # of two sites' tellings the later turn counts, row by row
    [association] = known.values()
    rows = {key: row for (table, key), row in rows_of(events).items() if table == ASN_MEMBERS.name}
    told_rows = {
        (association.id, member.program_id, member.obset_id, member.member_num): (
            member.member_status,
            member.executed_obs_unit_id,
        )
        for member in association.exposures.values()
    }
    exposures = {key: row for key, row in rows.items() if len(str(key[3])) == 2}
    assert {
        key: (row["member_status"], row["executed_obs_unit_id"]) for key, row in exposures.items()
    } == told_rows
