"""An answer that goes on for as long as both sides want: the events of a watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeAlias

from typing_extensions import override

from statemount.errors import StateMountError, UnavailableError
from statemount.interfaces import Clock, Identity
from statemount.model import Scope
from statemount.watching.watch import Watch
from statemount.web.requests import Receive, Request, Send
from statemount.web.responses import Header, Response
from statemount.web.server_sent_events import HEARTBEAT, event_texts, position_text, retry_text

logger: logging.Logger = logging.getLogger("statemount.web")

EVENT_STREAM: Header = (b"content-type", b"text/event-stream")
_HEADERS: tuple[Header, ...] = (EVENT_STREAM, (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))

_UNANSWERED = 3
"""So often in a row it may not be known whether somebody may go on to watch."""


class Watched(NamedTuple):
    """What a request wants to watch, and may.

    Args:
        key: None = the whole scope.
    """

    scope: Scope
    key: str | None


Locate: TypeAlias = Callable[[Request], Awaitable[Watched]]
"""Returns what a request wants to watch; raises where the request may not, or there is no such thing."""

Identify: TypeAlias = Callable[[], Awaitable[Identity]]
"""Returns who is asking, by the credentials that were shown at the beginning."""


class _ReaderGoneError(Exception):
    """Nothing can be sent any more."""


class EventStream(Response):
    """The events of a watch, until one side has enough.

    Args:
        watch: None = there is nothing to be sent but the head.
        watched: What is watched.
        locate: Is asked again and again whether that is so still.
        clock: Says when credentials have expired.

    Attributes:
        identify: Is asked again and again who is asking; None = nobody is.
    """

    __slots__ = ("_clock", "_expiry", "_locate", "_request", "_unanswered", "_watch", "_watched", "identify")

    is_endless: bool = True

    def __init__(self, request: Request, watch: Watch | None, watched: Watched, locate: Locate, clock: Clock) -> None:
        self.status: int = 200
        self.headers: list[Header] = [*_HEADERS]
        self.body: bytes = b""
        self.identify: Identify | None = None
        self._request = request
        self._watch = watch
        self._watched = watched
        self._locate = locate
        self._clock = clock
        self._expiry: asyncio.TimerHandle | None = None
        self._unanswered = 0

    @override
    def discard(self) -> None:
        if self._watch is not None:
            self._watch.close()

    @override
    async def send(self, send: Send, extra_headers: Iterable[Header] = (), *, has_body: bool = True) -> None:
        watch = self._watch
        if watch is None or not has_body:
            self.discard()
            await super().send(send, extra_headers, has_body=False)
            return
        gone = asyncio.ensure_future(_until_gone(self._request.receive))
        gone.add_done_callback(lambda _: watch.end("left"))
        try:
            headers = [*self.headers, *extra_headers]
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            await self._stream(watch, send)
        except _ReaderGoneError as error:
            logger.debug("a watch is over, for nothing can be sent: %r", error.__cause__)
        except asyncio.CancelledError:
            if not watch.was_cut_off:
                raise
            _uncancel()
        finally:
            watch.close()
            if self._expiry is not None:
                self._expiry.cancel()
            gone.cancel()
            await asyncio.wait([gone])

    async def _stream(self, watch: Watch, send: Send) -> None:
        self._look_at_expiry(watch)
        await _send(watch, send, retry_text())
        told = watch.revision
        try:
            while (events := await watch.next()) is not None:
                if events:
                    for text in event_texts(self._watched.scope, events):
                        await _send(watch, send, text)
                    told = events[-1].revision
                elif await self._may_go_on():
                    self._look_at_expiry(watch)
                    revision = watch.revision
                    await _send(watch, send, HEARTBEAT if revision == told else position_text(revision))
                    told = revision
                else:
                    watch.end("refused")
        except UnavailableError as error:
            logger.warning("a watch is over, for the log cannot be read: %s", error)
        if watch.ending != "left":
            await _send(watch, send, b"", more=False)

    def _look_at_expiry(self, watch: Watch) -> None:
        """See to it that the watch ends with the credentials."""
        expires_at = getattr(self._request, "identity", _NOBODY).expires_at
        if self._expiry is None and expires_at is not None:
            seconds = expires_at - self._clock() / 1_000_000
            if seconds > 0:  # else they are accepted all the same, because clocks differ
                self._expiry = asyncio.get_running_loop().call_later(seconds, watch.end, "refused")

    async def _may_go_on(self) -> bool:
        try:
            if self.identify is not None:
                self._request.identity = await self.identify()
            may = await self._locate(self._request) == self._watched
        except UnavailableError as error:
            self._unanswered += 1
            logger.info("it is not known whether a watch may go on: %s", error)
            return self._unanswered < _UNANSWERED
        except StateMountError as error:
            logger.info("a watch is over, for it may not go on: %s", error)
            return False
        except Exception:
            logger.exception("a watch is over, for it is not known whether it may go on")
            return False
        self._unanswered = 0
        return may


_NOBODY = Identity("")


async def _send(watch: Watch, send: Send, text: bytes, *, more: bool = True) -> None:
    """Send a part of the body.

    Raises:
        _ReaderGoneError: It cannot be sent.
    """
    watch.began_sending()
    try:
        await send({"type": "http.response.body", "body": text, "more_body": more})
    except Exception as error:
        raise _ReaderGoneError from error
    finally:
        watch.sent(len(text))


async def _until_gone(receive: Receive) -> None:
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    except Exception as error:  # a server that cannot say more
        logger.debug("the reader of a watch is taken to be gone: %r", error)


def _uncancel() -> None:
    """Take back that this task was cancelled, which Python counts from 3.11 on."""
    task = asyncio.current_task()
    uncancel = getattr(task, "uncancel", None)
    if uncancel is not None:
        uncancel()
