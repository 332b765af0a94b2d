"""Where the token stands in a request."""

from __future__ import annotations

import pytest

from statemount.auth import JWTAuth
from statemount.errors import AuthenticationError, InvalidTokenError
from tests.auth.support import SECRET, TASK, Clock, request, signed, worker_claims

pytestmark = pytest.mark.anyio

TOKEN = signed(worker_claims())


@pytest.mark.parametrize("prefix", ["Bearer ", "bearer ", "BEARER ", "bEaReR   ", " Bearer ", "Bearer \t"])
@pytest.mark.parametrize("suffix", ["", " ", "\t"])
async def test_scheme(prefix: str, suffix: str) -> None:
    """The scheme is Bearer in any case, with white space around the token."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    assert (await auth.authenticate(request(f"{prefix}{TOKEN}{suffix}"), "execution")).task_instance_id == TASK


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer  \t ",
        "Basic YTpi",
        "Token x",
        TOKEN,
        f"Bearer:{TOKEN}",
        f"JWT {TOKEN}",
        f"Bearer\t{TOKEN}",
        b"\xff\xfe",
        "Négociate x",
    ],
)
async def test_no_token(header: str | bytes) -> None:
    """A header that is empty, of another scheme or without a token is no credential at all."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    with pytest.raises(AuthenticationError) as caught:
        await auth.authenticate(request(header), "execution")
    assert not isinstance(caught.value, InvalidTokenError)


async def test_no_header() -> None:
    """A request without an Authorization header shows no credential."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    with pytest.raises(AuthenticationError) as caught:
        await auth.authenticate(request(), "public")
    assert not isinstance(caught.value, InvalidTokenError)


async def test_two_headers() -> None:
    """Two Authorization headers are refused, even if both hold the same good token."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    for second in (f"Bearer {TOKEN}", "", "Basic YTpi"):
        with pytest.raises(InvalidTokenError, match="2 Authorization headers"):
            await auth.authenticate(request(f"Bearer {TOKEN}", second), "execution")


@pytest.mark.parametrize("length", [16 * 1024 + 1, 100_000])
async def test_long_token(length: int) -> None:
    """A header above 16 KiB is refused, also if the token is good."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    with pytest.raises(InvalidTokenError, match="longer than 16384 bytes"):
        await auth.authenticate(request(b"Bearer " + b"x" * (length - 7)), "execution")
    with pytest.raises(InvalidTokenError, match="longer than 16384 bytes"):
        await auth.authenticate(request(f"Bearer {signed(worker_claims(extra='x' * length))}"), "execution")


async def test_token_of_twelve_kilobytes() -> None:
    """A long token below the limit is accepted."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    token = signed(worker_claims(extra="x" * 11_000))
    assert (await auth.authenticate(request(f"Bearer {token}"), "execution")).task_instance_id == TASK
