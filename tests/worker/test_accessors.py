"""Accessors against a real server, in both forms.

What Airflow's own tests say of its accessors, scopes and worker-side backends, and where it is tested here:

================================================================  ===================================================
fact                                                              test
================================================================  ===================================================
a task's get returns the value                                    test_a_task_keeps_state
a key that is missing is None, or the default                     test_a_missing_key_is_the_default
any other error of the server reaches the task                    test_an_error_is_not_the_default
without a retention the default applies, from the worker's clock  test_the_default_retention_is_resolved_here
a retention overrides the default                                 test_a_retention_is_kept_to
NEVER_EXPIRE: no expiry                                           test_an_entry_may_never_expire
a default of 0 days: no expiry                                    test_accessors_worker: test_retention_of_environment
delete removes one key, and is a no-op if there is none           test_a_task_keeps_state
clear concerns this map index                                     test_clear_concerns_this_map_index
clear with all_map_indices concerns all                           test_clear_concerns_all_map_indices
a value None is refused                                           test_none_is_refused
an asset's get, set, delete, clear, by name and by URI            test_an_asset_keeps_state
an asset accessor needs a name or a URI                           test_an_asset_has_one_address
equality, hash and repr of accessors                              test_accessors_are_values
inlets and outlets by asset                                       test_accessors_assets: test_subscript_*
direct use with exactly one inlet or outlet                       test_accessors_assets: test_the_only_asset_*
helpful errors otherwise                                          test_accessors_assets: test_*_is_refused
an alias as inlet or outlet                                       there are no aliases here
set keeps the value in the backend, and sends the reference       test_accessors_backend: test_*_value_goes_to_*
get resolves the reference                                        test_accessors_backend: the same
delete and clear remove the server's reference and the value      test_accessors_backend: test_*_on_both_sides
clear_on_success clears the backend, with no call to the server   test_accessors_backend: test_clear_on_success
the backend is given the scope of the task or the asset           test_accessors_backend: test_*_value_goes_to_*
a backend is loaded once, by path; a clear error if it cannot be  test_backends: test_backend_is_made_once, ...
a reference is deterministic; the hooks' round trip               test_backends: BackendConformance
eight methods of a backend are abstract                           test_backends: test_eight_methods_are_abstract
AssetScope needs an id, a name or a URI                           test_backends: test_asset_scope_names_an_asset
================================================================  ===================================================
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from statemount.errors import (
    AssetNotFoundError,
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    InvalidInputError,
    TaskInstanceNotFoundError,
)
from statemount.model import from_datetime
from statemount.worker import DEFAULT_RETENTION, NEVER_EXPIRE
from tests.client.support import AUTH
from tests.worker.accessors import FORMS, Form, Site, address, site

pytestmark = pytest.mark.anyio

FAR = datetime(2999, 1, 1, 12, tzinfo=timezone.utc)
"""What the worker's clock says: so late that no entry is over."""

VALUES: list[Any] = [0, False, "", [], {}, "ä", 1.5, {"a": [None, 1]}]


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


async def test_a_task_keeps_state(here: Site) -> None:
    """A task sets, gets, overwrites, deletes and clears; deleting what is missing is a no-op."""
    async with here.worker() as worker:
        state = worker.task_state
        for value in VALUES:
            await here.call(state, "set", "job/id", value)
            assert await here.call(state, "get", "job/id", "default") == value
        await here.call(state, "set", "other", 1)
        await here.call(state, "delete", "job/id")
        await here.call(state, "delete", "job/id")
        assert await here.call(state, "get", "job/id") is None
        assert await here.call(state, "get", "other") == 1
        await here.call(state, "clear")
        assert await here.call(state, "get", "other") is None


@pytest.mark.parametrize("by", ["name", "uri"])
async def test_an_asset_keeps_state(here: Site, by: str) -> None:
    """A task sets, gets, overwrites, deletes and clears the state of an asset, by its name or by its URI."""
    async with here.worker() as worker:
        state = worker.asset_state(**address(here.world, by))
        for value in VALUES:
            await here.call(state, "set", "watermark", value)
            assert await here.call(state, "get", "watermark", "default") == value
        await here.call(state, "set", "other", 1)
        await here.call(state, "delete", "watermark")
        await here.call(state, "delete", "watermark")
        assert await here.call(state, "get", "watermark", "default") == "default"
        assert await here.asset_entry("other") is not None
        await here.call(state, "clear")
        assert await here.call(state, "get", "other") is None


