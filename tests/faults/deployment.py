"""The deployment that faults happen to: two sites, two instruments, two archives that each get every package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

TELESCOPE, CENTRE = "chile", "cologne"
INSTRUMENTS = ("sky-camera", "spectrograph")
ARCHIVES = ("cologne-archive", "cologne-vault")
SOURCE, TELESCOPE_BUFFER, CENTRE_BUFFER, PROCESSING = (
    "chile-source",
    "chile-buffer",
    "cologne-buffer",
    "cologne-processing",
)
MISSING_AFTER_S = 5.0
"""A filed file that is not there, or not whole, is told after this."""

UNFILED_AFTER_S = 3.0
"""A file that nobody filed is told after this."""


def write(
    folder: Path, *, nats: Mapping[str, str] | None = None, s3: str | None = None, scrub: str = "90d"
) -> Path:
    """Write the deployment file.

    Args:
        folder: Where; it is there.
        nats: The address of each site's NATS server; embedded ones if left out.
        s3: The S3 endpoint of both archives; an embedded one if left out.
        scrub: How often each archive copy is read again.
    """
    path = folder / "deployment.yaml"
    path.write_text(yaml.safe_dump(_document(nats or {}, s3, scrub), sort_keys=False))
    return path


def _document(nats: Mapping[str, str], s3: str | None, scrub: str) -> dict[str, Any]:
    return {
        "version": 1,
        "observatory": "Observatory of faults",
        "telescope": "Test telescope",
        "sites": {TELESCOPE: _telescope(nats), CENTRE: _centre(nats, s3, scrub)},
        "instruments": {
            INSTRUMENTS[0]: {
                "site": TELESCOPE,
                "source": SOURCE,
                "modules": ["main", "guide"],
                "package_limit": "24 MB",
            },
            INSTRUMENTS[1]: {"site": TELESCOPE, "source": SOURCE, "modules": ["main"], "max_files": 6},
        },
        "routes": {
            "chile-cologne": {
                "origin": TELESCOPE,
                "destination": CENTRE,
                "longest_wait": "2s",
                "rate_limit": "20 MB",
            },
        },
    }


def _telescope(nats: Mapping[str, str]) -> dict[str, Any]:
    return {
        "nats": {"url": nats[TELESCOPE]} if nats else {"leaf_of": CENTRE},
        "scan": {
            "quiet": "0.2s",
            "sweep": "1s",
            "missing_after": f"{MISSING_AFTER_S}s",
            "unfiled_after": f"{UNFILED_AFTER_S}s",
        },
        "locations": {
            SOURCE: _disk("source", "sites/chile/source"),
            TELESCOPE_BUFFER: _disk("buffer", "sites/chile/buffer"),
        },
    }


def _centre(nats: Mapping[str, str], s3: str | None, scrub: str) -> dict[str, Any]:
    settings = {"type": "long_term_archive", "storage": "s3", "scrub": {"period": scrub}}
    settings |= {"endpoint": s3} if s3 else {}
    return {
        **({"nats": {"url": nats[CENTRE]}} if nats else {}),
        "locations": {
            CENTRE_BUFFER: _disk("buffer", "sites/cologne/buffer"),
            **{name: {**settings, "bucket": f"faults-{name}"} for name in ARCHIVES},
            PROCESSING: _disk("processing", "sites/cologne/processing", keep_for="1h"),
        },
    }


def _disk(kind: str, path: str, keep_for: str = "0s") -> dict[str, Any]:
    return {"type": kind, "path": path, "retention": {"keep_for": keep_for, "archive_copies": 2}}
