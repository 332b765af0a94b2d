"""What a StateMount is made of, and what it refuses."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from statemount.auth.jwt import JWTAuth
from statemount.directory.cache import CachedDirectory
from statemount.directory.claims import ClaimsDirectory
from statemount.directory.memory import MemoryDirectory
from statemount.errors import ConfigurationError, KeyNotFoundError, TaskInstanceNotFoundError
from statemount.interfaces import Store
from statemount.model import Run, TaskInstance, TaskScope
from statemount.mount import StateMount
from statemount.settings import Settings
from tests.life.support import KEY, SECRET, TASK, HostStore, client_of, make_state, round_trip

pytestmark = pytest.mark.anyio

SCOPE = TaskScope("dag", "run", "task")


def make_store() -> Store:
    """Return a host's own store: what a dotted path names."""
    return HostStore([])


class Unrelated:
    """What a dotted path should not name."""


async def test_everything_in_memory() -> None:
    """``memory://`` needs nothing else: what is registered in process is reached by its worker."""
    state = StateMount("memory://", jwt_secret=SECRET)
    async with client_of(state) as client:
        assert (await client.get(KEY)).status_code == 404
    asset = await state.directory.register_asset(name="orders")
    await state.directory.register_task_instances([TaskInstance(TASK, SCOPE, outlets=frozenset({asset.asset_id}))])
    await round_trip(state)
    async with client_of(state) as client:
        url = "/execution/store/asset/by-name/value?name=orders&key=watermark"
        assert (await client.put(url, json={"value": "2026-01-01"})).status_code == 204
        assert (await client.get(url)).json() == {"value": "2026-01-01"}
    await state.stop()


async def test_the_directory_can_be_changed_in_process() -> None:
    """Every method of the registry works on the app's own directory object."""
    directory = StateMount("memory://").directory
    asset = await directory.register_asset(name="orders", uri="s3://orders", group="lake")
    instance = TaskInstance(TASK, SCOPE, inlets=frozenset({asset.asset_id}))
    await directory.register_task_instances([instance])
    assert await directory.task_instance(TASK) == instance
    assert await directory.task_scope(TASK) == SCOPE
    assert await directory.has_task_instance(SCOPE)
    assert await directory.access(TASK, asset) == {"inlet"}
    assert await directory.asset(asset.asset_id) == asset
    assert await directory.asset_by_uri("s3://orders") == asset
    assert list(await directory.assets()) == [asset]
    await directory.deactivate_asset(asset.asset_id)
    assert await directory.asset_by_name("orders") is None
    assert (await directory.restore_asset(asset.asset_id)).active
    await directory.remove_task_instance(TASK)
    assert not await directory.has_task_instance(SCOPE)
    await directory.register_task_instances([instance])
    await directory.remove_run(dag_id="dag", run_id="run")
    assert await directory.task_scope(TASK) is None


async def test_the_service_in_process() -> None:
    """With no HTTP and no authentication, the service reads and writes; every verb of the store is reached."""
    state = StateMount("memory://")
    await state.service.tasks.set(SCOPE, "key", {"a": 1})
    assert (await state.service.tasks.get(SCOPE, "key")).load() == {"a": 1}
    store = state.service.store
    assert [change.key for change in await store.changes(SCOPE)] == ["key"]
    assert await store.sweep() == 0
    await store.check()
    await store.drop(Run("dag", "run"))
    assert (await state.service.tasks.list(SCOPE)).total == 0
    await state.stop()


async def test_single_settings_are_overridden() -> None:
    """A keyword wins over the settings object, and that over the default."""
    state = StateMount(
        "memory://", settings=Settings(max_body_bytes=50, port=1234), max_body_bytes=20, jwt_secret=SECRET
    )
    assert (state.settings.max_body_bytes, state.settings.port) == (20, 1234)
    async with client_of(state) as client:
        assert (await client.put(KEY, json={"value": "x" * 30})).status_code == 413


async def test_a_contract_version_can_be_switched_off() -> None:
    """Only the paths of the versions that are named are served."""
    state = make_state(contracts="airflow33")
    await round_trip(state)
    async with client_of(state) as client:
        assert (await client.get(KEY.replace("/store/", "/state/"))).json() == {"detail": "Not Found"}


async def test_a_secret_in_the_settings_verifies_tokens() -> None:
    """Without ``auth``, tokens are verified as the settings say."""
    state = make_state(auth=None, jwt_secret=SECRET)
    await round_trip(state)
    other = make_state(auth=None, jwt_secret=SECRET, jwt_execution_audience="others")
    async with client_of(other) as client:
        assert (await client.get(KEY)).status_code == 403


