"""Measuring one operation: our app and the apps beside it take turns."""

from __future__ import annotations

import http.client
import itertools
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from statistics import median

from tests.benchmarks.apps.answer import VARIABLE, Answer
from tests.benchmarks.dataset import Dataset
from tests.benchmarks.filling import fill_ours, fill_plain
from tests.benchmarks.jobs import Job, Latencies
from tests.benchmarks.operations import OPERATIONS
from tests.benchmarks.places import database, plain_url
from tests.benchmarks.requests import prepare, tails
from tests.benchmarks.serving import ServedApp
from tests.benchmarks.turns import Stage, Turn, again, next_seed, prepared_for

OURS, BASELINE, PLAIN, RAW = APPS = ("ours", "baseline", "plain", "raw")
_ADDED_BY_SERVERS = ("date", "server", "connection", "content-length")


@dataclass(frozen=True)
class Load:
    """How much load there is, and for how long.

    Args:
        pairs: How often every app has its turn.
        seconds: Of one turn.
        warm_up: Seconds of load on every app before the first turn.
        connections: Kept open.
        rate: Requests/s while latencies are measured; None = half of what our app reaches at most. The plain app has
            half of its own.
        latency_seconds: Of one turn at that rate; 0 = latencies are not measured.
    """

    pairs: int = 5
    seconds: float = 20.0
    warm_up: float = 5.0
    connections: int = 64
    rate: float | None = None
    latency_seconds: float = 20.0


@dataclass
class Measured:
    """What an operation showed, by app, one item for each turn.

    Args:
        connections: How many were kept open.
        rates: Requests/s at which latencies were measured.
    """

    operation: str
    connections: int
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    latencies: dict[str, list[Latencies]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)

    def per_second(self, app: str) -> float:
        """Return the median of an app's requests/s."""
        return median(turn.per_second for turn in self.turns[app])


@dataclass(frozen=True)
class Bench:
    """A server, a database with the dataset in it, and the apps on both that need one.

    Args:
        apps: Which apps are measured.
        served: Those that have a database.
    """

    stage: Stage
    dataset: Dataset
    apps: Sequence[str]
    served: Mapping[str, ServedApp]

    def job(self, operation: str, port: int, load: Load, *, seconds: float) -> Job:
        """Return load at full speed."""
        return Job(operation, self.dataset, self.stage.issuer, port, load.connections, seconds, next_seed())

    @contextmanager
    def beside(self, operation: str) -> Iterator[dict[str, ServedApp]]:
        """Serve the baselines, with the answer that our app gives to one request; return every app."""
        job = self.job(operation, self.served[OURS].port, Load(), seconds=1)
        file = self.stage.host.directory / f"answer-{operation}.json"
        ask(job).save(file)
        method = OPERATIONS[operation].method.lower()
        targets = {
            BASELINE: f"tests.benchmarks.apps.baseline:{method}_app",
            RAW: "tests.benchmarks.apps.raw:app",
        }
        with ExitStack() as stack:
            apps = dict(self.served)
            for app, target in targets.items():
                if app in self.apps:
                    apps[app] = stack.enter_context(self.stage.host.serving(target, {VARIABLE: str(file)}))
            yield {app: apps[app] for app in self.apps}

    def measure(self, operation: str, load: Load) -> Measured:
        """Measure an operation on every app.

        Raises:
            VoidRunError: An answer was wrong.
        """
        measured = Measured(operation, load.connections)
        with self.beside(operation) as apps:
            jobs = {
                name: replace(
                    self.job(operation, app.port, load, seconds=load.seconds), expected=self.expected(name, operation)
                )
                for name, app in apps.items()
            }
            for name, app in apps.items():
                _, told = self.stage.turn(app, again(jobs[name], seconds=load.warm_up))
                jobs[name] = prepared_for(jobs[name], told)
            for _, name in itertools.product(range(load.pairs), apps):
                measured.turns.setdefault(name, []).append(self.stage.turn(apps[name], again(jobs[name]))[0])
            if load.latency_seconds:
                self._measure_latencies(measured, apps, jobs, load)
        return measured

    def _measure_latencies(
        self, measured: Measured, apps: Mapping[str, ServedApp], jobs: Mapping[str, Job], load: Load
    ) -> None:
        for name in apps:
            source = PLAIN if name == PLAIN else OURS
            measured.rates[name] = load.rate or measured.per_second(source) / 2
        for _, name in itertools.product(range(load.pairs), apps):
            job = again(jobs[name], seconds=load.latency_seconds, rate=measured.rates[name])
            _, told = self.stage.turn(apps[name], job)
            assert told.latencies is not None
            measured.latencies.setdefault(name, []).append(told.latencies)

    def expected(self, app: str, operation: str) -> bytes | None:
        """Return what the answers of a baseline have, which do not depend on the request."""
        if app in (OURS, PLAIN) or OPERATIONS[operation].writes:
            return None
        return next(prepare(self.job(operation, 0, Load(), seconds=1)))[1]


@contextmanager
def bench(
    stage: Stage,
    *,
    dataset: Dataset,
    apps: Sequence[str],
    variables: Mapping[str, str],
) -> Iterator[Bench]:
    """Make databases of a kind, fill them, and serve our app and the plain app on them until the end of the block.

    Args:
        variables: More settings of our app; by default, it runs as it is shipped.
    """
    kind, host, issuer = stage.kind, stage.host, stage.issuer
    with ExitStack() as stack:
        served: dict[str, ServedApp] = {}
        url = stack.enter_context(database(kind, host.directory))
        fill_ours(url, dataset)
        settings = {"STATEMOUNT_DATABASE_URL": url, "STATEMOUNT_JWT_SECRET": issuer.secret, **variables}
        served[OURS] = stack.enter_context(host.serving("statemount.asgi:app", settings))
        if PLAIN in apps:
            url = stack.enter_context(database(kind, host.directory))
            settings = {"BENCHMARK_DATABASE_URL": plain_url(url), "BENCHMARK_SECRET": issuer.secret}
            served[PLAIN] = stack.enter_context(host.serving("tests.benchmarks.apps.plain:app", settings))
            fill_plain(url, dataset)
        yield Bench(stage, dataset, apps, served)


def ask(job: Job) -> Answer:
    """Send the first request of a job, and return the answer."""
    request, _ = next(prepare(replace(job, seconds=1, most=100)))
    end = tails(job)
    with socket.create_connection(("127.0.0.1", job.port)) as connection:
        connection.sendall(request + (b"" if end is None else next(end)))
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read().decode()
        headers = [(name.lower(), text) for name, text in response.getheaders()]
    assert response.status == OPERATIONS[job.operation].status, (response.status, body)
    return Answer(response.status, tuple(pair for pair in headers if pair[0] not in _ADDED_BY_SERVERS), body)
