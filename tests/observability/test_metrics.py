"""The metrics: what is counted, under which names, and that nothing is where nobody wants it."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from statemount.auth import JWTAuth
from statemount.database.lane import Lane, Ticket
from statemount.database.query import Query, Script
from statemount.errors import ConfigurationError, OverloadedError
from statemount.metrics import Metrics
from statemount.mount import StateMount
from statemount.service.clean_up import CleanUpRules
from statemount.service.sweeper import Sweeper
from statemount.store.memory import MemoryStore
from tests.contract.rows import Expiring
from tests.contract.transports import ask
from tests.contract.world import SECRET, Place, StillClock
from tests.database.support import ask as ask_database
from tests.database.support import connected, until
from tests.documents import ROOT, table
from tests.observability.support import Scrape, public, request, scrape
from tests.service.naps import Naps
from tests.watching.streams import streaming

pytestmark = pytest.mark.anyio

KEY = "/execution/store/ti/<ti>/k"


async def test_requests_are_counted(place: Place) -> None:
    """Every request is counted and timed by its route, method and status, also one that finds no route."""
    before = await scrape(place.state)
    for _ in range(3):
        assert (await request(place, "PUT", KEY, {"value": 1})).status == 204
    assert (await request(place, "GET", KEY, token="")).status == 401
    assert (await request(place, "BREW", "/execution/nothing")).status == 404
    assert (await request(place, "GET", "/api/v2/assets/<name-id>/states", token=public())).status == 200
    after = await scrape(place.state)

    def grown(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    key = {"route_set": "execution", "route": "/store/ti/{task_instance_id}/{key}"}
    assert grown("requests_total", **key, method="PUT", status="204") == 3
    assert grown("request_seconds_count", **key, method="PUT") == 3
    assert grown("request_seconds_sum", **key, method="PUT") > 0
    assert grown("requests_total", **key, method="GET", status="401") == 1
    assert grown("requests_total", route_set="execution", route="none", method="other", status="404") == 1
    states = {"route_set": "public", "route": "/assets/{asset_id}/states"}
    assert grown("requests_total", **states, method="GET", status="200") == 1
    assert grown("requests_total", route_set="health", route="/metrics", method="GET", status="200") == 1


async def test_no_label_names_anything(place: Place) -> None:
    """No label holds a key, an id or a name, whatever is asked: the number of series has a bound."""
    pages: list[Scrape] = []
    for number in range(20):
        for method, path in (("GET", f"{KEY}{number}"), (f"M{number}", KEY), ("GET", f"/execution/x{number}")):
            await request(place, method, path)
        pages.append(await scrape(place.state))
    after = pages[-1]
    assert after.names == pages[1].names  # the first one does not count itself yet
    assert place.scope.run_id not in after.text
    assert place.words["<ti>"] not in after.text


async def test_the_database_is_seen(place: Place, backend_kind: str) -> None:
    """Groups and commits of a database are counted, and what its directory remembers; the memory store has none."""
    before = await scrape(place.state)
    answers = await asyncio.gather(*[request(place, "PUT", f"{KEY}{n}", {"value": n}) for n in range(20)])
    assert {answer.status for answer in answers} == {204}
    assert (await request(place, "GET", f"{KEY}1")).status == 200
    after = await scrape(place.state)

    def grown(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    has_database = backend_kind != "memory"
    assert grown("group_operations_sum", kind="write") == 20 * has_database
    assert (1 <= grown("group_operations_count", kind="write") <= 20) == has_database
    assert grown("group_operations_sum", kind="read") == has_database
    assert (grown("commit_seconds_count") >= 1) == has_database
    assert (grown("commit_seconds_sum") > 0) == has_database
    assert (grown("directory_cache_total", result="hit") > 0) == has_database
    assert (grown("directory_cache_total", result="miss") > 0) == has_database
    assert after("queue_length", kind="write") == after("queue_length", kind="read") == 0


async def test_what_is_swept_is_counted(place: Place, clock: StillClock) -> None:
    """What the sweeper removes is counted, and how long ago it last removed everything."""
    await place.seed(place.scope, {"a": Expiring(10, 1), "b": Expiring(10, 2), "c": 3})
    clock.advance(11)

    async def is_swept() -> bool:
        return (await scrape(place.state))("swept_total", what="entries") >= 2

    await until(is_swept)
    page = await scrape(place.state)
    assert page("swept_total", what="entries") == 2
    assert 0 <= page("sweep_lag_seconds") < 60


async def test_watches_are_counted(place: Place) -> None:
    """A watch is counted as a request when it begins, however long it goes on, and as open until it is over."""
    headers = {"authorization": f"Bearer {place.words['<own>']}"}
    route = {"route_set": "execution", "route": "/store/ti/{task_instance_id}"}
    before = await scrape(place.state)
    async with streaming(place.state, place.fill("/execution/store/ti/<ti>"), headers) as stream:
        await stream.event()
        during = await scrape(place.state)
        assert during("watches") == before("watches") + 1 == 1
        assert during("requests_total", **route, method="GET", status="200") == 1
    after = await scrape(place.state)
    assert after("watches") == 0
    assert after("requests_total", **route, method="GET", status="200") == 1


def test_what_a_hub_tells() -> None:
    """Readers that are cut off are counted, and how long the database is asked for revisions."""
    metrics = Metrics()
    metrics.watch_cut_off()
    metrics.polled(0.02)
    page = Scrape(_text(metrics))
    assert (page("watches_cut_off_total"), page("watch_poll_seconds_sum")) == (1, 0.02)


class BrokenStore(MemoryStore):
    """Cannot sweep."""

    async def sweep(self, *, limit: int = 1000) -> int:
        raise OSError("broken")


async def test_a_sweeper_that_fails_lags_behind(clock: StillClock) -> None:
    """A round that fails is counted, and the lag grows from the last good one, or the beginning."""
    seconds = [100.0]
    metrics = Metrics(clock=lambda: seconds[0])
    assert str(Scrape(_text(metrics))("sweep_lag_seconds")) == "nan"
    naps = Naps()
    rules = CleanUpRules()
    sweeper = Sweeper(BrokenStore(clock=clock), None, clock, rules, interval=60, sleep=naps, observer=metrics)
    await sweeper.open()
    seconds[0] = 250.0
    await naps.end()
    await sweeper.close()
    page = Scrape(_text(metrics))
    assert page("sweep_failures_total", what="entries") >= 1
    assert page("sweep_lag_seconds") == 150


def _text(metrics: Metrics) -> str:
    text, _ = metrics.exposition("")
    return text.decode()


async def test_what_waits_is_seen() -> None:
    """The length of a queue is what waits in all lanes of its kind now; one that is gone no longer counts."""
    metrics = Metrics()
    may = asyncio.Event()
    sizes: list[int] = []

    async def work(group: Sequence[Ticket[int, int]]) -> None:
        await may.wait()
        sizes.append(len(group))
        for ticket in group:
            ticket.succeed(ticket.request)

    lane: Lane[int, int] = Lane(work, kind="write", observer=metrics, max_waiting=5)
    lane.start()
    answers = [lane.ask(0)]
    await asyncio.sleep(0)
    answers += [lane.ask(number) for number in range(5)]
    with pytest.raises(OverloadedError):
        lane.ask(6)
    assert Scrape(_text(metrics))("queue_length", kind="write") == 5
    may.set()
    await asyncio.gather(*answers)
    page = Scrape(_text(metrics))
    assert page("queue_length", kind="write") == 0
    assert (page("group_operations_sum", kind="write"), page("group_operations_count", kind="write")) == (6, 2)
    await lane.stop()
    del lane
    gc.collect()
    assert not metrics._queues["write"]


async def test_waits_for_a_connection_are_counted(database_url: str) -> None:
    """Only who finds no free connection is counted, with the time that was waited, in vain or not."""
    metrics = Metrics()
    async with connected(database_url, size=1, wait_seconds=0.01, observer=metrics) as connections:
        held = await connections._readers.acquire("read")
        with pytest.raises(OverloadedError):
            await connections.read(ask_database("SELECT 1"))
        connections._readers.release(held)
        await connections.read(ask_database("SELECT 1"))
    page = Scrape(_text(metrics))
    assert page("pool_wait_seconds_count", kind="read") == 1
    assert page("pool_wait_seconds_sum", kind="read") >= 0.01


def printed(code: str) -> str:
    """Return what a script prints in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


