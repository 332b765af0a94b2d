"""Writes on a condition, and updates, through accessors: without a backend, with one, and with objects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

from statemount.client import ClaimedError, Retries, StateValue, UnexpectedAnswerError
from statemount.clock import system_clock
from statemount.errors import (
    AuthenticationError,
    InvalidInputError,
    PreconditionFailedError,
    UnavailableError,
    WriteOutcomeUnknownError,
)
from statemount.worker import BackendError, MissingObjectError, StateAccessor, Worker
from statemount.worker.object_storage import ObjectStorageBackend
from tests.client.meanwhile import Meanwhile, late
from tests.client.support import AUTH, FaultyServer, answer
from tests.worker.accessors import FORMS, Site, site

if TYPE_CHECKING:
    from obstore.store import MemoryStore

pytestmark = pytest.mark.anyio

Keeping: TypeAlias = Literal["server", "backend", "objects"]
"""Where values are: on the server, in a backend that knows nothing of conditions, in object storage."""

KEEPINGS: tuple[Keeping, ...] = ("server", "backend", "objects")
STATES = ("task", "asset")


@pytest.fixture(params=FORMS)
async def here(request: pytest.FixtureRequest, backend_url: str | None) -> AsyncIterator[Site]:
    """Return a server on a database of every kind in turn."""
    async with site(backend_url or "memory://", request.param) as found:
        yield found


@pytest.fixture(params=FORMS)
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """Return a server in memory."""
    async with site("memory://", request.param) as found:
        yield found


@pytest.fixture
def place() -> MemoryStore:
    """Return a storage with no object."""
    from obstore.store import MemoryStore

    return MemoryStore()


def objects_at(place: MemoryStore) -> list[str]:
    """Return the paths of all objects."""
    import obstore

    return sorted(found["path"] for part in obstore.list(place) for found in part)


def worker_of(here: Site, keeping: Keeping, place: MemoryStore, **options: Any) -> Worker:
    """Return a worker whose values are kept in a way."""
    backend = here.backend if keeping == "backend" else None
    if keeping == "objects":
        return here.worker(backend=ObjectStorageBackend(place, inline_bytes=0), **options)
    return here.worker(backend=backend, **options)


def state_of(here: Site, worker: Worker, kind: str) -> StateAccessor:
    """Return the state of the task, or of the asset as a task with one asset uses it."""
    return worker.task_state if kind == "task" else worker.asset_states(outlets=[here.world.asset_name])


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("keeping", KEEPINGS)
async def test_a_set_at_a_revision(here: Site, keeping: Keeping, kind: str, place: MemoryStore) -> None:
    """A set goes ahead at the revision that was read; one that is refused leaves the winner's value where it is."""
    async with worker_of(here, keeping, place) as worker:
        state = state_of(here, worker, kind)
        assert await here.call(state, "get_entry", "key", 7) == StateValue(7, 0)
        first = await here.call(state, "set", "key", {"n": 1}, if_revision=0)
        assert await here.call(state, "get_entry", "key") == StateValue({"n": 1}, first)
        second = await here.call(state, "set", "key", {"n": 2}, if_revision=first)
        for revision in (0, first, second + 1):
            with pytest.raises(PreconditionFailedError) as caught:
                await here.call(state, "set", "key", {"n": 3}, if_revision=revision)
            assert caught.value.revision == second
            assert await here.call(state, "get", "key") == {"n": 2}
        with pytest.raises(PreconditionFailedError) as caught:
            await here.call(state, "set", "missing", 1, if_revision=second)
        assert caught.value.revision is None
        assert await here.call(state, "set", "key", {"n": 4}) == second + 1
        assert await here.call(state, "get", "key") == {"n": 4}


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("keeping", KEEPINGS)
async def test_a_set_that_loses(
    memory: Site, keeping: Keeping, kind: str, place: MemoryStore, meanwhile: Meanwhile
) -> None:
    """A set that somebody else overtakes on its way leaves the winner's value, and no object of its own."""
    rival = worker_of(memory, keeping, place)
    async with worker_of(memory, keeping, place, **late(meanwhile)) as worker, rival:
        state, other = state_of(memory, worker, kind), state_of(memory, rival, kind)
        seen = 0
        for _ in range(2):

            def win(seen: int = seen) -> None:
                other.set("key", {"winner": seen}, if_revision=seen)

            with meanwhile.before("PUT", win), pytest.raises(PreconditionFailedError):
                await memory.call(state, "set", "key", {"loser": seen}, if_revision=seen)
            entry = await memory.call(state, "get_entry", "key")
            assert entry.value == {"winner": seen}
            seen = entry.revision
    assert len(objects_at(place)) == (1 if keeping == "objects" else 0)


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("keeping", KEEPINGS)
async def test_an_update_that_loses(
    memory: Site, keeping: Keeping, kind: str, place: MemoryStore, meanwhile: Meanwhile
) -> None:
    """An update that somebody else overtakes begins again with what that one has written, and nothing is left."""
    async with (
        worker_of(memory, keeping, place, **late(meanwhile)) as worker,
        worker_of(memory, keeping, place) as rival,
    ):
        state, other = state_of(memory, worker, kind), state_of(memory, rival, kind)

        def append(items: list[int]) -> list[int]:
            items.append(len(items))
            return items

        with meanwhile.before("PUT", lambda: other.update("key", append, default=[])):
            assert await memory.call(state, "update", "key", append, default=[]) == [0, 1]
        with meanwhile.before("PUT", lambda: other.set("key", [7, 8])):
            assert await memory.call(state, "update", "key", append) == [7, 8, 2]
        with meanwhile.before("PUT", lambda: other.delete("key")):
            assert await memory.call(state, "update", "key", append, default=[]) == [0]
        with pytest.raises(ValueError, match="None"):
            await memory.call(state, "update", "key", lambda _: None)
        assert await memory.call(state, "get", "key") == [0]
        if keeping == "objects":
            assert len(objects_at(place)) == 1


