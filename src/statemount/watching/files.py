"""How many watches a process can hold: each is a connection, and so an open file."""

from __future__ import annotations

import logging
import sys

_logger = logging.getLogger(__name__)

_SHARE = 0.75  # of the files, so that other connections and the database have some left


def possible_watches(wanted: int) -> int:
    """Return how many watches there may be, so that this process does not run out of files for all others."""
    limit = _file_limit()
    if limit is None or wanted <= limit * _SHARE:
        return wanted
    possible = int(limit * _SHARE)
    _logger.info("at most %d watches, for this process may have %d open files", possible, limit)
    return possible


def _file_limit() -> int | None:
    """Return how many files this process may have open; None = any number, or it is not known."""
    if sys.platform == "win32":
        return None
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def raise_file_limit() -> None:
    """Let this process, and those that it starts, have as many open files as the system allows."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:  # some systems name a limit that they do not give
            _logger.info("the limit on open files stays at %d: %s", soft, error)
