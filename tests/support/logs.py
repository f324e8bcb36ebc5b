"""How tests log: in lines, and tracebacks in plain text.

The default draws a traceback with the values of all its variables, which takes seconds of the event loop: claims lapse
in them.
"""

import structlog


def plainly() -> None:
    """Log like this from now on, whatever was configured before."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=True),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
