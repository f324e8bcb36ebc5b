"""Structured logs: one JSON object a line, or colours on a terminal."""

import logging
import sys
from enum import StrEnum
from pathlib import Path

import structlog

Logger = structlog.stdlib.BoundLogger


class LogFormat(StrEnum):
    """How a process writes its log."""

    JSON = "json"
    """One object a line, for machines."""
    CONSOLE = "console"
    """For a person at a terminal."""


def configure(*, level: str = "INFO", style: LogFormat = LogFormat.JSON, to: Path | None = None) -> None:
    """Send this process's logs, the libraries' included, to standard error, or to the end of a file."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if style is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler() if to is None else logging.FileHandler(to, encoding="utf-8")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "botocore", "aiobotocore", "watchfiles", "asyncio", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def logger(name: str) -> Logger:
    """A logger; bind what every line of it should carry."""
    bound: Logger = structlog.stdlib.get_logger(name)
    return bound