@pytest.mark.parametrize("keeping", KEEPINGS)
async def test_updates_at_once(here: Site, keeping: Keeping, place: MemoryStore) -> None:
    """Of many updates at once none is lost, wherever the values are; each reader meanwhile gets one of them."""
    async with worker_of(here, keeping, place) as worker:
        state = worker.task_state
        updates = [here.call(state, "update", "key", lambda value: value + 1, default=0) for _ in range(8)]
        reads = [here.call(state, "get", "key", 0) for _ in range(8)]
        results = await asyncio.gather(*updates, *reads)
        assert sorted(results[:8]) == list(range(1, 9))
        assert await here.call(state, "get", "key") == 8
    if keeping == "objects":
        assert len(objects_at(place)) == 1


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("keeping", KEEPINGS)
async def test_a_delete_at_a_revision(
    memory: Site, keeping: Keeping, kind: str, place: MemoryStore, meanwhile: Meanwhile
) -> None:
    """A delete goes ahead at the revision that was read, and takes the object with it; else it takes nothing."""
    async with (
        worker_of(memory, keeping, place, **late(meanwhile)) as worker,
        worker_of(memory, keeping, place) as rival,
    ):
        state, other = state_of(memory, worker, kind), state_of(memory, rival, kind)
        revision = await memory.call(state, "set", "key", 1, if_revision=0)
        with pytest.raises(PreconditionFailedError):
            await memory.call(state, "delete", "key", if_revision=revision + 1)
        overtaken = meanwhile.before("DELETE", lambda: other.set("key", 2, if_revision=revision))
        with overtaken, pytest.raises(PreconditionFailedError):
            await memory.call(state, "delete", "key", if_revision=revision)
        entry = await memory.call(state, "get_entry", "key")
        assert entry.value == 2
        await memory.call(state, "delete", "key", if_revision=entry.revision)
        await memory.call(state, "set", "other", 3, if_revision=0)
        await memory.call(state, "delete", "other")
        await memory.call(state, "delete", "other")
        assert await memory.call(state, "get", "key") is None
    assert objects_at(place) == []


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("keeping", KEEPINGS)
async def test_a_clear_at_a_revision(memory: Site, keeping: Keeping, kind: str, place: MemoryStore) -> None:
    """A clear goes ahead at the revision of the scope, and removes everything that the backend keeps."""
    async with worker_of(memory, keeping, place) as worker:
        state = state_of(memory, worker, kind)
        await memory.call(state, "clear", if_revision=0)
        await memory.call(state, "set", "a", 1)
        last = await memory.call(state, "set", "b", 2, if_revision=0)
        with pytest.raises(PreconditionFailedError):
            await memory.call(state, "clear", if_revision=last - 1)
        assert [await memory.call(state, "get", key) for key in "ab"] == [1, 2]
        await memory.call(state, "clear", if_revision=last)
        assert [await memory.call(state, "get", key) for key in "ab"] == [None, None]
    assert objects_at(place) == []
    assert memory.backend.kept == {}


