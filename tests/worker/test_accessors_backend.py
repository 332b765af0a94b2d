"""Accessors with a worker-side backend, against a real server: who has what, and in which order it goes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone

import pytest

from statemount.errors import AuthenticationError, ConfigurationError
from statemount.model import from_datetime
from statemount.worker import BackendError, MissingObjectError
from tests.client.support import AUTH
from tests.worker.accessors import FORMS, Form, Site, address, asset_scope, site

pytestmark = pytest.mark.anyio

MARKER = "__airflow_state_ref__"
FAR = datetime(2999, 1, 1, 12, tzinfo=timezone.utc)
"""What the worker's clock says: so late that no entry is over."""


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    """Return which forms of methods are called."""
    found: Form = request.param
    return found


@pytest.fixture
async def here(form: Form, backend_url: str | None) -> AsyncIterator[Site]:
    """Return a server on a database of every kind in turn."""
    async with site(backend_url or "memory://", form) as found:
        yield found


@pytest.fixture
async def memory(form: Form) -> AsyncIterator[Site]:
    """Return a server in memory."""
    async with site("memory://", form) as found:
        yield found


async def test_a_task_value_goes_to_the_backend(here: Site) -> None:
    """The backend keeps a task's value under its scope, the server the reference with its expiry; get resolves it."""
    async with here.worker(has_backend=True, clock=lambda: from_datetime(FAR)) as worker:
        await here.call(worker.task_state, "set", "job_id", {"app": 1})
        entry = await here.task_entry("job_id")
        assert entry is not None
        assert list(entry.value) == [MARKER]
        assert "app" not in str(entry.value)
        assert entry.expires_at == FAR + timedelta(days=30)
        assert here.backend.scopes == [here.world.scope]
        assert here.calls == ["keep", "PUT", "reference_written"]
        assert await here.call(worker.task_state, "get", "job_id") == {"app": 1}
        assert await here.call(worker.task_state, "get", "missing", 7) == 7


@pytest.mark.parametrize("by", ["name", "uri"])
async def test_an_asset_value_goes_to_the_backend(here: Site, by: str) -> None:
    """The backend keeps an asset's value under its name or URI, the server the marked reference; get resolves it."""
    async with here.worker(has_backend=True) as worker:
        state = worker.asset_state(**address(here.world, by))
        await here.call(state, "set", "watermark", "2026-05-01")
        entry = await here.asset_entry("watermark")
        assert entry is not None
        assert list(entry.value) == [MARKER]
        assert here.backend.scopes == [asset_scope(here.world, by)]
        assert here.calls == ["keep", "PUT", "reference_written"]
        assert await here.call(state, "get", "watermark") == "2026-05-01"


async def test_the_only_asset_has_the_backend(memory: Site) -> None:
    """Direct use of a task's only asset goes through the backend, too."""
    async with memory.worker(has_backend=True) as worker:
        await memory.call(worker.asset_states(outlets=[memory.world.asset_name]), "set", "watermark", 1)
    entry = await memory.asset_entry("watermark")
    assert entry is not None
    assert list(entry.value) == [MARKER]


async def test_a_task_value_is_deleted_on_both_sides(memory: Site) -> None:
    """A delete removes the server's reference first, then the value."""
    async with memory.worker(has_backend=True) as worker:
        await memory.call(worker.task_state, "set", "job_id", 1)
        await memory.call(worker.task_state, "set", "other", 2)
        memory.calls.clear()
        await memory.call(worker.task_state, "delete", "job_id")
        assert memory.calls == ["DELETE", "delete"]
        assert await memory.task_entry("job_id") is None
        assert await memory.call(worker.task_state, "get", "job_id") is None
        assert [key for _, key in memory.backend.kept] == ["other"]


@pytest.mark.parametrize("by", ["name", "uri"])
async def test_an_asset_value_is_deleted_on_both_sides(memory: Site, by: str) -> None:
    """A delete removes the server's reference first, then the value; a clear does so with all of them."""
    async with memory.worker(has_backend=True) as worker:
        state = worker.asset_state(**address(memory.world, by))
        for key in ("watermark", "file_count", "cursor"):
            await memory.call(state, "set", key, key)
        memory.calls.clear()
        await memory.call(state, "delete", "watermark")
        assert memory.calls == ["DELETE", "delete"]
        assert await memory.asset_entry("watermark") is None
        assert sorted(key for _, key in memory.backend.kept) == ["cursor", "file_count"]
        memory.calls.clear()
        await memory.call(state, "clear")
        assert memory.calls == ["DELETE", "clear"]
        assert await memory.asset_entry("file_count") is None
        assert memory.backend.kept == {}


@pytest.mark.parametrize("all_map_indices", [False, True])
async def test_a_task_is_cleared_on_both_sides(here: Site, all_map_indices: bool) -> None:
    """A clear removes the server's references first, then the values: of this map index, or of all of them."""
    ti_id, scope = await here.register(map_index=3)
    async with here.worker(has_backend=True, token=AUTH.tokens.worker(ti_id), ti_id=ti_id, scope=scope) as mapped:
        await here.call(mapped.task_state, "set", "key", 3)
    async with here.worker(has_backend=True) as worker:
        await here.call(worker.task_state, "set", "key", 1)
        await here.call(worker.task_state, "set", "other", 2)
        here.calls.clear()
        await here.call(worker.task_state, "clear", all_map_indices=all_map_indices)
        assert here.calls == ["DELETE", "clear"]
        assert await here.task_entry("key") is None
        assert await here.task_entry("other") is None
    assert (await here.task_entry("key", scope) is None) == all_map_indices
    assert [key for _, key in here.backend.kept] == ([] if all_map_indices else ["key"])


