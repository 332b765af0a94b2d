"""The load generator: raw sockets, epoll, and as little work for each request as Python can do.

It looks at every answer: status, length, and what the operation says that the answer must have. The first that is
wrong ends the run.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.benchmarks.jobs import Job, Latencies, Told, VoidRunError
from tests.benchmarks.operations import operation_named
from tests.benchmarks.requests import Prepared, prepare, tails
from tests.benchmarks.timer import open_timer

_RECEIVE_BYTES = 524_288
_PATIENCE_SECONDS = 10.0
_TICK_SECONDS = 50e-6


class Generator:
    """Keeps connections to one app, and load on them.

    Args:
        job: What to do. Everything is prepared here, so that :meth:`run` does nothing else.
    """

    def __init__(self, job: Job) -> None:
        operation = operation_named(job.operation)
        self._job = job
        self._requests = prepare(job)
        self._tails = tails(job)
        self._status = operation.answer_start
        self._marks = operation.marks(job.dataset)
        self._length = 0
        self._parts: dict[int, _Part] = {}
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}

    def run(self) -> Told:
        """Connect, and ask until the time is over, or there are no more requests and half of the time is over.

        Raises:
            VoidRunError: An answer was wrong, the app did not keep up, or there were too few requests.
        """
        self._connect()
        gc.collect()
        gc.disable()
        try:
            return self._at_a_rate(self._job.rate) if self._job.rate else self._at_full_speed()
        except OSError as error:
            raise VoidRunError(f"a connection broke: {error}") from error
        finally:
            gc.enable()
            self._epoll.close()
            for connection in self._sockets.values():
                connection.close()

    def _connect(self) -> None:
        for _ in range(self._job.connections):
            connection = socket.create_connection(("127.0.0.1", self._job.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            self._sockets[connection.fileno()] = connection
            self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _by_descriptor(
        self,
    ) -> tuple[list[Callable[[int], bytes] | None], list[Callable[[bytes], None] | None], list[bytes]]:
        """Return, at the place of each descriptor, how to receive and to send, and what the next answer must have."""
        size = max(self._sockets) + 1
        receive: list[Callable[[int], bytes] | None] = [None] * size
        send: list[Callable[[bytes], None] | None] = [None] * size
        for descriptor, connection in self._sockets.items():
            receive[descriptor], send[descriptor] = connection.recv, connection.sendall
        return receive, send, [b""] * size

    def _ready(self) -> Iterator[Prepared]:
        """Return whole requests, each with what its answer must have."""
        expected = self._job.expected
        ends = self._tails
        if ends is None and expected is None:
            return self._requests
        if ends is None:
            return ((head, expected or b"") for head, _ in self._requests)
        return ((head + end, mark) for (head, mark), end in zip(self._requests, ends, strict=False))

    def _at_full_speed(self) -> Told:
        receive, send, marks = self._by_descriptor()
        following = self._ready().__next__
        status, times, poll, complete = self._status, self._marks, self._epoll.poll, self._complete
        length = answers = 0
        most = self._job.requests or float("inf")
        began_busy, began = time.process_time(), time.perf_counter()
        deadline = began + (self._job.seconds if self._job.requests is None else float("inf"))
        try:
            for descriptor in self._sockets:
                request, marks[descriptor] = following()
                send[descriptor](request)  # type: ignore[misc]
            ended = began
            while ended < deadline and answers < most:
                events = poll(_PATIENCE_SECONDS)
                if not events:
                    raise VoidRunError(f"no answer for {_PATIENCE_SECONDS:g} s")
                for descriptor, _ in events:
                    answer = receive[descriptor](_RECEIVE_BYTES)  # type: ignore[misc]
                    if len(answer) != length:
                        whole = complete(descriptor, answer)
                        if whole is None:
                            continue
                        answer, length = whole, len(whole)
                    if not answer.startswith(status) or answer.count(marks[descriptor]) != times:
                        raise VoidRunError(f"expected {times} of {marks[descriptor]!r} in {answer[:1000]!r}")
                    answers += 1
                    request, marks[descriptor] = following()
                    send[descriptor](request)  # type: ignore[misc]
                ended = time.perf_counter()
        except StopIteration:
            ended = time.perf_counter()
            if ended - began < self._job.seconds / 2:
                raise VoidRunError("faster than requests were prepared for") from None
        return Told(answers, ended - began, time.process_time() - began_busy)

    def _at_a_rate(self, rate: float) -> Told:
        receive, send, marks = self._by_descriptor()
        following = self._ready().__next__
        status, times, complete = self._status, self._marks, self._complete
        interval, total = 1 / rate, int(rate * self._job.seconds)
        due = [0.0] * len(marks)
        idle = deque(self._sockets)
        latencies = array("d")
        sent = length = 0
        timer = open_timer(max(interval, _TICK_SECONDS))
        self._epoll.register(timer, select.EPOLLIN)
        poll, clock = self._epoll.poll, time.perf_counter
        began_busy, began = time.process_time(), clock()
        next_due = began
        try:
            while len(latencies) < total:
                for descriptor, _ in poll(_PATIENCE_SECONDS):
                    if descriptor == timer:
                        with suppress(BlockingIOError):
                            os.read(timer, 8)
                        continue
                    answer = receive[descriptor](_RECEIVE_BYTES)  # type: ignore[misc]
                    if len(answer) != length:
                        whole = complete(descriptor, answer)
                        if whole is None:
                            continue
                        answer, length = whole, len(whole)
                    latencies.append(clock() - due[descriptor])
                    if not answer.startswith(status) or answer.count(marks[descriptor]) != times:
                        raise VoidRunError(f"expected {times} of {marks[descriptor]!r} in {answer[:1000]!r}")
                    idle.append(descriptor)
                now = clock()
                while next_due <= now and idle and sent < total:
                    descriptor = idle.popleft()
                    request, marks[descriptor] = following()
                    due[descriptor] = next_due
                    send[descriptor](request)  # type: ignore[misc]
                    sent += 1
                    next_due = began + sent * interval
                if now > began + self._job.seconds + _PATIENCE_SECONDS:
                    raise VoidRunError(f"{rate:.0f} requests/s were not kept up with")
            ended = clock()
        finally:
            os.close(timer)
        return Told(total, ended - began, time.process_time() - began_busy, percentiles(latencies))

    def _complete(self, descriptor: int, received: bytes) -> bytes | None:
        """Return the whole answer, or None if some of it is still to come.

        Raises:
            VoidRunError: The connection is closed, or there is more than one answer.
        """
        if not received:
            raise VoidRunError("the app closed a connection")
        part = self._parts.pop(descriptor, None)
        if part is None:
            part = _Part([], 0, None)
        part.received.append(received)
        part.length += len(received)
        if part.wanted is None:
            part.wanted = _whole_length(b"".join(part.received))
        if part.wanted is None or part.length < part.wanted:
            self._parts[descriptor] = part
            return None
        answer = b"".join(part.received)
        if part.length > part.wanted:
            raise VoidRunError(f"more than was asked for: {answer[:1000]!r}")
        return answer


@dataclass
class _Part:
    """The beginning of an answer.

    Args:
        length: Of what was received.
        wanted: Of the whole answer; None = not known yet.
    """

    received: list[bytes]
    length: int
    wanted: int | None


def _whole_length(answer: bytes) -> int | None:
    end = answer.find(b"\r\n\r\n") + 4
    return None if end < 4 else end + _content_length(answer[:end])


def _content_length(head: bytes) -> int:
    if head.startswith(b"HTTP/1.1 204 "):
        return 0
    lower = head.lower()
    start = lower.find(b"\r\ncontent-length:")
    if start < 0:
        raise VoidRunError(f"an answer of unknown length: {head!r}")
    return int(lower[start + 17 : lower.index(b"\r\n", start + 2)])


def percentiles(seconds: array[float]) -> Latencies:
    """Return what is told of latencies."""
    ordered = sorted(seconds)

    def at(part: float) -> float:
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    return Latencies(at(0.5), at(0.99), at(0.999), 1000 * ordered[-1])
