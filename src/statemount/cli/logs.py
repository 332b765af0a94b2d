"""What a server's processes log, and where: to stderr, from INFO on; the audit log's lines bare, for they are JSON."""

from __future__ import annotations

from typing import Any


def logging_config() -> dict[str, Any]:
    """Return the configuration for :func:`logging.config.dictConfig`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            "bare": {"format": "%(message)s"},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "audit": {"class": "logging.StreamHandler", "formatter": "bare"},
        },
        "loggers": {
            "databases": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "statemount.audit": {"handlers": ["audit"], "propagate": False},
        },
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }
