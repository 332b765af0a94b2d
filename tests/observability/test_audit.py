"""The audit log: one line for every refused request and for every public write, and never what was written."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from statemount import HostAuth, Identity, MemoryStore, Outcome, StateMount
from statemount.clock import system_clock
from statemount.errors import ForbiddenError, UnavailableError, WriteOutcomeUnknownError
from statemount.web.audit import FIELDS, MAX_TEXT_LENGTH
from tests.contract.rows import Token
from tests.contract.transports import ask
from tests.contract.world import Place, StillClock
from tests.documents import ROOT, table
from tests.observability.support import public, request
from tests.servers import serving

pytestmark = pytest.mark.anyio

OTHER = "0197f3a0-1111-7000-8000-00000000abcd"
TASK = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
TASKS = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}"
ASSETS = "/assets/{asset_id}/state-store"
DIRECTORY = "/api/v2/directory"


class Lines:
    """The lines of the audit log."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def take(self) -> list[dict[str, Any]]:
        """Return the lines since the last call, read as JSON; each is one line of text."""
        records = [record for record in self._caplog.records if record.name == "statemount.audit"]
        self._caplog.clear()
        lines: list[dict[str, Any]] = []
        for record in records:
            text = record.getMessage()
            assert text.isascii()
            assert text.isprintable()
            assert record.levelname == "INFO"
            lines.append(json.loads(text))
        return lines

    def one(self) -> dict[str, Any]:
        """Return the only line."""
        (line,) = self.take()
        return line


