"""Pictures of 2048 x 2048 frames per second, beside bare astropy and Pillow making the same, in the same run.

Run as ``python -m benchmarks.renders [--frames N]``. Ours is a render pool with one worker, as the renderer has it: the
file is read, averaged, stretched, and written as thumbnail and preview, and the pictures come back over a pipe. Bare is
what one would write in an afternoon, in this process: read everything, three percentiles, the same stretch, two sizes,
PNG or WebP, whichever is smaller. The two take turns, frame by frame.
"""

import argparse
import asyncio
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from PIL import Image

from benchmarks.figures import Figure
from libs.imaging.outcomes import Rendered, RenderSettings
from libs.imaging.pool import PoolSettings, RenderPool
from libs.imaging.stretch import midtone

SIDE = 2048
WANTED = 1.3
SETTINGS = RenderSettings()


def write_frame(path: Path, seed: int) -> None:
    """A field of stars on noise, as 16-bit integers with BZERO: what most cameras write."""
    rng = np.random.default_rng(seed)
    frame = rng.normal(1000, 10, (SIDE, SIDE))
    y, x = np.mgrid[-12:13, -12:13]
    star = np.exp(-(x**2 + y**2) / 8)
    for row, column in rng.integers(12, SIDE - 13, size=(400, 2)):
        frame[row - 12 : row + 13, column - 12 : column + 13] += rng.exponential(3000) * star
    fits.PrimaryHDU(frame.clip(0, 65_535).astype(np.uint16)).writeto(path)


def bare(path: Path) -> list[bytes]:
    """The same pictures with nothing but the libraries."""
    data = fits.getdata(path).astype(np.float64)
    low, middle, high = np.nanpercentile(
        data, (SETTINGS.lower_percentile, SETTINGS.midtone_percentile, SETTINGS.upper_percentile)
    )
    bright = midtone(np.clip((data - low) / (high - low), 0, 1), (middle - low) / (high - low))
    image = Image.fromarray(np.nan_to_num(bright * 255).astype(np.uint8)[::-1])
    made = []
    for side in (SETTINGS.thumbnail_side, SETTINGS.preview_side):
        small = image.resize((side, side), Image.Resampling.HAMMING)
        files = []
        for options in ({"format": "PNG"}, {"format": "WEBP", "quality": 90, "method": 2}):
            buffer = io.BytesIO()
            small.save(buffer, **options)
            files.append(buffer.getvalue())
        made.append(min(files, key=len))
    return made


async def measured(folder: Path, frames: int) -> Figure:
    """Time both over the same frames."""
    paths = [folder / f"{number}.fits" for number in range(frames)]
    for number, path in enumerate(paths):
        write_frame(path, number)
    ours = theirs = 0.0
    async with RenderPool(PoolSettings()) as pool:
        await pool.render(paths[0], SETTINGS)  # starts the worker
        bare(paths[0])
        for path in paths:
            begun = time.perf_counter()
            outcome = await pool.render(path, SETTINGS)
            between = time.perf_counter()
            await asyncio.to_thread(bare, path)
            ours += between - begun
            theirs += time.perf_counter() - between
            assert isinstance(outcome, Rendered)
    ratio = ours / theirs
    beside = {
        "frames_per_second": frames / ours,
        "bare_frames_per_second": frames / theirs,
    }
    return Figure("pictures", ratio, "times bare astropy and Pillow", f"<= {WANTED}", ratio <= WANTED, beside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chasqui-benchmark-") as folder:
        asyncio.run(measured(Path(folder), arguments.frames)).tell()


if __name__ == "__main__":
    main()
