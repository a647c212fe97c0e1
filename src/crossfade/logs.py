"""The log: JSON lines on standard error, one an occurrence, whoever has something to say."""

import logging
import sys

import structlog
from structlog.processors import ExceptionRenderer
from structlog.stdlib import ProcessorFormatter
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

_COMMON: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_RENDERING: tuple[Processor, ...] = (
    # Without the frames' variables: they hold events, and may hold secrets.
    ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=20)),
    structlog.processors.JSONRenderer(),
)


def configure_logging(level: str) -> None:
    """Ours from the level on; of libraries, and Python's warnings, what is a warning or worse.

    Libraries tell less because what they say in detail may hold addresses and keys.
    """
    numeric = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ProcessorFormatter(
        foreign_pre_chain=[*_COMMON, structlog.stdlib.add_logger_name],
        processors=[ProcessorFormatter.remove_processors_meta, *_RENDERING],
    ))
    logging.basicConfig(level=max(numeric, logging.WARNING), handlers=[handler])
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*_COMMON, *_RENDERING],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
