"""From the accepted finish of a one-file observation to its PackageArchived on an idle system: p50 and p99 of 100.

The file is old enough to be quiet when it is filed, so the scanner's quiet time is not in the figure.
Beside it, one stored event's round trip. Run as ``python -m benchmarks.latency [--observations N]``.
"""

import argparse
import asyncio
import statistics
import time

import uvloop

from benchmarks.figures import Figure
from benchmarks.observatory import QUIET_S, observatory
from libs.simulator.filler import write_filler

SIZE = 100 << 10


async def measure(observations: int) -> tuple[Figure, Figure]:
    latencies: list[float] = []
    filings: list[float] = []
    async with observatory() as sky:
        for number in range(observations + 3):
            path = sky.source / f"single-{number}" / "frame.raw"
            path.parent.mkdir()
            await asyncio.to_thread(write_filler, path, SIZE, number)
            await asyncio.sleep(QUIET_S * 1.5)
            asked = time.perf_counter()
            unit = await sky.start(f"single-{number}")
            filings.append(time.perf_counter() - asked)
            await sky.file_and_finish(unit, [path])
            accepted = time.perf_counter()
            await sky.archived([unit])
            latencies.append(time.perf_counter() - accepted)
    latencies, filings = latencies[3:], filings[3:]
    ranked = statistics.quantiles(latencies, n=100, method="inclusive")
    p50, p99 = ranked[49], ranked[98]
    beside = {"filing_request_p50": statistics.median(filings), "observations": float(len(latencies))}
    return (
        Figure("finish to archived, p50", p50, "s", "< 1 s", p50 < 1.0, beside),
        Figure("finish to archived, p99", p99, "s", "none set", True, beside),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=100)
    for figure in uvloop.run(measure(parser.parse_args().observations)):
        figure.tell()


if __name__ == "__main__":
    main()