async def test_a_missing_key_is_the_default(memory: Site) -> None:
    """A key that is missing, or over, is None, or the default that is given."""
    async with memory.worker() as worker:
        await memory.call(worker.task_state, "set", "over", 1, retention=timedelta(seconds=-1))
        for state in (worker.task_state, worker.asset_state(name=memory.world.asset_name)):
            for key in ("missing", "over"):
                assert await memory.call(state, "get", key) is None
                assert await memory.call(state, "get", key, 0) == 0
                assert await memory.call(state, "get", key, default=[]) == []


async def test_an_error_is_not_the_default(memory: Site) -> None:
    """What is not a missing key is an error: an unknown task instance or asset, a bad key, a bad token, a refusal."""
    foreign = await memory.world.state.directory.register_asset(name="foreign", uri="s3://foreign")
    unknown = uuid4()
    async with memory.worker() as worker:
        for state, key, error in (
            (worker.task_state, "k" * 513, InvalidInputError),
            (worker.asset_state(name="nobody's"), "key", AssetNotFoundError),
            (worker.asset_state(uri="s3://nobody's"), "key", AssetNotFoundError),
            (worker.asset_state(name=foreign.name), "key", ForbiddenError),
        ):
            with pytest.raises(error):
                await memory.call(state, "get", key, "default")
    async with memory.worker(token="not.a.token") as worker:
        with pytest.raises(AuthenticationError):
            await memory.call(worker.task_state, "get", "key", "default")
    async with memory.worker(token=AUTH.tokens.worker(unknown), ti_id=unknown) as worker:
        with pytest.raises(TaskInstanceNotFoundError):
            await memory.call(worker.task_state, "get", "key", "default")


async def test_none_is_refused(memory: Site) -> None:
    """A value None is refused before anything is asked of anybody."""
    async with memory.worker(has_backend=True) as worker:
        one = worker.asset_states(outlets=[memory.world.asset_name])
        for state in (worker.task_state, worker.asset_state(name=memory.world.asset_name), one):
            with pytest.raises(ValueError, match="None cannot be set"):
                await memory.call(state, "set", "key", None)
    assert memory.calls == []


async def test_the_default_retention_is_resolved_here(memory: Site) -> None:
    """Without a retention an entry is kept for the worker's default from the worker's clock on, 30 days by default."""
    async with memory.worker(clock=lambda: from_datetime(FAR)) as worker:
        await memory.call(worker.task_state, "set", "key", 1)
    entry = await memory.task_entry("key")
    assert entry is not None
    assert entry.expires_at == FAR + timedelta(days=30) == FAR + DEFAULT_RETENTION
    async with memory.worker(clock=lambda: from_datetime(FAR), default_retention=timedelta(hours=1)) as worker:
        await memory.call(worker.task_state, "set", "key", 1, retention=None)
    entry = await memory.task_entry("key")
    assert entry is not None
    assert entry.expires_at == FAR + timedelta(hours=1)


async def test_a_retention_is_kept_to(memory: Site) -> None:
    """A retention that is given overrides the default, and that of the write before."""
    async with memory.worker(clock=lambda: from_datetime(FAR)) as worker:
        for retention in (timedelta(days=7), timedelta(microseconds=1), timedelta(days=7)):
            await memory.call(worker.task_state, "set", "key", 1, retention=retention)
            entry = await memory.task_entry("key")
            assert entry is not None
            assert entry.expires_at == FAR + retention


async def test_an_entry_may_never_expire(memory: Site) -> None:
    """With NEVER_EXPIRE an entry has no expiry, as the default as well."""
    async with memory.worker() as worker:
        await memory.call(worker.task_state, "set", "a", 1, retention=NEVER_EXPIRE)
    async with memory.worker(default_retention=NEVER_EXPIRE) as worker:
        await memory.call(worker.task_state, "set", "b", 1)
        await memory.call(worker.task_state, "set", "c", 1, retention=timedelta(days=1))
    entries = [await memory.task_entry(key) for key in "abc"]
    assert [None if entry is None else entry.expires_at is None for entry in entries] == [True, True, False]


