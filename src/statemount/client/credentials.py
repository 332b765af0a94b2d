"""The token of a client: given, asked for, or renewed by the server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeAlias, Union

from statemount.errors import ConfigurationError

Token: TypeAlias = Union[str, Callable[[], str]]
"""A token, or what is asked for one before every request."""

_SENDABLE = re.compile(r"[!-~]+")


def token_file(path: str | os.PathLike[str]) -> Callable[[], str]:
    """Return what reads a token from a file, anew for every request, without the white space around it."""
    file = Path(path)
    return lambda: file.read_text("utf-8").strip()


class Credentials:
    """Keeps the token of a client. Safe to use from several threads.

    Args:
        token: None = requests carry none.

    Raises:
        ConfigurationError: The token is empty, or has characters that a header cannot have.
    """

    def __init__(self, token: Token | None) -> None:
        self._ask = None if token is None or isinstance(token, str) else token
        self._given = token if isinstance(token, str) else None
        self._header = None if self._given is None else _bearer(self._given)
        self._lock = Lock()

    def header(self) -> str | None:
        """Return the value of ``Authorization`` for the next request; None = there is none.

        Raises:
            ConfigurationError: What was asked for a token gave none that can be sent.
        """
        if self._ask is not None:
            given = self._ask()
            with self._lock:
                if given != self._given:
                    self._header = _bearer(given)
                    self._given = given
                return self._header
        return self._header

    def renew(self, token: str, sent: str | None) -> None:
        """Use a token that the server has sent, unless another one than it renews is in use by now.

        Args:
            sent: What :meth:`header` gave for the request that is answered.
        """
        with self._lock:
            if sent is not None and sent == self._header and _SENDABLE.fullmatch(token):
                self._header = f"Bearer {token}"


def _bearer(token: str) -> str:
    if not _SENDABLE.fullmatch(token):
        raise ConfigurationError("the token is empty, or has characters that no header can have")
    return f"Bearer {token}"