@pytest.fixture
def lines(place: Place, caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    """Return the lines that come from now on."""
    with caplog.at_level(logging.INFO, "statemount"):
        caplog.clear()
        yield Lines(caplog)


def given(line: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a line that say something."""
    assert list(line) == list(FIELDS)
    return {name: value for name, value in line.items() if value is not None}


async def test_a_public_write(place: Place, lines: Lines) -> None:
    """A write over the public API leaves one line: who wrote which key of what, and when; not the value."""
    body = {"value": "topsecret", "expires_at": None}
    headers = {"correlation-id": "c-1"}
    target = f"{TASK}/state-store/a/key%20of%20mine?map_index=-1&unknown=x"
    answer = await request(place, "PUT", target, body, token=public(), headers=headers)
    assert answer.status == 204
    line = lines.one()
    assert given(line) == {
        "time": "2026-11-20T12:00:00.000000+00:00",
        "event": "written",
        "route_set": "public",
        "method": "PUT",
        "route": f"{TASKS}/state-store/{{key}}",
        "status": 204,
        "subject": "ann",
        "client": "127.0.0.1",
        "correlation_id": "c-1",
        "dag_id": "dag",
        "run_id": place.scope.run_id,
        "task_id": "task",
        "map_index": "-1",
        "key": "a/key of mine",
    }
    assert "topsecret" not in json.dumps(line)


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "route", "named"),
    [
        ("PATCH", f"{TASK}/state-store/seeded", {"value": 2}, 200, f"{TASKS}/state-store/{{key}}", {"key": "seeded"}),
        ("DELETE", f"{TASK}/states/seeded", None, 204, f"{TASKS}/states/{{key}}", {"key": "seeded"}),
        ("DELETE", f"{TASK}/state-store?all_map_indices=true&key=x", None, 204, f"{TASKS}/state-store",
         {"all_map_indices": "true"}),
        ("PUT", "/api/v2/assets/<name-id>/state-store/k", {"value": 1}, 204, f"{ASSETS}/{{key}}",
         {"asset_id": "<name-id>", "key": "k"}),
        ("DELETE", "/api/v2/assets/<name-id>/state-store?key=x", None, 204, ASSETS, {"asset_id": "<name-id>"}),
        ("POST", f"{TASK}/state-store?map_index=-1",
         {"operations": [{"op": "set", "key": "k", "value": 1}, {"op": "get", "key": "l"}, {"op": "get", "key": "k"}]},
         200, f"{TASKS}/state-store", {"map_index": "-1", "keys": ["k", "l"]}),
        ("POST", "/api/v2/assets/<name-id>/state-store", {"operations": [{"op": "increment", "key": "k"}]}, 200, ASSETS,
         {"asset_id": "<name-id>", "keys": ["k"]}),
        ("PUT", f"{DIRECTORY}/task-instances/{OTHER}", {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": 3},
         204, "/directory/task-instances/{task_instance_id}",
         {"task_instance_id": OTHER, "dag_id": "d", "run_id": "r", "task_id": "t", "map_index": "3"}),
        ("POST", f"{DIRECTORY}/task-instances",
         {"task_instances": [{"id": OTHER, "dag_id": "d", "run_id": "r", "task_id": "t"}]}, 204,
         "/directory/task-instances", {"task_instance_ids": [OTHER]}),
        ("POST", f"{DIRECTORY}/revocations", {"jti": "a\nb"}, 204, "/directory/revocations", {"jti": "a\nb"}),
        ("POST", f"{DIRECTORY}/revocations", {"task_instance_id": OTHER}, 204, "/directory/revocations",
         {"task_instance_id": OTHER}),
        ("DELETE", f"{DIRECTORY}/runs/dag/<run>", None, 204, "/directory/runs/{dag_id}/{run_id}",
         {"dag_id": "dag", "run_id": "<run>"}),
        ("PUT", f"{DIRECTORY}/assets", {"name": "<name>", "uri": "<name-uri>"}, 200, "/directory/assets",
         {"asset_id": "<name-id>", "asset_name": "<name>", "asset_uri": "<name-uri>"}),
        ("DELETE", f"{DIRECTORY}/assets/<name-id>", None, 204, "/directory/assets/{asset_id}",
         {"asset_id": "<name-id>"}),
        ("POST", f"{DIRECTORY}/assets/<gone-id>/restore", None, 200, "/directory/assets/{asset_id}/restore",
         {"asset_id": "<gone-id>"}),
        ("POST", f"{DIRECTORY}/task-instances/<ti>/succeeded", None, 204,
         "/directory/task-instances/{task_instance_id}/succeeded", {"task_instance_id": "<ti>"}),
    ],
)  # fmt: skip
async def test_every_kind_of_public_write(
    place: Place, lines: Lines, method: str, target: str, body: Any, status: int, route: str, named: dict[str, str]
) -> None:
    """Every kind of write over the public API, the directory's included, leaves one line that says what it was about.

    What the query says counts only where the route reads it.
    """
    await place.seed(place.scope, {"seeded": 1})
    assert (await request(place, method, target, body, token=public())).status == status
    line = given(lines.one())
    assert (line["event"], line["method"], line["route"], line["status"]) == ("written", method, route, status)
    if target.startswith(TASK):
        named = {"dag_id": "dag", "run_id": "<run>", "task_id": "task", **named}
    rest = {"time", "event", "route_set", "method", "route", "status", "subject", "client"}
    assert {name: value for name, value in line.items() if name not in rest} == place.fill(named)


async def test_a_refused_batch(place: Place, lines: Lines) -> None:
    """A batch that is refused for one of its operations leaves the keys that it names; one that fails leaves none."""
    operations: list[dict[str, Any]] = [{"op": "set", "key": "k", "value": "topsecret"}, {"op": "delete", "key": "l"}]
    target, token = f"{TASK}/state-store", public("state:read state:write")
    assert (await request(place, "POST", target, {"operations": operations}, token=token)).status == 403
    line = given(lines.one())
    assert (line["event"], line["keys"], line["status"]) == ("refused", ["k", "l"], 403)
    assert line["reason"] == "'ann' lacks the permission state:delete"
    assert "topsecret" not in json.dumps(line)
    operations[1] = {"op": "check", "key": "l", "exists": True}
    assert (await request(place, "POST", target, {"operations": operations}, token=token)).status == 412
    assert lines.take() == []


async def test_what_leaves_no_line(place: Place, lines: Lines) -> None:
    """A read, a worker's write, and a write that is not acceptable or finds nothing leave no line."""
    worker = "/execution/store/ti/<ti>/k"
    assert (await request(place, "PUT", worker, {"value": 1})).status == 204
    assert (await request(place, "GET", worker)).status == 200
    assert (await request(place, "DELETE", worker)).status == 204
    assert (await request(place, "GET", f"{TASK}/state-store", token=public())).status == 200
    assert (await request(place, "PUT", f"{TASK}/state-store/k", {"value": None}, token=public())).status == 422
    assert (await request(place, "PATCH", f"{TASK}/state-store/k", {"value": 1}, token=public())).status == 404
    assert (await request(place, "GET", "/nothing")).status == 404
    assert lines.take() == []


@pytest.mark.parametrize(
    ("method", "target", "token", "status", "subject", "reason", "named"),
    [
        ("GET", "/execution/store/ti/<ti>/k", "", 401, None, "no Authorization header",
         {"task_instance_id": "<ti>", "key": "k"}),
        ("GET", "/execution/store/ti/<ti>/k", Token(key="x" * 64), 403, None, "no key verifies the token",
         {"task_instance_id": "<ti>", "key": "k"}),
        ("GET", "/execution/store/ti/<ti>/k", Token({"exp": -60}), 403, None, "the token is expired",
         {"task_instance_id": "<ti>", "key": "k"}),
        ("GET", "/execution/store/ti/<ti>/k", Token({"scope": "workload"}), 403, None, "Token type 'workload'",
         {"task_instance_id": "<ti>", "key": "k"}),
        ("DELETE", "/execution/store/ti/<other>", Token(), 403, "<ti>", "may not delete the state of task instance",
         {"task_instance_id": "<other>"}),
        ("GET", "/execution/store/asset/by-name/value?name=<foreign>&key=k", Token(), 403, "<ti>",
         "may not read the state of asset <foreign-id> (not registered)", {"asset_name": "<foreign>", "key": "k"}),
        ("GET", "/execution/store/asset/by-uri/value?uri=<foreign-uri>&key=k", Token(), 403, "<ti>",
         "(not registered)", {"asset_uri": "<foreign-uri>", "key": "k"}),
        ("GET", "/execution/store/asset/by-name?name=<foreign>&list=true&prefix=k", Token(), 403, "<ti>",
         "(not registered)", {"asset_name": "<foreign>"}),
        ("GET", "/execution/store/ti/<other>?list=true", Token(), 403, "<ti>", "may not read the state",
         {"task_instance_id": "<other>"}),
        ("GET", f"{TASK}/state-store/k", public("state:write"), 403, "ann", "lacks the permission state:read",
         {"dag_id": "dag", "run_id": "<run>", "task_id": "task", "key": "k"}),
        ("DELETE", f"{TASK}/state-store?map_index=7", public(dags=["other"]), 403, "ann", "may not reach the dag 'dag'",
         {"dag_id": "dag", "run_id": "<run>", "task_id": "task", "map_index": "7"}),
        ("GET", f"{TASK}/state-store/k", public(exp=-60), 401, None, "the token is expired",
         {"dag_id": "dag", "run_id": "<run>", "task_id": "task", "key": "k"}),
    ],
)  # fmt: skip
async def test_a_refused_request(
    place: Place,
    lines: Lines,
    method: str,
    target: str,
    token: Token | str,
    status: int,
    subject: str | None,
    reason: str,
    named: dict[str, str],
) -> None:
    """A refused request leaves one line in all, with the reason and what it was about."""
    await place.state.directory.count_assets()
    answer = await request(place, method, target, token=token)
    line = lines.one()
    if answer.status != status:  # the two route sets word an expired token differently
        raise AssertionError(answer)
    assert (line["event"], line["status"], line["method"]) == ("refused", status, method)
    assert line["subject"] == (None if subject is None else place.fill(subject))
    assert place.fill(reason) in line["reason"]
    rest = {"time", "event", "route_set", "method", "route", "status", "subject", "client", "reason"}
    assert {name: value for name, value in given(line).items() if name not in rest} == place.fill(named)


async def test_no_token_is_ever_logged(place: Place, lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    """No part of a token stands in any log, whether it is accepted or not."""
    tokens = [place.token(token) for token in (Token(key="x" * 64), Token({"exp": -60}), Token(), public("nothing"))]
    texts: list[str] = []
    for token in tokens:
        await request(place, "GET", "/execution/store/ti/<other>/k", token=f"Bearer {token}")
        texts += [json.dumps(vars(record), default=str) for record in caplog.records]
        assert len(lines.take()) == 1
    for token in tokens:
        assert not [text for text in texts for part in token.split(".") if part in text]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a%0A%7B%22event%22:%22written%22%7D", 'a\n{"event":"written"}'),
        ("%E2%80%A8%1B[31m%22", '\u2028\x1b[31m"'),
        ("x" * 5000, "x" * MAX_TEXT_LENGTH + "..."),
        ("%FF", "\udcff"),
    ],
)
async def test_nobody_can_forge_a_line(place: Place, lines: Lines, path: str, key: str) -> None:
    """Whatever a request holds, its line stays one line of printable ASCII, no longer than it may be."""
    assert (await request(place, "DELETE", f"/execution/store/ti/<ti>/{path}", token="")).status == 401
    assert lines.one()["key"] == key


async def test_it_can_be_switched_off(place: Place, lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    """A level above INFO switches it off."""
    caplog.set_level(logging.WARNING, "statemount.audit")
    assert (await request(place, "GET", "/execution/store/ti/<ti>/k", token="")).status == 401
    assert (await request(place, "PUT", f"{TASK}/state-store/k", {"value": 1}, token=public())).status == 204
    assert lines.take() == []


async def test_a_record_has_the_fields_too(place: Place, lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    """A formatter finds the fields on the record, as ``audit``."""
    await request(place, "GET", "/execution/store/ti/<ti>/k", token="")
    (record,) = caplog.records
    assert record.__dict__["audit"] == lines.one()


async def test_a_host_that_refuses(clock: StillClock, caplog: pytest.LogCaptureFixture) -> None:
    """What a host's own authentication refuses is logged as well, and by a route set that is mounted alone."""

    def identify(connection: object) -> None:
        raise ForbiddenError("no", reason="because")

    state = StateMount("memory://", auth=HostAuth(identify), clock=clock)
    with caplog.at_level(logging.INFO, "statemount.audit"):
        answer = await ask(state.public, "GET", "/assets/1/state-store", {}, None)
    assert answer.status == 403
    line = Lines(caplog).one()
    assert (line["reason"], line["route_set"], line["asset_id"]) == ("because", "public", "1")
    await state.stop()


class UnsureStore(MemoryStore):
    """Loses its connection in every COMMIT, or never answers."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__(clock=system_clock)
        self._error = error
        self.asked = asyncio.Event()

    async def apply(self, *arguments: object, **options: object) -> Outcome:
        self.asked.set()
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


def everybody(connection: object) -> Identity:
    """Let everybody write."""
    return Identity("ann", permissions=frozenset({"state:write", "state:delete", "directory:write"}))


async def make_unsure(error: Exception | None) -> tuple[StateMount, UnsureStore, str]:
    """Return an app, its store, and the path of a key of an asset."""
    store = UnsureStore(error)
    state = StateMount("memory://", auth=HostAuth(everybody), store=store)
    asset = await state.directory.register_asset(name="a")
    return state, store, f"/api/v2/assets/{asset.asset_id}/state-store/k"


async def test_nobody_knows_whether_it_was_written(caplog: pytest.LogCaptureFixture) -> None:
    """A public write whose outcome is not known leaves a line that says so; one that was not done leaves none."""
    with caplog.at_level(logging.INFO, "statemount.audit"):
        for error, events in ((WriteOutcomeUnknownError("lost"), ["unknown"]), (UnavailableError("down"), [])):
            state, _, path = await make_unsure(error)
            assert (await ask(state, "DELETE", path, {}, None)).status == 503
            lines = Lines(caplog).take()
            assert [line["event"] for line in lines] == events
            assert [(line["status"], line["reason"]) for line in lines] == [(503, "lost")][: len(events)]
            await state.stop()


async def test_a_cancelled_write(caplog: pytest.LogCaptureFixture) -> None:
    """A public write that is cancelled may be done all the same, and leaves a line that says so."""
    state, store, path = await make_unsure(None)
    with caplog.at_level(logging.INFO, "statemount.audit"):
        task = asyncio.create_task(ask(state, "DELETE", path, {}, None))
        await store.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    line = Lines(caplog).one()
    assert (line["event"], line["status"], line["subject"], line["key"]) == ("unknown", None, "ann", "k")
    await state.stop()


def test_served_lines(tmp_path: Path) -> None:
    """`statemount serve` writes each line as it is: JSON, with nothing before it."""
    with serving("--dev", directory=tmp_path) as running:
        assert httpx.get(f"{running.exports['TASK']}/k").status_code == 401
        lines = [line for line in running.output.read_text().splitlines() if line.startswith("{")]
    assert [json.loads(line)["reason"] for line in lines] == ["no Authorization header"]


def test_documented_fields() -> None:
    """The documentation has every field, with its meaning, and no other."""
    expected = [[f"`{name}`", meaning] for name, meaning in FIELDS.items()]
    written = table(ROOT / "docs" / "how-to" / "observe.md", "## The audit log")
    assert written == expected, "\n".join(f"| {' | '.join(row)} |" for row in expected)
