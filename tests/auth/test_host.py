"""The host app's own users."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from statemount.auth import HostAuth, JWTAuth
from statemount.errors import AuthenticationError, ForbiddenError, InvalidTokenError, UnavailableError
from statemount.interfaces import Identity
from tests.auth.support import TASK, request

pytestmark = pytest.mark.anyio


async def test_asynchronous_callable() -> None:
    """An asynchronous callable is given the connection and gives the identity."""

    async def identify(connection: HTTPConnection) -> Identity:
        return Identity(connection.headers["authorization"], task_instance_id=TASK)

    identity = await HostAuth(identify).authenticate(request("me"), "execution")
    assert identity == Identity("me", task_instance_id=TASK)


async def test_synchronous_callable() -> None:
    """A plain callable gives the identity at once."""
    assert await HostAuth(lambda connection: Identity(connection.url.path)).authenticate(
        request(), "public"
    ) == Identity("/")


async def test_nobody() -> None:
    """None means that nobody is known."""
    with pytest.raises(AuthenticationError) as caught:
        await HostAuth(lambda connection: None).authenticate(request(), "public")
    assert not isinstance(caught.value, InvalidTokenError)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("a"),
        InvalidTokenError("b", expired=True),
        ForbiddenError("c"),
        UnavailableError("d"),
        HTTPException(418),
        RuntimeError("a bug"),
    ],
)
async def test_errors_pass(error: Exception) -> None:
    """Our own errors, and those that say nothing about the caller, pass unchanged."""

    async def identify(connection: HTTPConnection) -> Identity:
        raise error

    with pytest.raises(type(error)) as caught:
        await HostAuth(identify).authenticate(request(), "public")
    assert caught.value is error


async def test_http_exceptions() -> None:
    """A host's 401 means that the caller is not known, its 403 that the caller may not, with the host's words."""

    def refuse(connection: HTTPConnection) -> Identity:
        raise HTTPException(int(connection.headers["authorization"]), "not on Sundays")

    with pytest.raises(AuthenticationError):
        await HostAuth(refuse).authenticate(request("401"), "public")
    with pytest.raises(ForbiddenError) as caught:
        await HostAuth(refuse).authenticate(request("403"), "public")
    assert caught.value.message == "not on Sundays"


async def test_wrong_answer() -> None:
    """Anything but an identity or None is the host's mistake, and lets nobody in."""
    wrong: Any = lambda connection: "ann"  # noqa: E731
    with pytest.raises(TypeError, match="must return an Identity or None, not str"):
        await HostAuth(wrong).authenticate(request(), "public")


def test_repr() -> None:
    """What is printed of it names the callable."""
    assert "test_repr" in repr(HostAuth(lambda connection: None))
    assert HostAuth(lambda connection: None).renew(Identity("x")) is None


async def test_workers_with_tokens_of_their_own() -> None:
    """With ``workers`` the host knows people alone: workers show tokens, which are renewed."""
    tokens = JWTAuth(secret="x" * 64)
    auth = HostAuth(lambda connection: Identity("grace", permissions=frozenset({"state:read"})), workers=tokens)
    await auth.open()
    token = tokens.tokens.worker(TASK, lifetime=20)
    worker = await auth.authenticate(request(f"Bearer {token}"), "execution")
    assert worker.task_instance_id == TASK
    assert auth.renew(worker) is not None
    assert (await auth.authenticate(request(f"Bearer {token}"), "public")).subject == "grace"
    with pytest.raises(AuthenticationError):
        await auth.authenticate(request(), "execution")
    await auth.close()
    assert HostAuth(lambda connection: None).renew(worker) is None
    assert repr(auth).endswith(f", workers={tokens!r})")
