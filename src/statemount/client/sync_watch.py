"""A watch through the client, in threads. Its async twin has the same names."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from types import TracebackType

import httpx
from typing_extensions import Self

from statemount.client.calls import Call
from statemount.client.events import Follower, StateEvent
from statemount.client.retries import RetryableError
from statemount.client.sync_connection import Connection

SILENCE: float = 60.0
"""Seconds without a sign of life after which a connection is taken to be lost; a server gives one every 15."""


class Watch(Iterator[StateEvent]):
    """Changes of a scope, or of one key, as they happen: each once and in order. Made by ``watch`` of a state.

    It ends when it is closed, also by another thread, and at the end of its ``with`` block. Where the connection is
    lost, it connects again and goes on after the last event; where the server does not know any more what happened
    since then, a ``reset`` comes instead. Its errors are those of a read.
    """

    def __init__(
        self, connection: Connection, follower: Follower, call_with: Callable[[Mapping[str, str]], Call[None]]
    ) -> None:
        self._connection = connection
        self._follower = follower
        self._call_with = call_with
        self._response: httpx.Response | None = None
        self._is_closed = False
        self._events = self._run()

    @property
    def revision(self) -> int | None:
        """Up to where everything was told, which another watch may go on after; None = it has not begun."""
        return self._follower.revision

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StateEvent:
        return next(self._events)

    def close(self) -> None:
        """End it. Whoever waits for its next event is told that there is none."""
        self._is_closed = True
        if self._response is not None:
            shut_down(self._response)
        with suppress(ValueError):  # another thread waits for the next event, and ends it
            self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> Generator[StateEvent, None, None]:
        from httpx_sse import EventSource

        follower = self._follower
        while not self._is_closed:
            failure: RetryableError | None = None
            try:
                call = self._call_with(follower.headers())
                with self._connection.stream(call, SILENCE) as (response, authorization):
                    self._response = response
                    is_renewing = False
                    for told in EventSource(response).iter_sse():
                        event = follower.take(told)
                        if event is not None:
                            yield event
                        is_renewing = follower.is_to_be_renewed(authorization)
                        if is_renewing or self._is_closed:
                            break
                if is_renewing:
                    continue
            except RetryableError as error:
                failure = error
            if not self._is_closed:
                self._connection.sleep(follower.pause_after(failure))


def shut_down(response: httpx.Response) -> None:
    """End the connection of an answer that somebody else is reading, so that this one is told at once."""
    stream = response.extensions.get("network_stream")
    connection = None if stream is None else stream.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):  # it has ended already
            connection.shutdown(socket.SHUT_RDWR)
