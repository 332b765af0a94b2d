"""Prometheus metrics. The one module that imports ``prometheus_client``; it is imported only when they are wanted."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sized
from typing import NamedTuple
from weakref import WeakSet

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from statemount.errors import ConfigurationError
from statemount.observer import Observer, WorkKind

__all__ = ["CollectorRegistry", "Metric", "Metrics"]

_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DATABASE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_GROUP_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_KINDS: tuple[WorkKind, ...] = ("read", "write")
_SWEPT = ("entries", "task_instances", "assets", "changes")
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Metric(NamedTuple):
    """One metric, as the documentation shows it.

    Args:
        name: As it is exposed.
    """

    name: str
    type: str
    labels: tuple[str, ...]
    description: str


class Metrics(Observer):
    """Counts in a registry of ``prometheus_client``.

    Args:
        registry: None = one of its own.
        clock: Seconds of a clock that is never set back.

    Raises:
        ConfigurationError: The registry has metrics of these names already: each app needs one of its own.
    """

    def __init__(
        self, registry: CollectorRegistry | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.registry: CollectorRegistry = registry or CollectorRegistry()
        self.described: list[Metric] = []
        self._clock = clock
        self._queues: dict[WorkKind, WeakSet[Sized]] = {kind: WeakSet() for kind in _KINDS}
        self._queues_lock = threading.Lock()
        self._watches: WeakSet[Sized] = WeakSet()
        self._swept_at = math.nan
        self._request_children: dict[tuple[str, str | None, str, int | None], tuple[Counter, Histogram]] = {}
        try:
            self._register()
        except ValueError as error:
            raise ConfigurationError(f"each app needs a metrics registry of its own: {error}") from error

    def _register(self) -> None:
        self._requests = self._counter(
            "requests", "Requests that were answered.", ("route_set", "route", "method", "status")
        )
        self._request_seconds = self._histogram(
            "request_seconds",
            "Seconds from the request's head to the end of its answer.",
            _REQUEST_SECONDS,
            ("route_set", "route", "method"),
        )
        queue = self._gauge("queue_length", "Requests that wait for the database now.", ("kind",))
        group = self._histogram(
            "group_operations", "Operations that were done together, in one group.", _GROUP_SIZES, ("kind",)
        )
        self._commit_seconds = self._histogram(
            "commit_seconds", "Seconds that a transaction took, from BEGIN to COMMIT.", _DATABASE_SECONDS
        )
        retries = self._counter("retries", "Transactions and reads that were run again.", ("kind",))
        pool = self._histogram(
            "pool_wait_seconds",
            "Seconds that were waited for a database connection, when none was free.",
            _DATABASE_SECONDS,
            ("kind",),
        )
        self._groups = {kind: group.labels(kind) for kind in _KINDS}
        self._retries = {kind: retries.labels(kind) for kind in _KINDS}
        self._waits = {kind: pool.labels(kind) for kind in _KINDS}
        for kind in _KINDS:
            queue.labels(kind).set_function(self._queue_length_of(kind))
        swept = self._counter("swept", "What was over and is removed.", ("what",))
        failures = self._counter("sweep_failures", "Rounds of the sweeper that failed.", ("what",))
        self._swept = {what: swept.labels(what) for what in _SWEPT}
        self._sweep_failures = {what: failures.labels(what) for what in _SWEPT}
        self._gauge(
            "sweep_lag_seconds",
            "Seconds since this process last removed all expired entries, or began to sweep; NaN = it does not.",
        ).set_function(lambda: self._clock() - self._swept_at)
        self._gauge("watches", "Watches that are open now.").set_function(self._count_watches)
        self._cut_off = self._counter("watches_cut_off", "Watches that were ended because their reader was too slow.")
        self._poll_seconds = self._histogram(
            "watch_poll_seconds",
            "Seconds that it took to ask the database where all watched scopes are.",
            _DATABASE_SECONDS,
        )
        cache = self._counter(
            "directory_cache", "Questions to the directory, by whether the answer was remembered.", ("result",)
        )
        self._hits, self._misses = cache.labels("hit"), cache.labels("miss")

    def _counter(self, name: str, description: str, labels: tuple[str, ...] = ()) -> Counter:
        self._describe(f"{name}_total", "counter", labels, description)
        return Counter(f"statemount_{name}", description, labels, registry=self.registry)

    def _gauge(self, name: str, description: str, labels: tuple[str, ...] = ()) -> Gauge:
        self._describe(name, "gauge", labels, description)
        return Gauge(f"statemount_{name}", description, labels, registry=self.registry)

    def _histogram(
        self, name: str, description: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> Histogram:
        self._describe(name, "histogram", labels, description)
        return Histogram(f"statemount_{name}", description, labels, registry=self.registry, buckets=buckets)

    def _describe(self, name: str, type: str, labels: tuple[str, ...], description: str) -> None:
        self.described.append(Metric(f"statemount_{name}", type, labels, description))

    def _queue_length_of(self, kind: WorkKind) -> Callable[[], int]:
        def length() -> int:
            with self._queues_lock:
                return sum(map(len, self._queues[kind]))

        return length

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return everything in the registry as text, and its content type.

        Args:
            accept: The value of the header: it may ask for the OpenMetrics format.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def request(self, route_set: str, route: str | None, method: str, status: int | None, seconds: float) -> None:
        key = route_set, route, method if method in _METHODS else "other", status
        children = self._request_children.get(key)
        if children is None:
            labels = route_set, route or "none", key[2]
            counter = self._requests.labels(*labels, "none" if status is None else str(status))
            children = self._request_children[key] = counter, self._request_seconds.labels(*labels)
        children[0].inc()
        children[1].observe(seconds)

    def queue(self, kind: WorkKind, waiting: Sized) -> None:
        with self._queues_lock:
            self._queues[kind].add(waiting)

    def group(self, kind: WorkKind, operations: int) -> None:
        self._groups[kind].observe(operations)

    def committed(self, seconds: float) -> None:
        self._commit_seconds.observe(seconds)

    def retried(self, kind: WorkKind) -> None:
        self._retries[kind].inc()

    def waited(self, kind: WorkKind, seconds: float) -> None:
        self._waits[kind].observe(seconds)

    def swept(self, what: str, count: int) -> None:
        self._swept[what].inc(count)

    def sweep_ended(self, what: str, *, is_failure: bool) -> None:
        if is_failure:
            self._sweep_failures[what].inc()
        elif what == "entries":
            self._swept_at = self._clock()

    def sweeping(self) -> None:
        self._swept_at = self._clock()

    def _count_watches(self) -> int:
        with self._queues_lock:
            return sum(map(len, self._watches))

    def watching(self, watches: Sized) -> None:
        with self._queues_lock:
            self._watches.add(watches)

    def watch_cut_off(self) -> None:
        self._cut_off.inc()

    def polled(self, seconds: float) -> None:
        self._poll_seconds.observe(seconds)

    def looked_up(self, *, is_hit: bool) -> None:
        (self._hits if is_hit else self._misses).inc()