async def test_a_reader_of_a_version_that_is_replaced(memory: Site, place: MemoryStore) -> None:
    """Who has read a reference whose object is replaced before it is read gets the value that replaced it."""
    backend = ObjectStorageBackend(place, inline_bytes=0)
    found: list[str] = []

    class Replacing(ObjectStorageBackend):
        def deserialize_task_state_store_from_ref(self, stored: str) -> Any:
            if not found:
                found.append(stored)
                rival.task_state.set("key", "new", if_revision=revision)
            return super().deserialize_task_state_store_from_ref(stored)

    async with (
        memory.worker(backend=Replacing(place, inline_bytes=0)) as worker,
        memory.worker(backend=backend) as rival,
    ):
        for method, expected in (("get", "new"), ("get_entry", None)):
            revision = await rival.task_state.aset("key", "old")
            revision = await rival.task_state.aset("key", "older", if_revision=revision)
            found.clear()
            entry = await memory.call(worker.task_state, method, "key")
            assert (entry if expected else entry.value) == "new"
            with pytest.raises(MissingObjectError):
                backend.deserialize_task_state_store_from_ref(found[0])


async def test_a_set_that_is_refused_otherwise(memory: Site, place: MemoryStore, meanwhile: Meanwhile) -> None:
    """Whatever else the server refuses, nothing is left; and nothing is kept for a revision that is not there."""
    tokens = [AUTH.tokens.worker(memory.world.ti_id)]
    async with worker_of(memory, "objects", place, token=lambda: tokens[-1], **late(meanwhile)) as worker:
        state = worker.task_state
        with meanwhile.before("GET", lambda: None):
            tokens.append("no.valid.token")
            with pytest.raises(AuthenticationError):
                await memory.call(state, "set", "key", 1, if_revision=0)
            tokens.pop()
        with pytest.raises(InvalidInputError):
            await memory.call(state, "set", "key", float("nan"), if_revision=0)
        with pytest.raises(PreconditionFailedError):
            await memory.call(state, "set", "key", 1, if_revision=5)
    assert objects_at(place) == []


@pytest.mark.parametrize(
    ("reaction", "kind", "left"),
    [
        (answer(403, '{"detail": "Forbidden"}'), Exception, 0),
        (answer(503, '{"detail": "Service unavailable"}'), UnavailableError, 0),
        (answer(504), WriteOutcomeUnknownError, 1),
        (answer(500), UnexpectedAnswerError, 1),
    ],
    ids=["refused", "unavailable", "lost", "failed"],
)
async def test_an_object_of_unknown_use(
    memory: Site, place: MemoryStore, reaction: bytes, kind: type[Exception], left: int
) -> None:
    """An object stays where the server may have taken its reference, and goes where it has not."""
    with FaultyServer(
        answer(404, '{"detail": {"reason": "not_found", "message": "Task state key \'k\' not found"}}'), reaction
    ) as server:
        worker = Worker(
            server.url,
            token="t",
            ti_id=memory.world.ti_id,
            scope=memory.world.scope,
            backend=ObjectStorageBackend(place, inline_bytes=0),
            retries=Retries(attempts=1),
        )
        async with worker:
            with pytest.raises(kind) as caught:
                await memory.call(worker.task_state, "set", "k", 1, if_revision=0)
            assert not isinstance(caught.value, PreconditionFailedError)
    assert len(objects_at(place)) == left


