"""``chasqui dead retry`` and ``drop``: messages are handled again, or need not be."""

import getpass
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from rich.console import Console
from rich.text import Text

from commands.dead import Filters, Found, letters_at, named, print_json, table_of, told
from libs.bus.connection import connected
from libs.bus.letter_deciding import Decisions
from libs.bus.letters import Letter
from libs.errors import UserError
from libs.service.service import Place

Decide = Callable[[Decisions, Letter], Awaitable[None]]


class Doing(Enum):
    """Whether a command does what it says."""

    NOW = auto()
    """It does."""
    NOT_YET = auto()
    """It only says what it would do (``--dry-run``)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters somebody means.

    Attributes:
        names: Ids, or beginnings of them.
        filters: The options that choose letters.
        everything: Whether all of them were asked for, in so many words.
    """

    names: tuple[str, ...]
    filters: Filters
    everything: bool = False

    async def letters(self, places: Sequence[Place]) -> list[Found]:
        """The letters that are meant.

        Raises:
            UserError: ``nothing_chosen``, ``choice_unclear``, or what is wrong with a name or filter.
            Retriable: A site's server is away.
        """
        if not (self.names or self.filters.given or self.everything):
            raise UserError(
                "nothing_chosen",
                "it is not said which dead letters are meant",
                "Name them, choose them by filters such as --code, or say --all.",
            )
        if self.names and (self.filters.given or self.everything):
            raise UserError(
                "choice_unclear",
                "letters are chosen by their names and by filters",
                "Give names, or filters, but not both.",
            )
        found = await letters_at(places, self.filters.sought())
        if not self.names:
            return found
        chosen = {one.letter.id: one for one in (named(found, name) for name in self.names)}
        return list(chosen.values())


async def retry(
    places: Sequence[Place], choice: Choice, doing: Doing, *, as_json: bool, console: Console
) -> int:
    """Have messages handled again, each by the handler that gave it up.

    Returns:
        0; 1 if one of them could not be sent.

    Raises:
        UserError: The choice cannot be understood.
        Retriable: A site's server is away; repeat the command.
    """

    async def decide(decisions: Decisions, letter: Letter) -> None:
        await decisions.retry(letter)

    async def look(decisions: Decisions, letter: Letter) -> None:
        await decisions.require_retriable(letter)

    return await _each(
        await choice.letters(places),
        decide if doing is Doing.NOW else look,
        doing,
        words=("sent again", "would be sent again"),
        key="retried",
        as_json=as_json,
        console=console,
    )


async def drop(
    places: Sequence[Place], choice: Choice, doing: Doing, *, reason: str, as_json: bool, console: Console
) -> int:
    """Decide that messages need not be handled; the log keeps who decided it, and why.

    Returns:
        0.

    Raises:
        UserError: The choice cannot be understood, or ``reason_missing``.
        Retriable: A site's server is away; repeat the command.
    """
    if not reason.strip():
        raise UserError("reason_missing", "the reason is empty", "Say why: the log keeps it for ever.")

    async def decide(decisions: Decisions, letter: Letter) -> None:
        if doing is Doing.NOW:
            await decisions.drop(letter, reason)

    return await _each(
        await choice.letters(places),
        decide,
        doing,
        words=("dropped", "would be dropped"),
        key="dropped",
        as_json=as_json,
        console=console,
    )


async def _each(
    found: Sequence[Found],
    decide: Decide,
    doing: Doing,
    *,
    words: tuple[str, str],
    key: str,
    as_json: bool,
    console: Console,
) -> int:
    done: list[Found] = []
    refused: list[tuple[Found, UserError]] = []
    for place in {one.place.site: one.place for one in found}.values():
        async with connected(place.bus_address(), name=f"command@{place.site}") as client:
            decisions = Decisions(client, place.site, by=getpass.getuser())
            for one in (each for each in found if each.place.site == place.site):
                try:
                    await decide(decisions, one.letter)
                    done.append(one)
                except UserError as error:
                    refused.append((one, error))
    if as_json:
        _print_json(console, key, done, refused, doing)
    else:
        _print(console, words[doing is Doing.NOT_YET], done, refused)
    return 1 if refused else 0


def _print_json(
    console: Console,
    key: str,
    done: Sequence[Found],
    refused: Sequence[tuple[Found, UserError]],
    doing: Doing,
) -> None:
    print_json(
        console,
        {
            key: [told(one) for one in done],
            "refused": [{**told(one), "refusal": error.problem.model_dump()} for one, error in refused],
            "dry_run": doing is Doing.NOT_YET,
        },
    )


def _print(
    console: Console, words: str, done: Sequence[Found], refused: Sequence[tuple[Found, UserError]]
) -> None:
    if done:
        console.print(table_of(done))
    console.print(Text(f"{len(done)} letters {words}" if len(done) != 1 else f"1 letter {words}"))
    for one, error in refused:
        console.print(
            Text(f"not {one.letter.id}: {error.problem.reason}. {error.problem.remedy}", style="yellow")
        )
