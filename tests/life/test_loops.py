"""Several event loops, processes and threads, one after the other and at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from statemount.web.middleware import StateMiddleware
from tests.life.support import (
    KEY,
    WORKER,
    HostStore,
    Lifespan,
    TestClient,
    client_of,
    make_state,
    round_trip,
    run_script,
)


def hosts(state: Any) -> list[Any]:
    """Return a host app of each kind, with the app under ``/state``."""
    starlette, fastapi, added = Starlette(lifespan=state.lifespan), FastAPI(lifespan=state.lifespan), FastAPI()
    starlette.mount("/state", state)
    fastapi.mount("/state", state)
    added.add_middleware(StateMiddleware, state=state, prefix="/state")
    return [starlette, fastapi, added]


@pytest.mark.parametrize("kind", range(3))
def test_a_test_client_without_its_context_manager(kind: int) -> None:
    """A test client runs each request on an event loop of its own: each one starts and stops; the data stays."""
    diary: list[str] = []
    store = HostStore(diary)
    client = TestClient(hosts(make_state(store=store))[kind], headers=WORKER)
    assert client.put("/state" + KEY, json={"value": 1}).status_code == 204
    assert client.get("/state" + KEY).json() == {"value": 1}
    assert diary == ["opened", "closed"] * 2


@pytest.mark.parametrize("kind", range(3))
def test_a_test_client_with_its_context_manager(kind: int) -> None:
    """Inside a test client's block there is one event loop, and one start."""
    diary: list[str] = []
    with TestClient(hosts(make_state(store=HostStore(diary)))[kind], headers=WORKER) as client:
        assert diary == ["opened"]
        assert client.put("/state" + KEY, json={"value": 1}).status_code == 204
        assert client.get("/state" + KEY).json() == {"value": 1}
    assert diary == ["opened", "closed"]


def test_several_event_loops_one_after_the_other() -> None:
    """What one asyncio.run wrote is there in the next; each closes what it opened, with no lifespan at all."""
    diary: list[str] = []
    state = make_state(store=HostStore(diary))
    asyncio.run(round_trip(state))
    asyncio.run(round_trip(state))
    asyncio.run(state.stop())
    assert diary == ["opened", "closed"] * 2


def test_a_store_that_is_made_for_each_event_loop() -> None:
    """A class or function as the store is called once for each event loop."""
    made: list[HostStore] = []

    def make() -> HostStore:
        made.append(HostStore([]))
        return made[-1]

    state = make_state(store=make)
    asyncio.run(round_trip(state))
    asyncio.run(round_trip(state))
    assert [store.diary for store in made] == [["opened", "closed"]] * 2


def test_requests_that_are_cancelled_during_the_start() -> None:
    """Clients that go away while the app starts leave it whole: the start goes on, the next request works."""
    diary: list[str] = []
    state = make_state(store=HostStore(diary))

    async def main() -> None:
        async with client_of(state) as client:
            requests = [asyncio.create_task(client.get(KEY)) for _ in range(20)]
            for _ in range(3):
                await asyncio.sleep(0)
            for request in requests:
                request.cancel()
            await asyncio.wait(requests)
        await round_trip(state)
        await state.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert diary == ["opened", "closed"]


def test_trio_is_refused_by_name() -> None:
    """Under trio a request gets 503, and the log and a server's startup name trio."""
    state = make_state()
    client = TestClient(state, backend="trio", headers=WORKER)
    assert client.get("/health").status_code == 200
    assert client.get(KEY).status_code == 503
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        answers.append(message)

    import trio

    trio.run(state, {"type": "lifespan"}, receive, send)
    assert [answer["type"] for answer in answers] == ["lifespan.startup.failed"]
    assert "trio" in answers[0]["message"]


