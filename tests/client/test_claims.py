"""Claims: one holder at a time, in every form and on every database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from statemount.client import Claim, ClaimedError, ClaimLostError
from statemount.errors import ForbiddenError, KeyNotFoundError, WriteOutcomeUnknownError
from tests.client.meanwhile import Meanwhile, late
from tests.client.support import FaultyServer, Rest, Way, World, answer, client_of, closing, done
from tests.client.test_conditions import STATES, state_of

pytestmark = pytest.mark.anyio

TASKS = ("worker's task", "public task")


@asynccontextmanager
async def entered(claim: Any) -> AsyncIterator[Any]:
    """Hold a claim within the block, in the form that it has."""
    if isinstance(claim, Claim):
        with claim as held:
            yield held
    else:
        async with claim as held:
            yield held


@pytest.mark.parametrize("kind", TASKS)
async def test_one_holder_at_a_time(kind: str, stored_world: World) -> None:
    """A claim that somebody holds is refused at once, and free again when its block ends; tokens grow."""
    client, state = state_of(kind, stored_world)
    async with closing(client):
        tokens = []
        for _ in range(2):
            async with entered(state.claim("lock", ttl=timedelta(minutes=1))) as held:
                tokens.append(held.token)
                with pytest.raises(ClaimedError, match="'lock' is claimed by somebody else") as caught:
                    await done(state.claim("lock", ttl=60).take())
                assert (caught.value.key, caught.value.revision) == ("lock", held.token)
                async with entered(state.claim("other", ttl=60)) as other:
                    assert other.key == "other"
            with pytest.raises(KeyNotFoundError):
                await done(state.get("lock"))
        assert tokens == sorted(set(tokens))


@pytest.mark.parametrize("kind", TASKS)
async def test_what_stands_in_a_claim(kind: str, world: World) -> None:
    """People see who holds a claim, and until when; its time is counted from before it was asked for."""
    client, state = state_of(kind, world)
    async with closing(client), closing(world.user()) as user:
        seen = STATES["public task"](user, world)
        async with entered(state.claim("lock", ttl=60, holder="worker 7")) as held:
            entry = await done(seen.get("lock"))
            assert entry.value["holder"] == "worker 7"
            assert timedelta(seconds=50) < entry.expires_at - entry.updated_at < timedelta(seconds=70)
            assert entry.revision == held.token
            assert 0 < held.remaining <= 60
        claim = state.claim("lock", ttl=60)
        await done(claim.take())
        assert ":" in (await done(seen.get("lock"))).value["holder"]
        assert repr(claim) == f"<{type(claim).__name__} 'lock', {claim.token}>"
        await done(claim.release())
        assert "not held" in repr(claim)


@pytest.mark.parametrize("kind", TASKS)
async def test_a_renewal(kind: str, stored_world: World) -> None:
    """A renewed claim has its time again and keeps its token; whoever comes after it has a greater one."""
    rest = Rest(now=4_000_000_000.0)
    client, state = state_of(kind, stored_world, **rest.options(stored_world.way))
    async with closing(client):
        claim = state.claim("lock", ttl=60)
        await done(claim.take())
        token = claim.token
        for _ in range(3):
            rest.now += 40
            assert claim.remaining == 20
            await done(claim.renew())
            assert (claim.token, claim.remaining) == (token, 60)
        with pytest.raises(ValueError, match="taken already"):
            await done(claim.take())
        await done(claim.release())
        await done(claim.take())
        assert claim.token > token + 3


@pytest.mark.parametrize("kind", TASKS)
async def test_a_lost_claim(kind: str, stored_world: World) -> None:
    """A claim that is over, or was removed, is lost: to renew it or to give it up is an error, and harms nobody."""
    over = Rest(now=1_000_000_000.0)  # what is taken is over already
    client, state = state_of(kind, stored_world, **over.options(stored_world.way))
    other_client, other = state_of(kind, stored_world)
    async with closing(client), closing(other_client):
        for use in ("renew", "release"):
            claim = await done(state.claim("lock", ttl=60).take())
            async with entered(other.claim("lock", ttl=60)) as held:
                with pytest.raises(ClaimLostError, match="'lock' is lost"):
                    await done(getattr(claim, use)())
                for again in (claim.renew, claim.release):
                    with pytest.raises(ClaimLostError):
                        await done(again())
                for name in ("token", "remaining"):
                    with pytest.raises(ClaimLostError):
                        getattr(claim, name)
                await done(held.renew())
        with pytest.raises(ClaimLostError):
            async with entered(other.claim("lock", ttl=60)):
                await done(other.delete("lock"))
        async with entered(other.claim("lock", ttl=60)) as held:
            await done(other.delete("lock"))
            with pytest.raises(ClaimLostError):
                await done(held.renew())


@pytest.mark.parametrize("kind", TASKS)
async def test_waiting_for_a_claim(kind: str, world: World) -> None:
    """Who waits asks again less and less often, and gets the claim once it is free, or an error in the end."""
    rest = Rest()
    client, state = state_of(kind, world, **rest.options(world.way))
    other_client, other = state_of(kind, world)
    async with closing(client), closing(other_client):
        held = await done(other.claim("lock", ttl=600).take())
        with pytest.raises(ClaimedError):
            await done(state.claim("lock", ttl=60, wait=2).take())
        assert rest.slept == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 0.45])
        waiting = other.claim("lock", ttl=60, wait=30)
        if world.way == "threads":
            taking = asyncio.ensure_future(asyncio.to_thread(waiting.take))
        else:
            taking = asyncio.ensure_future(waiting.take())
        await asyncio.sleep(0)
        await done(held.release())
        assert (await taking).token > 0
        await done(waiting.release())


async def fail_in(state: Any, *, removes: bool) -> None:
    """Fail in a block that holds a claim."""
    async with entered(state.claim("lock", ttl=60)):
        if removes:
            await done(state.delete("lock"))
        raise ZeroDivisionError


@pytest.mark.parametrize("kind", TASKS)
async def test_a_block_that_fails(kind: str, world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The error of a block reaches the caller, and the claim is given up; if it is lost, that is logged."""
    client, state = state_of(kind, world)
    async with closing(client):
        for removes in (False, True):
            with pytest.raises(ZeroDivisionError):
                await fail_in(state, removes=removes)
            lines = [one.levelno for one in caplog.records if "could not be released" in one.message]
            assert lines == [logging.WARNING] * removes
        async with entered(state.claim("lock", ttl=60)) as held:
            await done(held.release())


