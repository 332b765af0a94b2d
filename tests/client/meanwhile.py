"""Requests that are late: something else is done right before they are sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx


class Meanwhile:
    """What happens while a request is on its way: something else is done, or its answer is lost."""

    def __init__(self) -> None:
        self._todo: list[tuple[str, Callable[[], object]]] = []
        self._lost: dict[tuple[str, int], bool] = {}
        self._seen: Counter[str] = Counter()

    @contextmanager
    def before(self, method: str, then: Callable[[], object]) -> Iterator[None]:
        """Do something right before the next request with a method is sent, which comes within this block."""
        self._todo.append((method, then))
        yield
        assert self._todo == []

    def lose(self, method: str, number: int, *, is_done: bool) -> None:
        """Lose the answer to one of the requests with a method from now on, or the request itself.

        Args:
            number: Of the request; 1 = the next one.
        """
        self._lost[method, self._seen[method] + number] = is_done

    def look(self, request: httpx.Request) -> bool | None:
        """Do what is to be done; return whether the request is done although its answer is lost; None = it is not."""
        self._seen[request.method] += 1
        if self._todo and self._todo[0][0] == request.method:
            self._todo.pop(0)[1]()
        return self._lost.pop((request.method, self._seen[request.method]), None)


class LateTransport(httpx.HTTPTransport):
    """Sends as usual, once something else was done, and may lose the answer."""

    def __init__(self, meanwhile: Meanwhile) -> None:
        super().__init__(verify=False)  # certificates take longer to load than a test
        self._meanwhile = meanwhile

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        lost = self._meanwhile.look(request)
        if lost is not False:
            response = super().handle_request(request)
        if lost is not None:
            raise httpx.ReadError("the connection was lost")
        return response


class LateAsyncTransport(httpx.AsyncHTTPTransport):
    """Sends as usual, once something else was done, and may lose the answer."""

    def __init__(self, meanwhile: Meanwhile) -> None:
        super().__init__(verify=False)  # certificates take longer to load than a test
        self._meanwhile = meanwhile

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        lost = self._meanwhile.look(request)
        if lost is not False:
            response = await super().handle_async_request(request)
        if lost is not None:
            raise httpx.ReadError("the connection was lost")
        return response


def late(meanwhile: Meanwhile) -> dict[str, Any]:
    """Return the options of a worker."""
    return {"transport": LateTransport(meanwhile), "async_transport": LateAsyncTransport(meanwhile)}
