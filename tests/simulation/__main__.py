"""The long form: ``python -m tests.simulation --histories 10000 --seed 7``; see docs/simulation.md."""

import argparse
import os
import sys
from collections.abc import Sequence
from random import SystemRandom

from tests.simulation.campaigns import Tally, play_beside, seeds_of, timed
from tests.simulation.chaos import Fault, Mode, Settings
from tests.simulation.history import play
from tests.simulation.replaying import command, settings_from
from tests.simulation.seams import simulated
from tests.simulation.shrinking import Failing, Shrinker
from tests.simulation.sites import Layout

TOLD = 3
"""Failed histories that are shrunk and told in full."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play histories; the exit status is 1 if any of them broke an invariant."""
    asked = _parser().parse_args(arguments)
    settings = settings_from(asked)
    layout = Layout(asked.layout) if asked.layout else None
    if asked.replay:
        return _replay(asked.replay, settings, layout)
    print(f"seed {asked.seed}, {asked.histories} histories, {asked.jobs} at a time", flush=True)
    tally, seconds = timed(
        lambda: play_beside(
            seeds_of(asked.seed, asked.histories), settings, layout, jobs=asked.jobs, heard=_show_progress
        )
    )
    _sum_up(tally, seconds)
    for seed in sorted(tally.failed)[:TOLD]:
        _shrink_and_tell(seed, settings, layout)
    return 1 if tally.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.simulation",
        description="Play histories of the whole observatory, each from a seed, and check every invariant.",
        epilog="Example: python -m tests.simulation --histories 5000 --faults never --site-cuts always",
    )
    parser.add_argument("--histories", type=int, default=1000, help="how many (1000)")
    parser.add_argument(
        "--seed", default=str(SystemRandom().randrange(10**6)), help="of all of them (by chance)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one a processor)")
    parser.add_argument("--layout", choices=[one.value for one in Layout], help="the observatory (by chance)")
    parser.add_argument("--replay", metavar="SEED", help="play this history alone, and tell all of it")
    parser.add_argument("--most", type=int, default=Settings.most, help="no faults after so many")
    parser.add_argument("--spared", default="", metavar="N,N", help="numbers of faults that do not happen")
    parser.add_argument("--kill-at", type=int, metavar="N", help="kill the process that passes this point")
    modes = [mode.value for mode in Mode]
    parser.add_argument("--faults", choices=modes, default="swarm", help="all kinds not named here (swarm)")
    kinds = parser.add_argument_group("kinds of faults: whether a history has them (swarm: by chance)")
    for fault in Fault:
        kinds.add_argument(f"--{fault.value}", choices=modes, help=(fault.__doc__ or "").strip())
    return parser


def _replay(seed: str, settings: Settings, layout: Layout | None) -> int:
    with simulated():
        outcome = play(seed, settings, layout)
    print(outcome.told(steps=None))
    print(f"digest {outcome.digest}")
    return 0 if outcome.broken is None else 1


def _show_progress(tally: Tally) -> None:
    if sys.stderr.isatty():
        print(
            f"\r{tally.histories} histories, {len(tally.failed)} failed", end="", file=sys.stderr, flush=True
        )


def _sum_up(tally: Tally, seconds: float) -> None:
    rate = 60.0 * tally.histories / seconds
    alone = 60.0 * tally.histories / tally.cpu_s
    print(
        f"{tally.histories} histories in {seconds:.1f} s: {rate:.0f} a minute, {alone:.0f} a minute of one processor; "
        f"{tally.steps} steps, {tally.points} places to be killed at, {tally.simulated_s / 3600:.1f} simulated hours"
    )
    print("faults: " + ", ".join(f"{kind} {tally.faults[kind]}" for kind in Fault))
    print("events: " + ", ".join(f"{name} {count}" for name, count in sorted(tally.events.items())))
    print(f"{len(tally.failed)} histories broke an invariant")


def _shrink_and_tell(seed: str, settings: Settings, layout: Layout | None) -> None:
    with simulated():
        failing = Failing(settings, play(seed, settings, layout))
        shrunk = Shrinker(failing).shrink()
    print()
    print(f"replay:    {command(seed, settings, layout)}")
    print(f"with less: {command(seed, shrunk.settings, layout)}")
    print(shrunk.outcome.told())


if __name__ == "__main__":
    sys.exit(main())