async def test_what_a_backend_cannot_remove(
    memory: Site, caplog: pytest.LogCaptureFixture, meanwhile: Meanwhile
) -> None:
    """Where a backend fails to remove a value that nobody needs, that is logged, and the outcome stays what it is."""
    async with memory.worker(has_backend=True, **late(meanwhile)) as worker, memory.worker(has_backend=True) as rival:

        def win() -> None:
            rival.task_state.set("key", 1, if_revision=0)
            memory.backend.fails = True

        with meanwhile.before("PUT", win), pytest.raises(PreconditionFailedError):
            await memory.call(worker.task_state, "set", "key", 2, if_revision=0)
        memory.backend.fails = False
        assert [one.levelno for one in caplog.records if "did not get" in one.message] == [logging.WARNING]
        assert await memory.call(worker.task_state, "get", "key") == 1


async def test_a_version_that_cannot_be_removed(
    memory: Site, place: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the storage fails to remove a replaced value, that is logged, and the write counts as done."""

    class Failing(ObjectStorageBackend):
        def reference_replaced(self, scope: Any, key: str, reference: str) -> None:
            raise BackendError("the storage does not answer")

    async with memory.worker(backend=Failing(place, inline_bytes=0)) as worker:
        revision = await memory.call(worker.task_state, "set", "key", 1, if_revision=0)
        await memory.call(worker.task_state, "set", "key", 2, if_revision=revision)
        assert await memory.call(worker.task_state, "get", "key") == 2
    assert [record.levelno for record in caplog.records if "had before" in record.message] == [logging.WARNING]


@pytest.mark.parametrize("keeping", KEEPINGS)
async def test_a_claim(here: Site, keeping: Keeping, place: MemoryStore) -> None:
    """A task claims a key of its state for a time, wherever its values are, and one that is taken is refused."""
    ahead = 3600 * 1_000_000
    async with worker_of(here, keeping, place, clock=lambda: system_clock() + ahead) as worker:
        state = worker.task_state
        if here.form == "sync":

            def hold() -> int:
                with state.claim("lock", ttl=60, holder="me") as held:
                    with pytest.raises(ClaimedError):
                        state.claim("lock", ttl=60).take()
                    return held.token

            assert await asyncio.to_thread(hold) > 0
        else:
            async with state.aclaim("lock", ttl=60, holder="me") as held:
                with pytest.raises(ClaimedError):
                    await state.aclaim("lock", ttl=60).take()
                entry = await here.task_entry("lock")
                assert entry is not None
                assert (entry.revision, entry.value["holder"]) == (held.token, "me")
                assert entry.expires_at is not None
                assert timedelta(minutes=60) < entry.expires_at - entry.updated_at < timedelta(minutes=62)
        assert await here.task_entry("lock") is None
    assert objects_at(place) == []


@pytest.mark.parametrize("kind", STATES)
async def test_the_state_as_the_server_has_it(memory: Site, kind: str, place: MemoryStore) -> None:
    """Batches, lists and updates in one step are those of the client, with references where a backend has the value."""
    async with worker_of(memory, "objects", place) as worker:
        state = state_of(memory, worker, kind)
        await memory.call(state, "set", "kept", {"large": True})
        if memory.form == "sync":
            assert await asyncio.to_thread(state.server.increment, "rows", 5) == 5
            page = await asyncio.to_thread(state.server.list)
        else:
            assert await state.aserver.increment("rows", 5) == 5
            page = await state.aserver.list()
        kept, rows = page.entries
        assert (kept.key, list(kept.value)) == ("kept", ["__airflow_state_ref__"])
        assert (rows.key, rows.value) == ("rows", 5)