async def test_retries_are_counted(tmp_path: Path) -> None:
    """A transaction that is run again is counted, and the one that succeeded is timed."""
    metrics = Metrics()
    failures = iter([sqlite3.OperationalError("database is locked")] * 2)

    def script() -> Script[None]:
        for failure in failures:
            raise failure
        yield Query("SELECT 1")

    async with connected(f"sqlite:///{tmp_path}/state.db", observer=metrics) as connections:
        await connections.write(script)
    page = Scrape(_text(metrics))
    assert (page("retries_total", kind="write"), page("commit_seconds_count")) == (2, 1)


async def test_off_by_default(clock: StillClock) -> None:
    """Without the setting there is no route."""
    state = StateMount("memory://", auth=JWTAuth(secret=SECRET), clock=clock)
    assert (await ask(state, "GET", "/metrics", {}, None)).status == 404


def test_off_imports_nothing() -> None:
    """Without the setting prometheus_client is not even imported."""
    code = "import sys, statemount.mount as m; m.StateMount('memory://'); print('prometheus_client' in sys.modules)"
    assert printed(code) == "False\n"


def test_without_the_extra() -> None:
    """Where prometheus_client is not installed, the setting is refused in one sentence."""
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from statemount import *\n"
        "try: StateMount('memory://', metrics=True)\n"
        "except ConfigurationError as error: print(error)"
    )
    assert printed(code) == "metrics need prometheus_client: pip install 'statemount[metrics]'\n"