async def test_clear_on_success(memory: Site) -> None:
    """Wmemory the server clears a task that succeeds, the worker clears its backend with no call to the server."""
    async with memory.worker(has_backend=True) as worker:
        await memory.call(worker.task_state, "set", "key", 1)
        memory.calls.clear()
        await memory.call(worker.task_state, "clear_backend")
    assert memory.calls == ["clear"]
    assert memory.backend.kept == {}
    assert await memory.task_entry("key") is not None
    async with memory.worker() as worker:
        await memory.call(worker.task_state, "clear_backend")


async def test_what_the_server_refuses_to_delete_stays(memory: Site) -> None:
    """If the server does not take a delete or a clear, the value stays, and the reference with it."""
    async with memory.worker(has_backend=True) as worker:
        await memory.call(worker.task_state, "set", "key", 1)
    async with memory.worker(has_backend=True, token="no.valid.token") as worker:
        for method, arguments in (("delete", ["key"]), ("clear", [])):
            with pytest.raises(AuthenticationError):
                await memory.call(worker.task_state, method, *arguments)
    async with memory.worker(has_backend=True) as worker:
        assert await memory.call(worker.task_state, "get", "key") == 1


async def test_a_value_that_the_backend_does_not_remove(memory: Site) -> None:
    """If the backend fails, the reference is gone, nobody sees the value, and the next set of the key replaces it."""
    async with memory.worker(has_backend=True) as worker:
        await memory.call(worker.task_state, "set", "key", 1)
        memory.backend.fails = True
        for method, arguments in (("delete", ["key"]), ("clear", [])):
            with pytest.raises(BackendError):
                await memory.call(worker.task_state, method, *arguments)
        assert await memory.task_entry("key") is None
        assert await memory.call(worker.task_state, "get", "key", "default") == "default"
        memory.backend.fails = False
        await memory.call(worker.task_state, "set", "key", 2)
        assert await memory.call(worker.task_state, "get", "key") == 2
        assert len(memory.backend.kept) == 1


async def test_a_value_that_the_backend_does_not_keep(memory: Site) -> None:
    """If the backend cannot keep a value, the server is not asked, and the last value stays."""
    async with memory.worker(has_backend=True) as worker:
        await memory.call(worker.task_state, "set", "key", 1)
        memory.backend.fails = True
        memory.calls.clear()
        with pytest.raises(BackendError):
            await memory.call(worker.task_state, "set", "key", 2)
        assert memory.calls == []
        assert await memory.call(worker.task_state, "get", "key") == 1


async def test_a_value_that_was_written_without_the_backend(memory: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Values of tasks and assets that the server has as they are, are returned as they are, with a warning."""
    async with memory.worker() as without, memory.worker(has_backend=True) as worker:
        for state in ("task_state", "asset_state"):
            plain, kept = (
                one.task_state if state == "task_state" else one.asset_state(name=memory.world.asset_name)
                for one in (without, worker)
            )
            await memory.call(plain, "set", "key", {"plain": 1})
            caplog.clear()
            assert await memory.call(kept, "get", "key") == {"plain": 1}
            assert [(level, "'key'" in text) for name, level, text in caplog.record_tuples if "worker" in name] == [
                (logging.WARNING, True)
            ]


async def test_a_value_that_is_gone_is_not_the_default(memory: Site) -> None:
    """A reference without its value is an error, and so is one that is read without a backend: never the default."""
    async with memory.worker() as without, memory.worker(has_backend=True) as worker:
        await memory.call(worker.task_state, "set", "key", 1)
        with pytest.raises(ConfigurationError, match="none is configured"):
            await memory.call(without.task_state, "get", "key", "default")
        memory.backend.kept.clear()
        with pytest.raises(MissingObjectError):
            await memory.call(worker.task_state, "get", "key", "default")


async def test_a_retry_finds_the_value(memory: Site) -> None:
    """The next try of a task has another UUID and the same scope, under which it finds what the backend keeps."""
    async with memory.worker(has_backend=True) as worker:
        await memory.call(worker.task_state, "set", "key", "value")
    ti_id, _ = await memory.register()
    async with memory.worker(has_backend=True, token=AUTH.tokens.worker(ti_id), ti_id=ti_id) as worker:
        assert await memory.call(worker.task_state, "get", "key") == "value"


async def test_a_backend_needs_the_ids_of_the_task(memory: Site) -> None:
    """With a backend and without the task's ids its state cannot be used; assets can."""
    async with memory.worker(has_backend=True, scope=None) as worker:
        with pytest.raises(ConfigurationError, match="dag_id"):
            await memory.call(worker.task_state, "get", "key")
        await memory.call(worker.asset_state(name=memory.world.asset_name), "set", "key", 1)
    async with memory.worker(scope=None) as worker:
        await memory.call(worker.task_state, "set", "key", 1)
        assert await memory.call(worker.task_state, "get", "key") == 1
