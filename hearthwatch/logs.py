"""Logs of every process: one JSON object a line on stderr, ours and those of the libraries alike."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _as_if_not_installed(*names: str) -> Iterator[None]:
    """Let nobody find these libraries meanwhile: None in sys.modules says so (Python Reference, The module cache)."""
    modules: dict[str, Any] = sys.modules
    absent = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del modules[name]


# structlog loads them where they are there, for tracebacks and threads of a kind we do not use: 3.5 and 1 MB a process.
with _as_if_not_installed("rich", "greenlet"):
    import structlog

LEVEL_VARIABLE = "HEARTHWATCH_LOG_LEVEL"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class BadLogLevel(Exception):
    """HEARTHWATCH_LOG_LEVEL is not the name of a level."""


def configure_logs() -> None:
    """Set up structlog and the standard library's logging; called once, before anything logs."""
    level = os.environ.get(LEVEL_VARIABLE, "INFO").upper()
    if level not in LEVELS:
        raise BadLogLevel(f"{LEVEL_VARIABLE} is {level!r}; there are {', '.join(LEVELS)}")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