async def test_a_hosts_registry(clock: StillClock) -> None:
    """A host's own registry is counted in, and shown by us only if that is set; no two apps may share one."""
    registry = CollectorRegistry()
    state = StateMount("memory://", auth=JWTAuth(secret=SECRET), clock=clock, metrics_registry=registry)
    assert (await ask(state, "GET", "/metrics", {}, None)).status == 404
    labels = {"route_set": "health", "route": "none", "method": "GET", "status": "404"}
    assert registry.get_sample_value("statemount_requests_total", labels) == 1
    with pytest.raises(ConfigurationError, match="each app needs a metrics registry of its own"):
        StateMount("memory://", metrics_registry=registry)
    shown = StateMount("memory://", metrics=True, metrics_registry=CollectorRegistry())
    assert (await scrape(shown))("queue_length", kind="read") == 0


async def test_apps_do_not_share_anything(clock: StillClock) -> None:
    """Two apps in one process count apart, with nothing of the process itself."""
    apps = [StateMount("memory://", auth=JWTAuth(secret=SECRET), clock=clock, metrics=True) for _ in range(2)]
    await ask(apps[0], "GET", "/health", {}, None)
    pages = [await scrape(app) for app in apps]
    labels = {"route_set": "health", "route": "/health", "method": "GET", "status": "200"}
    assert [page("requests_total", **labels) for page in pages] == [1, 0]
    assert "python_info" not in pages[0].text


async def test_openmetrics(clock: StillClock) -> None:
    """Who asks for OpenMetrics gets it, and nobody keeps the answer."""
    state = StateMount("memory://", metrics=True)
    answer = await ask(state, "GET", "/metrics", {"accept": "application/openmetrics-text; version=1.0.0"}, None)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body.endswith(b"# EOF\n")


async def test_a_request_that_is_cancelled_is_counted(place: Place) -> None:
    """A client that goes away before its body is complete is counted with no status."""
    credentials = f"Bearer {place.token(public())}"
    headers = [(b"authorization", credentials.encode()), (b"content-type", b"application/json")]
    target = place.fill("/api/v2/assets/<name-id>/state-store/k")
    scope = {"type": "http", "method": "PUT", "path": target, "headers": headers, "query_string": b""}

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        raise AssertionError(message)

    await place.state(scope, receive, send)
    labels = {"route_set": "public", "route": "/assets/{asset_id}/state-store/{key}", "method": "PUT"}
    page = await scrape(place.state)
    assert page("requests_total", **labels, status="none") == 1


def test_documented_metrics() -> None:
    """The documentation has every metric, with its type, labels and meaning, and no other."""
    expected = [
        [f"`{one.name}`", one.type, ", ".join(f"`{label}`" for label in one.labels), one.description]
        for one in Metrics().described
    ]
    written = table(ROOT / "docs" / "how-to" / "observe.md", "## Metrics")
    assert written == expected, "\n".join(f"| {' | '.join(row)} |" for row in expected)