async def test_dotted_paths_name_parts_of_the_hosts() -> None:
    """A store and a directory may be named by where they are found, as the environment has it."""
    environ = {
        "STATEMOUNT_DATABASE_URL": "memory://",
        "STATEMOUNT_STORE": f"{__name__}.make_store",
        "STATEMOUNT_DIRECTORY": "statemount.directory.memory:MemoryDirectory",
        "STATEMOUNT_JWT_SECRET": SECRET,
    }
    state = StateMount.from_environment(environ)
    await state.directory.register_task_instances([TaskInstance(TASK, SCOPE)])
    await round_trip(state)
    await state.stop()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"store": "nowhere.Store"}, "store 'nowhere.Store' is neither a known name nor a dotted path"),
        ({"directory": "statemount.directory.memory.Nothing"}, "is neither a known name nor a dotted path"),
        ({"directory": "airflow"}, "directory 'airflow' needs airflow_database_url"),
        ({"database_url": "oracle://db/x"}, "the database URL must begin with sqlite://"),
        ({"jwt_algorithms": "none", "jwt_secret": SECRET}, "none"),
        ({"no_such": 1}, "no_such is no setting"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    """A configuration that can never work is refused in one sentence when the object is made."""
    options = dict(options)
    named = {"store": options.pop("store", "database"), "directory": options.pop("directory", "database")}
    with pytest.raises(ConfigurationError, match=message):
        StateMount(settings=Settings.build({"database_url": "memory://", **named}), **options)


async def test_a_part_of_another_kind_is_refused() -> None:
    """A class that gives no store is refused when it is first needed."""
    state = StateMount("memory://", store=Unrelated)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="a Store is needed, not Unrelated"):
        await state.start()


async def test_nothing_is_registered_with_a_directory_that_takes_nothing() -> None:
    """A directory of the host's that is no registry says so when something is to be registered."""
    state = StateMount("memory://", directory=CachedDirectory(MemoryDirectory()))
    assert await state.directory.task_scope(TASK) is None
    with pytest.raises(ConfigurationError, match="nothing can be registered with CachedDirectory"):
        await state.directory.register_asset(name="orders")


async def test_assets_are_registered_ahead_with_claims_and_open_directories() -> None:
    """Where tokens name the tasks, the host may still register assets."""
    for name in ("claims", "open"):
        state = StateMount("memory://", settings=Settings(directory=name))
        asset = await state.directory.register_asset(name="orders")
        assert await state.directory.asset_by_name("orders") == asset


async def test_a_success_clears_the_state_if_it_is_set_so() -> None:
    """With ``clear_on_success`` a task's state is cleared when the host reports its success, and only then."""
    for clears in (False, True):
        state = StateMount("memory://", clear_on_success=clears)
        await state.directory.register_task_instances([TaskInstance(TASK, SCOPE)])
        await state.service.tasks.set(SCOPE, "key", 1)
        await state.task_succeeded(TASK)
        if clears:
            with pytest.raises(KeyNotFoundError):
                await state.service.tasks.get(SCOPE, "key")
            with pytest.raises(TaskInstanceNotFoundError):
                await state.task_succeeded(UUID(int=1))
        else:
            assert (await state.service.tasks.get(SCOPE, "key")).load() == 1


def test_it_shows_its_database_and_no_password() -> None:
    """Its repr names the database, without what is secret."""
    state = StateMount("memory://user:hidden@host", auth=JWTAuth(secret=SECRET))
    assert repr(state) == "StateMount(memory://user:***@host)"


def test_a_renewed_token_comes_from_the_same_authenticator() -> None:
    """A token that is about to expire is renewed on whatever event loop it is used."""
    auth = JWTAuth(secret=SECRET)
    short = auth.tokens.worker(TASK, lifetime=20, claims={"dag_id": "dag", "run_id": "run", "task_id": "task"})
    state = make_state(auth=auth)

    async def ask() -> str | None:
        async with client_of(state) as client:
            response = await client.get(KEY, headers={"authorization": f"Bearer {short}"})
        token: str | None = response.headers.get("refreshed-api-token")
        return token

    assert all(asyncio.run(ask()) for _ in range(2))


async def test_a_file_of_sqlite(tmp_path: Path) -> None:
    """An embedded database is made by itself at the first use, and its entries outlive the app."""
    for _ in range(2):
        state = StateMount(
            f"sqlite:///{tmp_path / 'state.db'}", jwt_secret=SECRET, directory=ClaimsDirectory(MemoryDirectory())
        )
        await round_trip(state)
        await state.stop()
