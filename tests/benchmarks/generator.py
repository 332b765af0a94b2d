"""The process that the load generator has for itself."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from tests.benchmarks.jobs import Job, Told, VoidRunError
from tests.benchmarks.load import Generator


class GeneratorProcess:
    """Runs one job after the other in a process of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, job: Job, at_start: Callable[[], None] = lambda: None) -> Told:
        """Run a job.

        Args:
            at_start: Called when everything is prepared and load is about to begin.

        Raises:
            VoidRunError: It says nothing.
        """
        self._connection.send(job)
        self._receive()
        at_start()
        self._connection.send(None)
        told = self._receive()
        assert isinstance(told, Told)
        return told

    def _receive(self) -> object:
        received = self._connection.recv()
        if isinstance(received, Exception):
            raise received
        return received


@contextmanager
def generator_process(core: int | None) -> Iterator[GeneratorProcess]:
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
        yield GeneratorProcess(here)
    finally:
        here.close()
        process.join()


def _work(connection: Connection, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            generator = Generator(job)
            connection.send(None)
            connection.recv()
            connection.send(generator.run())
        except VoidRunError as error:
            connection.send(error)
