"""What is asked in one turn of the event loop is done together at its end, on its own thread."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from typing import Generic

from statemount.database.lane import AnswerT, RequestT, Ticket
from statemount.errors import UnavailableError


class Turn(Generic[RequestT, AnswerT]):
    """Collects requests until the event loop has called everything that was ready.

    A statement gives the interpreter's lock away and takes it back several times, and a server may have a thread of
    its own that wants it each time: one statement for all who ask at the same time costs a fraction.

    Args:
        work: Does a group: it must see that every ticket is answered, and must not block.
    """

    def __init__(self, work: Callable[[Sequence[Ticket[RequestT, AnswerT]]], None]) -> None:
        self._work = work
        self._asked: list[Ticket[RequestT, AnswerT]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.Context()

    def start(self) -> None:
        """Take requests on the running event loop from now on."""
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Refuse what is asked from now on. What was asked before is done."""
        self._loop = None

    def ask(self, request: RequestT) -> asyncio.Future[AnswerT]:
        """Return the future of the answer.

        Raises:
            UnavailableError: Nothing is taken.
        """
        loop = self._loop
        if loop is None:
            raise UnavailableError("the store is closing")
        answer: asyncio.Future[AnswerT] = loop.create_future()
        if not self._asked:
            loop.call_soon(self._end, context=self._context)
        self._asked.append(Ticket(request, answer))
        return answer

    def _end(self) -> None:
        asked, self._asked = self._asked, []
        try:
            self._work(asked)
        except Exception as error:
            for ticket in asked:
                ticket.fail(error)
