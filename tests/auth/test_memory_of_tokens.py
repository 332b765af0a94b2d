"""Verified tokens are remembered, and never for longer than they are valid."""

from __future__ import annotations

from typing import Any

import pytest

from statemount.auth import JWTAuth
from statemount.auth.verified import VerifiedTokens, fingerprint
from statemount.errors import InvalidTokenError
from statemount.interfaces import Identity
from tests.auth.support import NOW, SECRET, Clock, accepts, identify, signed, worker_claims

pytestmark = pytest.mark.anyio


async def test_same_identity() -> None:
    """A token that is shown again gives the identity that was made the first time."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    token = signed(worker_claims())
    first = await identify(auth, token)
    assert await identify(auth, token) is first
    assert await identify(auth, signed(worker_claims(jti="other"))) is not first


async def test_expiry_of_a_remembered_token() -> None:
    """A remembered token is refused from its exp plus leeway on."""
    clock = Clock()
    auth = JWTAuth(secret=SECRET, clock=clock)
    token = signed(worker_claims())
    await identify(auth, token)
    clock.seconds = NOW + 609.999
    assert await accepts(auth, token)
    clock.seconds = NOW + 610
    with pytest.raises(InvalidTokenError) as caught:
        await identify(auth, token)
    assert caught.value.expired


@pytest.mark.parametrize("changes", [{"nbf": NOW}, {"nbf": ..., "iat": NOW}])
async def test_clock_set_back(changes: dict[str, Any]) -> None:
    """A remembered token is refused while the clock says that it is not valid yet."""
    clock = Clock()
    auth = JWTAuth(secret=SECRET, clock=clock)
    token = signed(worker_claims(**changes))
    await identify(auth, token)
    clock.seconds = NOW - 11
    with pytest.raises(InvalidTokenError, match="not valid yet"):
        await identify(auth, token)
    clock.seconds = NOW - 10
    assert await accepts(auth, token)


async def test_another_token_after_a_remembered_one() -> None:
    """A token that differs in its signature alone from a remembered one is refused."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    token = signed(worker_claims())
    await identify(auth, token)
    with pytest.raises(InvalidTokenError):
        await identify(auth, f"{token.rpartition('.')[0]}.{'A' * 86}")


def test_bounded() -> None:
    """The memory keeps at most as many tokens as it is told to, and those that were used last."""
    memory = VerifiedTokens(10)
    identities = [Identity(str(number)) for number in range(100)]
    for number, identity in enumerate(identities):
        memory.add(fingerprint(b"%d" % number), identity, since=0, until=10)
        assert memory.get(fingerprint(b"0"), 5) is identities[0]
        assert len(memory) <= 10
    assert memory.get(fingerprint(b"99"), 5) is identities[99]
    assert memory.get(fingerprint(b"50"), 5) is None


@pytest.mark.parametrize("size", [0, 1])
def test_smallest(size: int) -> None:
    """The smallest memory holds the last token or two."""
    memory = VerifiedTokens(size)
    for number in range(5):
        memory.add(b"%d" % number, Identity(str(number)), since=0, until=10)
        found = memory.get(b"%d" % number, 5)
        assert found is not None
        assert found.subject == str(number)
        assert len(memory) <= 2


def test_period() -> None:
    """A remembered token is given from its first moment on, up to and without its last."""
    memory = VerifiedTokens(10)
    identity = Identity("ann")
    memory.add(b"k", identity, since=3, until=7)
    assert [memory.get(b"k", now) is identity for now in (2, 3, 6, 7)] == [False, True, True, False]


async def test_tokens_are_not_kept() -> None:
    """The memory holds no token, only what it is recognised by."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    token = signed(worker_claims())
    await identify(auth, token)
    for memory in auth._memory.values():
        assert all(len(key) == 32 for key in memory._known)
    assert len(auth._memory["execution"]) == 1
    assert len(auth._memory["public"]) == 0
