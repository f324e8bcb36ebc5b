"""``chasqui association plan``, ``collect``, ``reopen`` and ``made``: what operators decide."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.text import Text

from commands.associations.desk import Desk, after, me, opened, owning, planning_place, read_name, unknown
from commands.associations.showing import render
from contracts.association_ids import ExposureName, ProductId
from contracts.association_states import AssociationOrigin, CollectionReason
from contracts.associations import AssociationEvent, ExposureMember, ProductMember
from libs.associations import deciding
from libs.associations.association import Association
from libs.associations.association import after as made_of
from libs.associations.planning import PRODUCT, Plan
from libs.associations.planning import plan as begin
from libs.associations.saying import World
from libs.errors import UserError
from libs.sites.workdir import Workdir

EXPOSURE = "EXP"

_DATASET = "SELECT state::text FROM raw_data_file WHERE id = $1"

Decision = Callable[[Association], AssociationEvent | None]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command does what it does.

    Attributes:
        dry_run: Say what would be done, and do nothing.
    """

    dry_run: bool
    as_json: bool
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An association as somebody typed it.

    Attributes:
        exposures: Names of exposures, each with its role after a colon if it is not EXP.
        products: Ids of products, likewise.
        expected: How many exposures it will have, if these are not all.
        within: How long it waits.
    """

    name: str
    exposures: tuple[str, ...]
    products: tuple[str, ...]
    expected: int | None
    within: str | None


async def plan(workdir: Workdir, listed: Listed, manner: Manner, console: Console | None = None) -> int:
    """Plan an association of listed members.

    Returns:
        0.

    Raises:
        UserError: ``association_exists``, ``exposure_invalid``, ``product_invalid``, or what the plan is refused for.
        Retriable: The site's servers are away.
    """
    name = read_name(listed.name)
    async with opened(planning_place(workdir, manner.site)) as desk:
        wanted = Plan(
            association_id=name,
            origin=AssociationOrigin.OPERATOR,
            exposures=tuple(exposure_of(name, text) for text in listed.exposures),
            products=tuple(product_of(text) for text in listed.products),
            expected=max(listed.expected or 0, len(listed.exposures)) or None,
            deadline=after(listed.within, desk.deadline),
        )
        await begun(desk, wanted, "an operator listed its members", manner, console)
    return 0


async def begun(desk: Desk, wanted: Plan, reason: str, manner: Manner, console: Console | None) -> None:
    """Begin an association, or say what it would be.

    Raises:
        UserError: ``association_exists``, or what the plan is refused for.
    """

    def decide(world: World) -> AssociationEvent:
        if world.known is not None:
            raise UserError(
                "association_exists",
                f"{wanted.association_id} was planned before",
                "Look at it: chasqui association show; take another number in its observation set.",
            )
        return begin(wanted, me(reason))

    await _done(desk, wanted.association_id, decide, manner, console)


async def collect(workdir: Workdir, name: str, manner: Manner, console: Console | None = None) -> int:
    """Collect an association now, with what is there.

    Returns:
        0.

    Raises:
        UserError: ``not_open``, or ``no_exposures`` if none is there: nothing is changed then.
        Retriable: The site's servers are away.
    """

    def decide(known: Association) -> AssociationEvent:
        event = deciding.collect(known, CollectionReason.FORCED, me("forced"))
        if not known.here:
            raise UserError(
                "no_exposures",
                f"none of the {len(known.exposures)} exposures of {known.id} is there",
                f"Wait for one; see what it waits for: chasqui explain {known.id}.",
            )
        return event

    wanted = read_name(name)
    async with owning(workdir, wanted, manner.site) as desk:
        return await _decided(desk, wanted, decide, manner, console)


async def reopen(
    workdir: Workdir,
    name: str,
    reason: str,
    within: str | None,
    manner: Manner,
    console: Console | None = None,
) -> int:
    """Begin a new revision of an association, with the exposures that came too late.

    Returns:
        0.

    Raises:
        UserError: ``not_collected``, ``reason_missing``.
        Retriable: The site's servers are away.
    """
    if not reason.strip():
        raise UserError("reason_missing", "it is reopened for no reason", "Say why: --reason.")
    wanted = read_name(name)
    async with owning(workdir, wanted, manner.site) as desk:
        deadline = after(within, desk.deadline)
        return await _decided(
            desk, wanted, lambda known: deciding.reopen(known, me(reason), deadline), manner, console
        )


async def made(
    workdir: Workdir, name: str, product: str, file: str, manner: Manner, console: Console | None = None
) -> int:
    """Say that the data set of a product is there: a file that was filed and is in a sealed package.

    Returns:
        0.

    Raises:
        UserError: ``product_unknown``, ``product_invalid``, ``id_invalid``, ``data_set_not_there``.
        Retriable: The site's servers are away.
    """
    from commands.explain import read_id

    dataset, one, wanted = read_id(file), product_of(product).product_id, read_name(name)
    async with owning(workdir, wanted, manner.site) as desk:
        await _require_dataset(desk, dataset)
        return await _decided(
            desk, wanted, lambda known: deciding.make(known, one, dataset, me("made")), manner, console
        )


async def _require_dataset(desk: Desk, dataset: UUID) -> None:
    state = await desk.sight.opsdb.fetchval(_DATASET, dataset)
    if state != "packaged":
        raise UserError(
            "data_set_not_there",
            f"file {dataset} is {state or 'not known'}: a product counts once its data set is in a sealed package",
            "File it, and wait until it is packaged: chasqui file.",
        )


async def _decided(desk: Desk, name: str, decide: Decision, manner: Manner, console: Console | None) -> int:
    def of_world(world: World) -> AssociationEvent | None:
        if world.known is None:
            raise unknown(name)
        return decide(world.known)

    await _done(desk, name, of_world, manner, console)
    return 0


async def _done(
    desk: Desk,
    name: str,
    decide: Callable[[World], AssociationEvent | None],
    manner: Manner,
    console: Console | None,
) -> None:
    """Decide, or show what would be decided."""
    world = await desk.associations.look(name)
    event = decide(world) if manner.dry_run else await desk.associations.say(name, decide)
    tell(world.known, event, manner, console or Console())


def tell(
    before: Association | None, event: AssociationEvent | None, manner: Manner, console: Console
) -> None:
    """What was decided, or would be."""
    if manner.as_json:
        said = None if event is None else event.fact
        told = {"fact": said, "dry_run": manner.dry_run}
        if event is not None:
            told["event"] = json.loads(event.model_dump_json())
        print(json.dumps(told))
    elif event is None:
        console.print(Text("nothing is to be said: it is so already"))
    else:
        if manner.dry_run:
            console.print(Text("this would be said, and was not:", "yellow"))
        console.print(render(made_of(before, event)))


def exposure_of(association: str, text: str) -> ExposureMember:
    """An exposure as somebody typed it: J8C0A1Q1, or J8C0A1Q1:EXP-DTH.

    Raises:
        UserError: ``exposure_invalid``.
    """
    name, _, kind = text.partition(":")
    try:
        named = TypeAdapter(ExposureName).validate_python(name)
        if named[0] != association[0]:
            raise UserError(
                "exposure_invalid",
                f"{named} is of another instrument than {association}",
                "Name exposures of the association's instrument.",
            )
        return ExposureMember(
            program_id=named[1:4], obset_id=named[4:6], member_num=named[6:], member_type=kind or EXPOSURE
        )
    except ValidationError as error:
        raise UserError(
            "exposure_invalid",
            f"{text[:80]!r} is no exposure",
            "Write IPPPSSOO, in base 36, and its role after a colon: J8C0A1Q1:EXP-DTH.",
        ) from error


def product_of(text: str) -> ProductMember:
    """A product as somebody typed it: 0, or 0:PROD-DTH.

    Raises:
        UserError: ``product_invalid``.
    """
    name, _, kind = text.partition(":")
    try:
        return ProductMember(
            product_id=TypeAdapter(ProductId).validate_python(name), member_type=kind or PRODUCT
        )
    except ValidationError as error:
        raise UserError(
            "product_invalid",
            f"{text[:80]!r} is no product",
            "Write the last character of its name, and its role after a colon: 0:PROD-DTH.",
        ) from error
