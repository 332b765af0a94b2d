"""Tests of a project that uses the plugin's fixtures: run by :mod:`tests.testing.test_pytest_plugin`, not here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from statemount import JWTAuth, StateMount
from statemount.auth.tokens import TokenIssuer
from statemount.client import AsyncStateClient, StateClient
from statemount.errors import ForbiddenError, InvalidTokenError, KeyNotFoundError, TooLargeError
from statemount.testing import FakeClock, SyncWorkerFactory, WorkerFactory

asynchronous = pytest.mark.anyio


@asynchronous
@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_a_state_of_its_own(
    turn: int, statemount_worker: WorkerFactory, statemount_client: AsyncStateClient
) -> None:
    """The second turn finds nothing of the first, neither state nor assets."""
    worker = await statemount_worker(outlets=["orders"])
    with pytest.raises(KeyNotFoundError):
        await worker.state.get("turn")
    await worker.state.set("turn", turn)
    assert await worker.state.get("turn") == turn
    assert (await statemount_client.directory.assets()).total == 1


@asynchronous
async def test_assets_by_name_and_uri(statemount_state: StateMount, statemount_worker: WorkerFactory) -> None:
    """A worker is registered with assets by name, URI or object; a name that nobody has is a new asset."""
    lake = await statemount_state.directory.register_asset(name="lake", uri="s3://lake")
    for choice in ("lake", "s3://lake", lake):
        worker = await statemount_worker(inlets=[choice], outlets=["new"])
        await worker.asset(uri="s3://lake").set("seen", 1)
        await worker.asset(name="new").set("seen", 2)
        assert worker.task_instance.inlets == {lake.asset_id}
    stranger = await statemount_worker(task_id="stranger")
    with pytest.raises(ForbiddenError):
        await stranger.asset(name="lake").get("seen")


@asynchronous
async def test_a_retry_has_another_id_and_the_same_state(statemount_worker: WorkerFactory) -> None:
    """The same ids again are a retry; another map index is another task instance."""
    first = await statemount_worker(map_index=3)
    await first.state.set("job_id", "job-42")
    second = await statemount_worker(map_index=3, try_number=2)
    assert first.id != second.id
    assert await second.state.get("job_id") == "job-42"
    other = await statemount_worker(map_index=4)
    with pytest.raises(KeyNotFoundError):
        await other.state.get("job_id")


@asynchronous
async def test_time_passes_when_it_is_told_to(
    statemount_worker: WorkerFactory,
    statemount_client: AsyncStateClient,
    statemount_clock: FakeClock,
) -> None:
    """Entries expire when the clock is moved, and clients go on, for their tokens are signed anew."""
    worker = await statemount_worker()
    await worker.state.set("lease", 1, expires_at=statemount_clock.now + timedelta(hours=2))
    await statemount_client.public.task(dag_id="dag", run_id="run", task_id="task").set("note", 2)
    statemount_clock.advance(2 * 60 * 60 - 1)
    assert await worker.state.get("lease") == 1
    statemount_clock.advance(1)
    with pytest.raises(KeyNotFoundError):
        await worker.state.get("lease")
    assert await worker.state.get("note") == 2
    statemount_clock.advance(timedelta(days=30))
    with pytest.raises(KeyNotFoundError):
        await worker.state.get("note")


@asynchronous
async def test_tokens_expire(
    statemount_state: StateMount,
    statemount_worker: WorkerFactory,
    statemount_tokens: TokenIssuer,
    statemount_clock: FakeClock,
) -> None:
    """A token that a test signs lives as long as it says, by the clock."""
    worker = await statemount_worker()
    token = statemount_tokens.worker(worker.id, lifetime=60)
    async with AsyncStateClient("http://app", token=token, transport=httpx.ASGITransport(statemount_state)) as client:
        await client.task_instance(worker.id).set("key", 1)
        statemount_clock.advance(3600)
        with pytest.raises(InvalidTokenError):
            await client.task_instance(worker.id).get("key")


@asynchronous
@pytest.mark.parametrize("statemount_settings", [{"max_body_bytes": 100}])
async def test_settings_of_one_test(statemount_worker: WorkerFactory) -> None:
    """A test has settings of its own by parametrizing their fixture."""
    worker = await statemount_worker()
    with pytest.raises(TooLargeError):
        await worker.state.set("key", "x" * 100)


def test_without_await(statemount_sync_worker: SyncWorkerFactory, statemount_sync_client: StateClient) -> None:
    """Code that does not await has the same clients."""
    worker = statemount_sync_worker(outlets=["orders"])
    worker.state.set("text", "é" * 10_000)
    worker.asset(name="orders").set("watermark", 7)
    assert worker.state.get("text") == "é" * 10_000
    page = statemount_sync_client.public.task(dag_id="dag", run_id="run", task_id="task").list()
    assert [entry.key for entry in page.entries] == ["text"]
    worker.state.clear()
    with pytest.raises(KeyNotFoundError):
        worker.state.get("text")


@asynchronous
async def test_both_kinds_of_clients_see_the_same_state(
    statemount_worker: WorkerFactory, statemount_sync_worker: SyncWorkerFactory
) -> None:
    """What one kind of client writes, the other one reads."""
    worker = await statemount_worker()
    await worker.state.set("key", "from the loop")
    other = statemount_sync_worker(try_number=2)
    assert other.state.get("key") == "from the loop"
    other.state.set("key", "from a thread")
    retry = await statemount_worker(try_number=3)
    assert await retry.state.get("key") == "from a thread"


@asynchronous
async def test_in_process(statemount_state: StateMount, statemount_worker: WorkerFactory) -> None:
    """What a worker writes is there in process."""
    worker = await statemount_worker()
    await worker.state.set("key", [1])
    entry = await statemount_state.service.tasks.get(worker.task_instance.scope, "key")
    assert entry.load() == [1]


class TestMounted:
    """The state below a prefix of a FastAPI application."""

    @pytest.fixture
    def statemount_app(self, statemount_state: StateMount, statemount_auth: JWTAuth) -> FastAPI:
        """Return the application, which hands out tokens."""
        app = FastAPI(lifespan=statemount_state.lifespan)
        app.mount("/below/state", statemount_state)
        app.get("/token")(lambda: statemount_auth.tokens.public("me", ["state:read"]))
        return app

    @pytest.fixture
    def statemount_prefix(self) -> str:
        """Say where it is."""
        return "/below/state"

    @asynchronous
    async def test_clients_go_through_the_application(
        self, statemount_app: FastAPI, statemount_worker: WorkerFactory
    ) -> None:
        """Workers go through the application, whose own routes work, too, and whose tokens are accepted."""
        worker = await statemount_worker()
        await worker.state.set("key", 1)
        transport = httpx.ASGITransport(statemount_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as browser:
            token = (await browser.get("/token")).json()
        async with AsyncStateClient("http://app/below/state", token=token, transport=transport) as client:
            task = client.public.task(dag_id="dag", run_id="run", task_id="task")
            assert (await task.get("key")).value == 1

    def test_without_await(self, statemount_sync_worker: SyncWorkerFactory) -> None:
        """So do clients that do not await."""
        worker = statemount_sync_worker()
        worker.state.set("key", 1)
        assert worker.state.get("key") == 1

    @asynchronous
    async def test_errors_of_the_application_are_raised(
        self, statemount_app: Any, statemount_worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An exception of the application reaches the test, not an answer with 500."""

        async def broken(request: object, call_next: Callable[..., Any]) -> None:
            raise ZeroDivisionError

        worker = await statemount_worker()
        statemount_app.middleware("http")(broken)
        with pytest.raises(ZeroDivisionError):
            await worker.state.get("key")
