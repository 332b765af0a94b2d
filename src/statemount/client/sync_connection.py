"""How a client for threads sends its calls, and repeats them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from tenacity import Retrying

from statemount.client.calls import Call
from statemount.client.correlation import current_correlation_id
from statemount.client.exchange import Exchange, failure_of
from statemount.client.retries import Plan, RetryableError

T = TypeVar("T")


class Connection:
    """Sends calls to one server. Safe to use from several threads.

    Args:
        sleep: Waits so many seconds between attempts.
    """

    def __init__(self, exchange: Exchange, http: httpx.Client, sleep: Callable[[float], None]) -> None:
        self.exchange: Exchange = exchange
        self.sleep: Callable[[float], None] = sleep
        self._http = http

    def send(self, call: Call[T]) -> T:
        """Return what the answer says; raise what it refuses as an error of :mod:`statemount.errors`."""
        correlation = current_correlation_id()
        began = self.exchange.retries.clock()
        try:
            return self._attempt(call, correlation)
        except RetryableError as failure:
            plan = Plan(self.exchange.retries, began, failure, correlation)

        def attempt() -> T:
            plan.begin()
            return self._attempt(call, correlation)

        try:
            return Retrying(sleep=self.sleep, **plan.options())(attempt)
        except RetryableError as failure:
            raise plan.last(failure) from failure.__cause__

    @contextmanager
    def stream(self, call: Call[Any], timeout: float) -> Iterator[tuple[httpx.Response, str | None]]:
        """Give an answer that goes on, and what the request was sent with. It is not repeated.

        Args:
            timeout: Longest silence, in seconds.

        Raises:
            RetryableError: It may be tried again.
        """
        exchange = self.exchange
        authorization = exchange.credentials.header()
        headers = exchange.headers(call, authorization, current_correlation_id())
        auth = httpx.USE_CLIENT_DEFAULT if authorization is None else None
        limits = self._http.timeout
        silence = httpx.Timeout(connect=limits.connect, read=timeout, write=limits.write, pool=limits.pool)
        try:
            request = self._http.build_request(
                call.method, exchange.url + call.target, headers=headers, timeout=silence
            )
            response = self._http.send(request, auth=auth, follow_redirects=False, stream=True)
            try:
                if not response.is_success:
                    response.read()
                exchange.check_stream(call, response, authorization)
                yield response, authorization
            finally:
                response.close()
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise failure_of(call, error) from error

    def _attempt(self, call: Call[T], correlation: str) -> T:
        exchange = self.exchange
        authorization = exchange.credentials.header()
        headers = exchange.headers(call, authorization, correlation)
        auth = httpx.USE_CLIENT_DEFAULT if authorization is None else None
        try:
            request = self._http.build_request(
                call.method, exchange.url + call.target, headers=headers, content=call.body
            )
            response = self._http.send(request, auth=auth, follow_redirects=False)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise failure_of(call, error) from error
        return exchange.read(call, response, authorization)
