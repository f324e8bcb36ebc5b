"""From settings to the command that plays a history again, and back."""

import argparse
import shlex

from tests.simulation.chaos import Fault, Mode, Settings
from tests.simulation.sites import Layout


def command(seed: str, settings: Settings, layout: Layout | None) -> str:
    """What plays a history again."""
    words = ["python", "-m", "tests.simulation", "--replay", seed]
    if layout is not None:
        words += ["--layout", layout.value]
    for fault, mode in settings.modes.items():
        if mode is not Mode.SWARM:
            words += [f"--{fault.value}", mode.value]
    if settings.most != Settings.most:
        words += ["--most", str(settings.most)]
    if settings.spared:
        words += ["--spared", ",".join(map(str, sorted(settings.spared)))]
    if settings.kill_at is not None:
        words += ["--kill-at", str(settings.kill_at)]
    return shlex.join(words)


def settings_from(asked: argparse.Namespace) -> Settings:
    """The settings of a command line."""
    modes = {fault: Mode(getattr(asked, fault.name.lower()) or asked.faults) for fault in Fault}
    spared = frozenset(int(number) for number in asked.spared.split(",") if number)
    return Settings(modes, asked.most, spared, asked.kill_at)
