"""What a watch tells: changes as they happen, and what it means to miss some. No I/O."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from statemount.client.answers import moment_of, writer_of
from statemount.client.errors import UnexpectedAnswerError
from statemount.client.retries import Retries, RetryableError
from statemount.errors import UnavailableError
from statemount.model import JsonValue, Writer

if TYPE_CHECKING:
    from httpx_sse import ServerSentEvent

EventKind: TypeAlias = Literal["ready", "reset", "set", "delete", "clear", "expire"]
"""``ready``: from here on. ``reset``: changes are missing before it, so the entries are to be listed again."""

PATIENCE: float = 60.0
"""Seconds for which a watch tries to reach its server, unless set otherwise."""

_FIRST_PAUSE = 1.0  # until the server says something else
_LONGEST_PAUSE = 5.0
_RENEWABLE_PART, _RENEWABLE_SECONDS = 0.15, 25.0  # less than what the server renews: a fifth, and 30 seconds


@dataclass(frozen=True, slots=True)
class StateEvent:
    """One change of a scope, or the beginning of a watch.

    Args:
        revision: Of the change, which a watch may go on after; of ``ready`` and ``reset``, that of the scope.
        key: None for ``clear``, which concerns all of them, and for what is no change.
        at: When it happened.
        size: Of the value that was set, in bytes as it is stored.
        has_value: Whether the server tells the value, which it does for values that its history keeps.
        value: What was set.
        expires_at: Of what was set; None = never.
        writer: Who did it; None for nobody, such as for ``expire``.
    """

    kind: EventKind
    revision: int
    key: str | None = None
    at: datetime | None = None
    size: int | None = None
    has_value: bool = False
    value: JsonValue = None
    expires_at: datetime | None = None
    writer: Writer | None = None


class Follower:
    """Where a watch is, and when it tries again.

    Args:
        after: The revision after which it begins; None = now.
        patience: Seconds for which the server may be out of reach; None = for ever.

    Attributes:
        revision: Up to where everything was told; None = it has not begun.
    """

    def __init__(self, after: int | None, patience: float | None, retries: Retries) -> None:
        self.revision: int | None = after
        self._patience = patience
        self._retries = retries
        self._retry = _FIRST_PAUSE
        self._failures = 0
        self._lost_at: float | None = None
        self._renewed: str | None = None

    def headers(self) -> dict[str, str]:
        """Return what a request is sent with."""
        accept = {"accept": "text/event-stream", "cache-control": "no-store"}
        return accept if self.revision is None else {**accept, "last-event-id": str(self.revision)}

    def take(self, event: ServerSentEvent) -> StateEvent | None:
        """Return what the server tells; None = that it is there.

        Raises:
            UnexpectedAnswerError: It is not understood.
        """
        self._failures, self._lost_at = 0, None
        if event.retry is not None:
            self._retry = event.retry / 1000
        try:
            found = _event(event)
            if event.id:
                self.revision = int(event.id)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise UnexpectedAnswerError(f"an event {event.event!r} is not understood") from error
        return found

    def pause_after(self, failure: RetryableError | None) -> float:
        """Return the seconds after which to connect again.

        Args:
            failure: Why it could not be reached; None = the server has ended the answer.

        Raises:
            UnavailableError: It was out of reach for too long.
        """
        now = self._retries.clock()
        if self._lost_at is None:
            self._lost_at = now
        back_off = min(_LONGEST_PAUSE, self._retry * 2.0 ** min(self._failures, 16))
        self._failures += 1
        pause = back_off * (1 + self._retries.random()) / 2
        if failure is not None and failure.retry_after is not None:
            pause += failure.retry_after
        if self._patience is not None and now + pause - self._lost_at > self._patience:
            raise (
                UnavailableError("the server has ended the watch again and again") if failure is None else failure.error
            )
        return pause

    def is_to_be_renewed(self, authorization: str | None) -> bool:
        """Tell whether to connect again so that the server renews the token, which it does at the beginning alone.

        Args:
            authorization: What the request was sent with.
        """
        if self.revision is None or authorization is None or authorization == self._renewed:
            return False
        life = _life_of(authorization)
        if life is None:
            return False
        issued_at, expires_at = life
        left = expires_at - self._retries.now()
        if left >= max(_RENEWABLE_PART * (expires_at - issued_at), _RENEWABLE_SECONDS):
            return False
        self._renewed = authorization
        return True


def _event(event: ServerSentEvent) -> StateEvent | None:
    if event.event not in get_args(EventKind):  # a sign of life, or what a later version tells
        return None
    document: dict[str, Any] = json.loads(event.data)
    kind: Any = event.event
    return StateEvent(
        kind,
        int(document["revision"]),
        document.get("key"),
        _moment(document, "at"),
        document.get("size"),
        "value" in document,
        document.get("value"),
        _moment(document, "expires_at"),
        None if document.get("writer") is None else writer_of(document["writer"]),
    )


def _moment(document: Mapping[str, Any], name: str) -> datetime | None:
    text = document.get(name)
    return None if text is None else moment_of(text)


def _life_of(authorization: str) -> tuple[float, float] | None:
    """Return when a token was issued and when it expires, in seconds since the epoch; None = it does not say."""
    try:
        payload = authorization.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["iat"]), float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None
