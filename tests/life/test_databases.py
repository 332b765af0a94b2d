"""The same lives over a database: nothing that is open on one event loop or in one process is used in another."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from statemount.model import TaskInstance, TaskScope
from statemount.mount import StateMount
from tests.life.support import (
    KEY,
    SECRET,
    TASK,
    WORKER,
    Lifespan,
    TestClient,
    client_of,
    make_state,
    round_trip,
    run_script,
)


def test_one_event_loop_after_the_other(database_url: str) -> None:
    """Each asyncio.run opens connections of its own and closes them; nothing is left over."""
    before = set(threading.enumerate())
    state = make_state(database_url)
    for _ in range(3):
        asyncio.run(round_trip(state))
    gc.collect()
    assert set(threading.enumerate()) <= before


def test_a_test_client_with_and_without_its_context_manager(database_url: str) -> None:
    """A test client that has an event loop for each request works as one that has one for all."""
    state = make_state(database_url)
    host = Starlette(routes=[Mount("/state", state)], lifespan=state.lifespan)
    client = TestClient(host, headers=WORKER)
    assert client.put("/state" + KEY, json={"value": 1}).status_code == 204
    assert client.get("/state" + KEY).json() == {"value": 1}
    with client:
        assert client.put("/state" + KEY, json={"value": 2}).status_code == 204
        assert client.get("/state" + KEY).json() == {"value": 2}


def test_two_event_loops_at_once(database_url: str) -> None:
    """Event loops in several threads write through one app at the same time."""
    state = make_state(database_url)
    threads = [threading.Thread(target=asyncio.run, args=(round_trip(state),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    asyncio.run(round_trip(state))


def test_requests_that_are_cancelled(database_url: str) -> None:
    """Clients that go away, during the start or later, leave no transaction open: the next request works at once."""
    state = make_state(database_url)

    async def main() -> None:
        async with client_of(state) as client:
            for turns in range(40):
                requests = [asyncio.create_task(client.put(KEY, json={"value": n})) for n in range(5)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for request in requests:
                    request.cancel()
                await asyncio.wait(requests)
        await asyncio.wait_for(round_trip(state), 10)
        await state.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("child_ends", ["os._exit(0)", "sys.exit(0)"])
def test_a_forked_child(database_url: str, child_ends: str) -> None:
    """A child opens connections of its own; what its parent has open goes on working after the child has ended."""
    output = run_script(
        f"""
        state = make_state({database_url!r})
        loop = asyncio.new_event_loop()
        loop.run_until_complete(round_trip(state))
        child = os.fork()
        if child == 0:
            asyncio.run(round_trip(state))
            print("child", flush=True)
            {child_ends}
        assert os.waitpid(child, 0)[1] == 0
        loop.run_until_complete(round_trip(state))
        loop.run_until_complete(state.stop())
        loop.close()
        print("parent")
        """,
        "ignore:This process:DeprecationWarning",  # SQLite's connections have threads, which a child does not
    )
    assert output == "child\nparent\n"


def test_a_loop_that_is_left_behind_does_not_hang_the_exit(database_url: str) -> None:
    """A process whose event loop was closed under its tasks ends by itself, and says nothing but Python's warnings."""
    run_script(
        f"""
        state = make_state({database_url!r})
        loop = asyncio.new_event_loop()
        loop.run_until_complete(round_trip(state))
        loop.close()
        """,
        "ignore",
    )


def test_what_is_registered_in_process_is_reached_over_http(database_url: str) -> None:
    """The directory in the database knows on every event loop what a host registered on another."""
    state = StateMount(database_url, jwt_secret=SECRET)

    async def register() -> None:
        asset = await state.directory.register_asset(name="orders")
        instance = TaskInstance(TASK, TaskScope("dag", "run", "task"), outlets=frozenset({asset.asset_id}))
        await state.directory.register_task_instances([instance])

    async def write() -> None:
        await round_trip(state)
        async with client_of(state) as client:
            url = "/execution/store/asset/by-name/value?name=orders&key=watermark"
            assert (await client.put(url, json={"value": 1})).status_code == 204

    asyncio.run(register())
    asyncio.run(write())


def test_an_empty_database(empty_database_url: str) -> None:
    """An embedded database gets its schema at the start; on a server the startup fails, unless it is set to do so."""
    embedded = empty_database_url.startswith("sqlite")

    async def start(state: StateMount) -> str:
        lifespan = Lifespan(state)
        await lifespan.startup()
        await state.stop()
        return lifespan.answers[0]

    answer = asyncio.run(start(make_state(empty_database_url, auto_migrate=False)))
    assert answer.startswith("startup.failed: ")
    assert "statemount db upgrade" in answer
    assert asyncio.run(start(make_state(empty_database_url))).startswith(
        "startup.complete" if embedded else "startup.failed"
    )
    assert asyncio.run(start(make_state(empty_database_url, auto_migrate=True))) == "startup.complete"
    asyncio.run(round_trip(make_state(empty_database_url)))
