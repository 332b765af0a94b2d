"""How fast the load generator is where nothing else takes time: ``python -m tests.benchmarks.ceiling``.

The other side is a process that sends the same bytes whenever something arrives. What an app shows near this figure
says more of the generator than of the app; the report warns of it by the generator's CPU time.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import socket
from contextlib import suppress
from multiprocessing.connection import Connection

from tests.benchmarks.dataset import Dataset
from tests.benchmarks.generator import generator_process
from tests.benchmarks.jobs import Job
from tests.benchmarks.operations import OPERATIONS
from tests.benchmarks.tokens import Issuer

_APP_CORE, _GENERATOR_CORE = 0, 1
_CONNECTIONS, _SECONDS = 64, 5.0
_MOST = 200_000
_MARK = b"mark"


def _answer(operation: str) -> bytes:
    if OPERATIONS[operation].writes:
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    body = _MARK.ljust(300, b".") * OPERATIONS[operation].marks(Dataset())
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def _respond(ports: Connection, answer: bytes) -> None:
    os.sched_setaffinity(0, {_APP_CORE})
    listener = socket.create_server(("127.0.0.1", 0), backlog=_CONNECTIONS)
    ports.send(listener.getsockname()[1])
    connections = {}
    with select.epoll() as epoll, suppress(ConnectionError):  # answers are on their way when the generator ends
        for _ in range(_CONNECTIONS):
            connection, _address = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections[connection.fileno()] = connection
            epoll.register(connection.fileno(), select.EPOLLIN)
        while True:
            for descriptor, _ in epoll.poll():
                if not connections[descriptor].recv(65_536):
                    return
                connections[descriptor].sendall(answer)


def main() -> None:
    """Print the ceiling for each operation."""
    context = multiprocessing.get_context("spawn")
    with generator_process(_GENERATOR_CORE) as generator:
        for name, operation in OPERATIONS.items():
            here, there = context.Pipe()
            process = context.Process(target=_respond, args=(there, _answer(name)), daemon=True)
            process.start()
            job = Job(
                name,
                Dataset(),
                Issuer("secret", 0),
                here.recv(),
                _CONNECTIONS,
                _SECONDS,
                seed=1,
                expected=None if operation.writes else _MARK,
                most=_MOST,
            )
            told = generator.run(job)
            process.join()
            print(f"{name}: {told.per_second:,.0f} requests/s, generator busy {told.busy:.0%}", flush=True)


if __name__ == "__main__":
    main()
