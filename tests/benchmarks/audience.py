"""Readers of server-sent events, in a process of their own: many connections, and as little work as can be."""

from __future__ import annotations

import multiprocessing
import os
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from tests.benchmarks.dataset import task_instance_id
from tests.benchmarks.jobs import VoidRunError
from tests.benchmarks.tokens import Issuer

_RECEIVE_BYTES = 262_144
_PATIENCE_SECONDS = 60.0
_AT_ONCE = 200  # so many connections are opened before their answers are waited for
_READY = b"event: ready\n"
_EVENT = b"\nevent: "


@dataclass(frozen=True)
class Seats:
    """Who is to watch what.

    Args:
        tasks: The task instance that each watches, by its own worker's token.
        seed: Makes the tokens unlike those of all others.
    """

    issuer: Issuer
    port: int
    tasks: Sequence[int]
    seed: int


class Audience:
    """Watches from a process of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sit(self, seats: Seats) -> None:
        """Begin to watch; return once each has been told where it begins.

        Raises:
            VoidRunError: Somebody is not.
        """
        self._ask(seats)

    def told(self) -> int:
        """Return how many events everybody has been told since this was asked last."""
        count = self._ask(True)
        assert isinstance(count, int)
        return count

    def leave(self) -> None:
        """Let everybody go."""
        self._ask(False)

    def _ask(self, question: object) -> object:
        self._connection.send(question)
        answer = self._connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def audience_process(core: int | None) -> Iterator[Audience]:
    """Start the process, and end it with the block.

    Args:
        core: Where it runs; None = anywhere.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, core), daemon=True)
    process.start()
    there.close()
    try:
        yield Audience(here)
    finally:
        here.close()
        process.join()


def _work(connection: Connection, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    readers = _Readers()
    with suppress(EOFError):
        while True:
            readers.read_until(connection.fileno())
            question = connection.recv()
            try:
                if isinstance(question, Seats):
                    readers.open(question)
                    connection.send(None)
                elif question:
                    connection.send(readers.take_count())
                else:
                    readers.close()
                    connection.send(None)
            except (VoidRunError, OSError) as error:
                connection.send(VoidRunError(str(error)))


class _Readers:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._count = 0

    def open(self, seats: Seats) -> None:
        for start in range(0, len(seats.tasks), _AT_ONCE):
            waiting: dict[int, bytes] = {}
            for number, task in enumerate(seats.tasks[start : start + _AT_ONCE], start):
                token = seats.issuer.worker(task, f"watch-{seats.seed}-{number}")
                connection = socket.create_connection(("127.0.0.1", seats.port))
                connection.sendall(
                    f"GET /execution/store/ti/{task_instance_id(task)} HTTP/1.1\r\nHost: localhost\r\n"
                    f"Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n".encode()
                )
                connection.setblocking(False)
                self._sockets[connection.fileno()] = connection
                self._epoll.register(connection.fileno(), select.EPOLLIN)
                waiting[connection.fileno()] = b""
            self._wait_until_ready(waiting)

    def _wait_until_ready(self, waiting: dict[int, bytes]) -> None:
        while waiting:
            events = self._epoll.poll(_PATIENCE_SECONDS)
            if not events:
                raise VoidRunError(f"{len(waiting)} watches do not begin")
            for descriptor, _ in events:
                text = waiting.get(descriptor, b"") + self._receive(descriptor)
                if descriptor in waiting:
                    waiting[descriptor] = text
                    if _READY in text:
                        del waiting[descriptor]
                    elif not text.startswith(b"HTTP/1.1 200"[: len(text)]):
                        raise VoidRunError(f"a watch is refused: {text[:300]!r}")

    def _receive(self, descriptor: int) -> bytes:
        text = self._sockets[descriptor].recv(_RECEIVE_BYTES)
        if not text:
            raise VoidRunError("the app ended a watch")
        return text

    def read_until(self, descriptor: int) -> None:
        """Read whatever comes, until something comes elsewhere."""
        self._epoll.register(descriptor, select.EPOLLIN)
        try:
            while True:
                for each, _ in self._epoll.poll():
                    if each == descriptor:
                        return
                    self._count += self._receive(each).count(_EVENT)
        finally:
            self._epoll.unregister(descriptor)

    def take_count(self) -> int:
        count, self._count = self._count, 0
        return count

    def close(self) -> None:
        for descriptor, connection in self._sockets.items():
            self._epoll.unregister(descriptor)
            connection.close()
        self._sockets.clear()
        self._count = 0