async def test_a_retention_that_never_ends_is_refused(memory: Site) -> None:
    """A retention that ends after the year 9999 is refused, and the error says what to write."""
    async with memory.worker() as worker:
        with pytest.raises(ValueError, match="NEVER_EXPIRE"):
            await memory.call(worker.task_state, "set", "key", 1, retention=timedelta(days=9_000_000))
    assert memory.calls == []


@pytest.mark.parametrize("retention", [timedelta(0), timedelta(seconds=-1)])
async def test_the_default_retention_is_positive(memory: Site, retention: timedelta) -> None:
    """A default retention that would keep nothing is refused when the worker is made."""
    with pytest.raises(ConfigurationError, match="must be positive"):
        memory.worker(default_retention=retention)


async def test_clear_concerns_this_map_index(here: Site) -> None:
    """A clear leaves the state of the task's other map indices alone."""
    first, second = [await here.register(map_index=index) for index in (0, 1)]
    for ti_id, scope in (first, second):
        async with here.worker(token=AUTH.tokens.worker(ti_id), ti_id=ti_id, scope=scope) as worker:
            await here.call(worker.task_state, "set", "key", scope.map_index)
    async with here.worker(token=AUTH.tokens.worker(first[0]), ti_id=first[0], scope=first[1]) as worker:
        await here.call(worker.task_state, "clear")
    assert await here.task_entry("key", first[1]) is None
    assert await here.task_entry("key", second[1]) is not None


async def test_clear_concerns_all_map_indices(here: Site) -> None:
    """With all_map_indices a clear removes the state of every map index of the task."""
    mapped = [await here.register(map_index=index) for index in (0, 1)]
    for ti_id, scope in mapped:
        async with here.worker(token=AUTH.tokens.worker(ti_id), ti_id=ti_id, scope=scope) as worker:
            await here.call(worker.task_state, "set", "key", scope.map_index)
    async with here.worker() as worker:
        await here.call(worker.task_state, "set", "key", -1)
        await here.call(worker.task_state, "clear", all_map_indices=True)
    assert [await here.task_entry("key", scope) for scope in (here.world.scope, *(scope for _, scope in mapped))] == [
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("names", [{}, {"name": ""}, {"name": "a", "uri": "b"}, {"uri": ""}], ids=repr)
async def test_an_asset_has_one_address(memory: Site, names: dict[str, str]) -> None:
    """An accessor of an asset takes a name or a URI, and not both."""
    async with memory.worker() as worker:
        with pytest.raises(ValueError, match="exactly one"):
            worker.asset_state(**names)


async def test_accessors_are_values(memory: Site) -> None:
    """Accessors of the same scope are equal and hash alike, whichever worker gave them; their repr names the scope."""
    one, other = memory.worker(), memory.worker(has_backend=True)
    ti_id = uuid4()
    assert one.task_state == other.task_state
    assert one.task_state == memory.worker(ti_id=str(memory.world.ti_id)).task_state
    assert one.task_state != memory.worker(ti_id=ti_id).task_state
    assert one.task_state != memory.world.ti_id
    assert one.asset_state(name="a") == other.asset_state(name="a")
    assert one.asset_state(name="a") != one.asset_state(uri="a")
    assert one.asset_state(name="a") != one.asset_state(name="b")
    assert one.asset_state(name="a") != "a"
    assert len({one.task_state, other.task_state, one.asset_state(uri="a"), other.asset_state(uri="a")}) == 2
    assert repr(memory.worker(ti_id=ti_id).task_state) == f"<TaskStateAccessor ti_id={ti_id}>"
    assert repr(one.asset_state(name="a")) == "<AssetStateAccessor name='a'>"
    assert repr(one.asset_state(uri="s3://a")) == "<AssetStateAccessor uri='s3://a'>"


async def test_aip103(memory: Site) -> None:
    """Accessors speak the contract aip103 as well, wmemory an asset has no address by URI."""
    async with memory.worker(contract="aip103") as worker:
        for state in (worker.task_state, worker.asset_state(name=memory.world.asset_name)):
            await memory.call(state, "set", "key", 1)
            assert await memory.call(state, "get", "key") == 1
            assert await memory.call(state, "get", "other", 2) == 2
            await memory.call(state, "clear")
            assert await memory.call(state, "get", "key") is None
        with pytest.raises(ValueError, match="names alone"):
            await memory.call(worker.asset_state(uri=memory.world.asset_uri), "get", "key")
