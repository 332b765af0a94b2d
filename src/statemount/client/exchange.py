"""Everything between a call and its result but the sending: requests, answers, failures. No I/O."""

from __future__ import annotations

from typing import Any, TypeVar

import httpx

from statemount.client.calls import Answer, Call
from statemount.client.correlation import HEADER
from statemount.client.credentials import Credentials, Token
from statemount.client.errors import UnexpectedAnswerError
from statemount.client.refusals import refusal_of
from statemount.client.retries import Retries, RetryableError
from statemount.errors import (
    ConfigurationError,
    InvalidInputError,
    Problem,
    StateMountError,
    UnavailableError,
    WriteOutcomeUnknownError,
)

T = TypeVar("T")

TIMEOUT: float = 5.0
"""Seconds for each step of a request, unless set otherwise."""

# Below the 5 seconds after which uvicorn closes an idle connection: a write should not meet the closing.
LIMITS: httpx.Limits = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=4.0)

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_NEVER_SENDABLE = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)


class Exchange:
    """What a client knows of its server.

    Args:
        url: Where the app is mounted.
        token: See :class:`~statemount.client.StateClient`.

    Raises:
        ConfigurationError: The URL is none that requests can be sent below, or the token cannot be sent.
    """

    def __init__(self, url: str, token: Token | Credentials | None, retries: Retries) -> None:
        self.url: str = _base_url(url)
        self.retries: Retries = retries
        self.credentials: Credentials = token if isinstance(token, Credentials) else Credentials(token)

    def headers(self, call: Call[Any], authorization: str | None, correlation: str) -> dict[str, str]:
        """Return the headers of a request."""
        headers = {"accept": "application/json", HEADER: correlation}
        if authorization is not None:
            headers["authorization"] = authorization
        if call.body is not None:
            headers["content-type"] = "application/json"
        if call.headers is not None:
            headers.update(call.headers)
        return headers

    def read(self, call: Call[T], response: httpx.Response, authorization: str | None) -> T:
        """Return the result of a call.

        Args:
            authorization: What the request was sent with.

        Raises:
            StateMountError: The answer refuses it, or is not understood.
            RetryableError: It may be repeated.
        """
        self.check(call, response, authorization)
        try:
            return call.read(Answer(response.content, response.headers))
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            status = response.status_code
            message = f"{call.method} was answered with {status} and a body that is not understood"
            raise UnexpectedAnswerError(message, status=status) from error

    def check(self, call: Call[Any], response: httpx.Response, authorization: str | None) -> None:
        """Take over a renewed token, and accept a success alone.

        Args:
            authorization: What the request was sent with.

        Raises:
            StateMountError: The answer refuses the call.
            RetryableError: It may be repeated.
        """
        renewed = response.headers.get("refreshed-api-token")
        if renewed is not None:
            self.credentials.renew(renewed, authorization)
        status = response.status_code
        if not 200 <= status < 300:
            raise refusal_of(call, status, response.headers, response.content, self.retries.now())

    def check_stream(self, call: Call[Any], response: httpx.Response, authorization: str | None) -> None:
        """As ``check``, for an answer that goes on. The body of a refusal was read.

        Raises:
            UnexpectedAnswerError: It does not go on: the server knows no watches.
        """
        self.check(call, response, authorization)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            status = response.status_code
            raise UnexpectedAnswerError(f"{call.method} was answered with {status} and no events", status=status)


def failure_of(call: Call[Any], error: httpx.RequestError | httpx.InvalidURL) -> StateMountError | RetryableError:
    """Return the error that stands for a request without an answer.

    Only an unanswered read, and a write that was never sent, may be repeated: any other write may have been done.
    """
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, httpx.InvalidURL):
        return InvalidInputError([Problem("value_error", ("path",), str(error))])
    if isinstance(error, _NEVER_SENDABLE):
        return ConfigurationError(f"{call.method} cannot be sent ({reason})")
    if not isinstance(error, httpx.TransportError):
        return UnexpectedAnswerError(f"the answer to {call.method} cannot be read ({reason})")
    if isinstance(error, _NEVER_SENT) or not call.is_write:
        return RetryableError(UnavailableError(f"the server does not answer ({reason})"))
    return WriteOutcomeUnknownError(f"the answer to {call.method} has not come ({reason}): it may have been done")


def check_connection(transport: object, http: object) -> None:
    """Refuse two ways to connect.

    Raises:
        ConfigurationError: Both are given.
    """
    if transport is not None and http is not None:
        raise ConfigurationError("transport and http are not used together: http has a transport of its own")


def _base_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"the server's URL is none: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError("the server's URL begins with http:// or https:// and a host")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise ConfigurationError("the server's URL has no user, no query and no fragment")
    return str(parsed).rstrip("/")