@pytest.mark.parametrize("way", ["loop", "asgi"])
async def test_a_task_that_is_cancelled(world: World) -> None:
    """A claim is given up also where its task is cancelled."""
    async with closing(world.worker()) as client:
        state = client.task_instance(world.ti_id)
        is_held = asyncio.Event()

        async def hold() -> None:
            async with state.claim("lock", ttl=600):
                is_held.set()
                await asyncio.sleep(3600)

        task = asyncio.ensure_future(hold())
        await is_held.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with state.claim("lock", ttl=60) as held:
            assert held.remaining > 0


async def test_claims_that_cannot_be(world: World) -> None:
    """A claim needs a time, and the permission; an asset's entries do not expire, and have no claims."""
    async with closing(world.user(["state:read"])) as client:
        state = STATES["public task"](client, world)
        with pytest.raises(ForbiddenError):
            await done(state.claim("lock", ttl=60).take())
        for wrong in ({"ttl": 0}, {"ttl": timedelta(0)}, {"ttl": 60, "wait": -1}):
            with pytest.raises(ValueError, match="positive ttl"):
                state.claim("lock", **wrong)
        assert not hasattr(client.public.asset(1), "claim")


TI = UUID(int=1)


def seen(value: str, revision: int) -> bytes:
    """Return the answer to a get."""
    return answer(200, f'{{"value": {value}}}', ETag=f'"{revision}"')


MISSING = answer(404, '{"detail": {"reason": "not_found", "message": "Task state store key x not found"}}')
LOST = answer(504)


def granted(revision: int) -> bytes:
    """Return the answer to a set."""
    return answer(204, ETag=f'"{revision}"')


async def test_outcomes_that_are_unknown(socket_way: Way) -> None:
    """Where an answer is lost, a claim looks who has it, and goes on from there."""
    others = seen('{"holder": "x", "claim": "y"}', 7)
    cases: list[tuple[str, list[bytes], Any]] = [
        ("take", [LOST, MISSING, granted(8)], 8),
        ("take", [LOST, others], ClaimedError),
        ("take", [LOST, MISSING] * 4, WriteOutcomeUnknownError),
        ("renew", [granted(8), LOST, MISSING], ClaimLostError),
        ("renew", [granted(8), LOST, others], ClaimLostError),
        ("release", [granted(8), LOST, MISSING], None),
        ("release", [granted(8), LOST, others], None),
        ("release", [granted(8), LOST, seen("1", 8), answer(204)], None),
        ("release", [granted(8), *([LOST, seen("1", 8)] * 4)], WriteOutcomeUnknownError),
    ]
    for use, answers, expected in cases:
        rest = Rest()
        with FaultyServer(*answers) as server:
            async with closing(client_of(socket_way, server.url, token="t", **rest.options(socket_way))) as client:
                claim = client.task_instance(TI).claim("lock", ttl=60)
                if use != "take":
                    await done(claim.take())
                if isinstance(expected, type):
                    with pytest.raises(expected):
                        await done(getattr(claim, use)())
                else:
                    await done(getattr(claim, use)())
                    if use == "take":
                        assert claim.token == expected
        assert len(server.asked) == len(answers)


async def test_claims_whose_answers_are_lost(socket_world: World) -> None:
    """A claim is known again by its id where the server has done what was asked, and its answer was lost."""
    meanwhile = Meanwhile()
    options = late(meanwhile)
    transport = options["transport" if socket_world.way == "threads" else "async_transport"]
    async with closing(socket_world.worker(transport=transport)) as client:
        state = client.task_instance(socket_world.ti_id)
        claim = state.claim("lock", ttl=60)
        meanwhile.lose("PUT", 1, is_done=True)
        await done(claim.take())
        token = claim.token
        for is_done in (True, False):
            meanwhile.lose("PUT", 1, is_done=is_done)
            await done(claim.renew())
            assert claim.token == token
        meanwhile.lose("DELETE", 1, is_done=True)
        await done(claim.release())
        async with entered(state.claim("lock", ttl=60)) as held:
            assert held.token > token
