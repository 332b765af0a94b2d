"""The stop of a server while watches are open: no server waits for them, and each ends in order."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest
import uvicorn

from statemount.web.server_stop import SIGNALS, ServerStop
from tests.life.support import KEY, SECRET, TASK, WORKER, make_state, run_script
from tests.servers import free_port, serving
from tests.watching.support import until

pytestmark = pytest.mark.anyio

WATCH = f"/execution/store/ti/{TASK}"
EVENTS = {**WORKER, "accept": "text/event-stream"}
PATIENCE = 60


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Give back the signals to whoever has them, at the end of a block."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Reader(threading.Thread):
    """Reads a watch to its end.

    Attributes:
        text: All that has come.
        error: What has ended it, but for the end.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.text = ""
        self.error: Exception | None = None
        self._url = url

    def run(self) -> None:
        try:
            with httpx.stream("GET", self._url, headers=EVENTS, timeout=PATIENCE) as answer:
                for part in answer.iter_text():
                    self.text += part
        except Exception as error:
            self.error = error

    def wait_for(self, text: str) -> None:
        """Wait until a text has come."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.text:
            assert self.error is None, self.error
            assert time.monotonic() < deadline, self.text
            time.sleep(0.01)


@pytest.mark.parametrize(("server", "workers"), [("granian", 1), ("uvicorn", 2)])
def test_a_stop_with_open_watches(server: str, workers: int, tmp_path: Path) -> None:
    """Each server that the command runs ends with 0 when it is told to, and every watch has come to its end by then."""
    variables = {
        "STATEMOUNT_DATABASE_URL": f"sqlite:///{tmp_path / 'state.db'}",
        "STATEMOUNT_DIRECTORY": "claims",
        "STATEMOUNT_JWT_SECRET": SECRET,
    }
    arguments = ("--server", server, "--workers", str(workers))
    with serving(*arguments, directory=tmp_path, variables=variables) as running:
        readers = [Reader(running.url + path) for path in (WATCH, KEY) * 3]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.wait_for("event: ready")
        httpx.put(running.url + KEY, headers=WORKER, json={"value": 1}).raise_for_status()
        for reader in readers:
            reader.wait_for("event: set")
    for reader in readers:
        reader.join(PATIENCE)
        assert not reader.is_alive()
        assert reader.error is None
    assert "ERROR" not in running.output.read_text()


@pytest.mark.parametrize("sign", ["should_exit", "limit_max_requests"])
async def test_uvicorn_in_process(sign: str) -> None:
    """A server that a host runs by itself is found too, and when it stops after so many requests."""
    with handlers_kept():
        state, port = make_state(), free_port()
        limit = 1 if sign == "limit_max_requests" else None
        config = uvicorn.Config(
            state, port=port, log_level="warning", lifespan="on", ws="none", limit_max_requests=limit
        )
        server = uvicorn.Server(config)
        serving_task = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
            client.stream("GET", WATCH, headers=EVENTS) as answer,
        ):
            parts = answer.aiter_text()
            assert (await anext(parts)).startswith("retry: ")
            if sign == "should_exit":
                server.should_exit = True
            else:
                await client.get("/health")
            rest = "".join([part async for part in parts])
        assert rest.endswith('data: {"revision":0}\n\n')
        await asyncio.wait_for(serving_task, PATIENCE)


def test_signals_of_an_event_loop() -> None:
    """A server that leaves its signals to the event loop is told of them as before, after whoever watches."""
    said = run_script(
        """
        import signal
        from statemount.web.server_stop import ServerStop

        async def main():
            loop, told, sign = asyncio.get_running_loop(), [], ServerStop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, lambda: told.append(sign.is_up()))
            before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
            for number in (signal.SIGTERM, signal.SIGINT):
                sign.attend()
                sign.attend()
                assert not sign.is_up() or told
                os.kill(os.getpid(), number)
                await asyncio.sleep(0.05)
                sign.leave()
                assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before
            print(told)

        asyncio.run(main())
        """
    )
    assert said == "[True, True]\n"


class OwnLoop:
    """An event loop that handles signals by a method of its own, as uvloop does."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.told.append(number)


async def test_signals_that_a_loop_handles_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's own handler is called too, and has its place back afterwards."""
    loop = OwnLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    with handlers_kept():
        signal.signal(signal.SIGTERM, loop.handle)
        sign = ServerStop()
        sign.attend()
        assert not sign.is_up()
        os.kill(os.getpid(), signal.SIGTERM)
        assert (sign.is_up(), loop.told) == (True, [signal.SIGTERM])
        sign.leave()
        assert signal.getsignal(signal.SIGTERM) == loop.handle


async def test_signals_of_others_are_left_alone() -> None:
    """A handler that is no event loop's stays where it is, and so does one that was put there in the meantime."""

    def own(number: int, frame: FrameType | None) -> None:
        raise AssertionError("nobody sends a signal here")

    def later(number: int, frame: FrameType | None) -> None:
        raise AssertionError("nobody sends a signal here")

    with handlers_kept():
        signal.signal(signal.SIGTERM, own)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sign = ServerStop()
        sign.attend()
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == (own, signal.SIG_IGN)
        assert not sign.is_up()
        sign.leave()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
        sign.attend()
        signal.signal(signal.SIGTERM, later)
        sign.leave()
        assert signal.getsignal(signal.SIGTERM) is later
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


def test_other_threads_leave_signals_alone() -> None:
    """Only the main thread may set handlers: in any other, nothing is tried."""
    found: list[Any] = []

    def look() -> None:
        sign = ServerStop()
        asyncio.run(_attend(sign))
        found.append(sign.is_up())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(PATIENCE)
    assert found == [False]


async def _attend(sign: ServerStop) -> None:
    sign.attend()
    sign.leave()


class Stopped:
    """What looks like a server, with listeners of some kind."""

    def __init__(self, servers: object) -> None:
        self.should_exit = False
        self.servers = servers

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""


@pytest.mark.parametrize(("servers", "is_up"), [(None, False), ([], False), ([object()], False)])
def test_what_only_looks_like_a_server(servers: object, is_up: bool) -> None:
    """A handler of something else is not taken for a server that stops."""
    with handlers_kept():
        signal.signal(signal.SIGTERM, Stopped(servers).handle)
        assert ServerStop().is_up() is is_up