def test_a_forked_child_starts_anew() -> None:
    """A child uses the app that its parent used before the fork, without touching what the parent has open.

    It is forked between two event loops, from within a running one, and on the same loop that it goes on with.
    """
    output = run_script(
        """
        diary = []
        state = make_state(store=lambda: HostStore(diary))

        def in_child(work):
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                diary.clear()
                work()
                print("child", diary, flush=True)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0

        async def main():
            await round_trip(state)
            in_child(lambda: asyncio.run(round_trip(state)))
            await round_trip(state)

        asyncio.run(main())
        in_child(lambda: asyncio.run(round_trip(state)))

        loop = asyncio.new_event_loop()
        loop.run_until_complete(round_trip(state))

        def go_on():
            loop.run_until_complete(round_trip(state))
            loop.run_until_complete(state.stop())
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))

        in_child(go_on)
        loop.run_until_complete(round_trip(state))
        loop.run_until_complete(state.stop())
        loop.close()
        print("parent", diary)
        """
    )
    alone = "['opened', 'closed']"
    assert output.splitlines() == [*[f"child {alone}"] * 3, "parent ['opened', 'closed', 'opened', 'closed']"]


def test_a_forked_child_that_never_uses_the_app_ends() -> None:
    """A child that leaves the parent's app alone ends by itself, in the ordinary way."""
    output = run_script(
        """
        state = make_state()

        async def main():
            await round_trip(state)
            sys.stdout.flush()
            return os.fork()

        child = asyncio.run(main())
        if child:
            assert os.waitpid(child, 0)[1] == 0
            asyncio.run(round_trip(state))
            print("parent")
        """
    )
    assert output == "parent\n"


@pytest.mark.parametrize("ending", ["loop.close()", "", "loop.close(); del state; gc.collect()"])
def test_a_loop_that_is_left_behind_does_not_hang_the_exit(ending: str) -> None:
    """A process whose event loop was closed under its tasks, or never closed, ends, and says nothing."""
    run_script(
        f"""
        import warnings
        state = make_state()
        loop = asyncio.new_event_loop()
        loop.run_until_complete(round_trip(state))
        {ending}
        if not loop.is_closed():
            warnings.simplefilter("ignore", ResourceWarning)  # the loop's own
        """
    )


def test_an_ordinary_end_leaves_nothing_behind() -> None:
    """After asyncio.run there is no task, no thread and no unclosed resource."""
    run_script(
        """
        state = make_state()
        asyncio.run(round_trip(state))
        gc.collect()
        assert threading.enumerate() == [threading.main_thread()]
        """
    )


def test_an_interrupted_process_closes_what_is_open() -> None:
    """Ctrl-C in asyncio.run closes the runtime on its way out."""
    output = run_script(
        """
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
        diary = []
        state = make_state(store=HostStore(diary))

        async def main():
            await round_trip(state)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print(diary)
        """
    )
    assert output == "['opened', 'closed']\n"


def test_a_use_from_a_thread_with_its_own_loop() -> None:
    """In process, the service works on any event loop, in any thread, at the same time as elsewhere."""
    run_script(
        """
        from concurrent.futures import ThreadPoolExecutor
        from statemount.model import TaskScope
        state = make_state()
        scope = TaskScope("dag", "run", "task")

        async def put(number):
            await state.service.tasks.set(scope, str(number), number)

        async def main():
            await round_trip(state)
            with ThreadPoolExecutor(4) as threads:
                for number in range(20):
                    threads.submit(asyncio.run, put(number))
            page = await state.service.tasks.list(scope)
            assert page.total == 21, page.total

        asyncio.run(main())
        """
    )


def test_a_lifespan_in_one_loop_and_requests_in_another() -> None:
    """A server whose lifespan runs elsewhere than its requests does not mix the two."""
    diary: list[str] = []
    state = make_state(store=lambda: HostStore(diary))

    async def main() -> None:
        lifespan = Lifespan(state)
        await lifespan.startup()
        await asyncio.to_thread(asyncio.run, round_trip(state))
        await lifespan.shutdown()

    asyncio.run(main())
    assert diary == ["opened", "opened", "closed", "closed"]
