"""Random requests of both route sets and versions, to two processes, do to state what they would do to a dictionary."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from typing_extensions import override

from statemount.model import from_datetime, to_datetime
from statemount.mount import StateMount
from tests.contract.rows import USER, Token
from tests.contract.transports import Answer, ask
from tests.contract.world import Place, StillClock, make_state
from tests.databases import Databases

T = TypeVar("T")

Thing = Literal["task", "asset"]
Step = tuple[str, str, Any]
Demand = Literal["nothing", "this revision", "another revision", "some", "none"]

_DAY = 24 * 60 * 60
_RETENTION = 30 * _DAY * 1_000_000

_STATE = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
_WORKERS: dict[Thing, tuple[str, ...]] = {
    "task": ("/execution/store/ti/<ti>/{}", "/execution/state/ti/<ti>/{}"),
    "asset": (
        "/execution/store/asset/by-name/value?name=<name%>&key={}",
        "/execution/store/asset/by-uri/value?uri=<name-uri%>&key={}",
        "/execution/state/asset/<name%>/{}",
    ),
}
_CLEARS: dict[Thing, tuple[str, ...]] = {
    "task": ("/execution/store/ti/<ti>", "/execution/state/ti/<ti>", "/execution/state/ti/<ti>?all_map_indices=1"),
    "asset": (
        "/execution/store/asset/by-name/clear?name=<name%>",
        "/execution/store/asset/by-uri/clear?uri=<name-uri%>",
        "/execution/state/asset/<name%>",
    ),
}
_BATCHES: dict[Thing, tuple[str, ...]] = {
    "task": ("/execution/store/ti/<ti>", "/execution/state/ti/<ti>"),
    "asset": (
        "/execution/store/asset/by-name?name=<name%>",
        "/execution/store/asset/by-uri?uri=<name-uri%>",
        "/execution/state/asset/<name%>",
    ),
}
_LISTS: dict[Thing, dict[str, str]] = {
    "task": {f"{_STATE}/state-store": "task_state_store", f"{_STATE}/states": "task_states"},
    "asset": {
        "/api/v2/assets/<name-id>/state-store": "asset_state_store",
        "/api/v2/assets/<name-id>/states": "asset_states",
    },
}


def _views(thing: Thing) -> tuple[str, ...]:
    return (*_WORKERS[thing], *(f"{path}/{{}}" for path in _LISTS[thing]))


things = st.sampled_from(("task", "asset"))
processes = st.integers(0, 1)
choices = st.integers(0, 29)
keys = st.sampled_from(["k", "a/b", "a%2Fb", "K", "\N{GRINNING FACE}", "..."])
values = st.sampled_from([0, False, "", [], {}, 1.0, 2**70, "\0", "\N{SNOWMAN}", [None, {"a": [1.5e300]}], {"": None}])
demands = st.sampled_from(("nothing", "nothing", "this revision", "another revision", "some", "none"))
steps = st.tuples(st.sampled_from(("set", "set", "delete", "check")), keys, values)
lifetimes = st.sampled_from((None, "default", -1, 1, 60, _DAY))


@dataclass
class Item:
    """One key of the model.

    Args:
        expires_at: In microseconds; None = never.
        revision: As the answer to the last write had it.
    """

    value: Any
    expires_at: int | None
    revision: int


class StateMachine(RuleBasedStateMachine):
    """Two processes' apps next to a dictionary for each thing that has state."""

    url: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = StillClock()
        self.items: dict[Thing, dict[str, Item]] = {"task": {}, "asset": {}}
        self.last: dict[Thing, int] = {"task": 0, "asset": 0}
        self.stack = AsyncExitStack()

    def run(self, work: Awaitable[T]) -> T:
        """Run something on this machine's event loop."""

        async def wait() -> T:
            return await work

        return self.loop.run_until_complete(wait())

    @initialize()
    def start(self) -> None:
        """Start both apps; in memory there is one."""
        first = make_state(self.url, self.clock)
        self.states: list[StateMount] = [first, first if self.url is None else make_state(self.url, self.clock)]
        for state in self.states:
            self.run(self.stack.enter_async_context(state.lifespan()))
        self.place = self.run(Place.make(first, self.clock))

    @override
    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.loop.close()

    def ask(self, process: int, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Return the answer to a request, with a token that is good for it."""
        token = self.place.token(USER if path.startswith("/api") else Token())
        sent = {"authorization": f"Bearer {token}", "content-type": "application/json", **headers}
        content = None if body is None else json.dumps(body).encode()
        answer = self.run(ask(self.states[process], method, self.place.fill(path), sent, content))
        assert answer.status < 500
        return answer

    def live(self, thing: Thing) -> dict[str, Item]:
        """Return what should be there now, in the order of lists."""
        now = self.clock.now
        found = {key: item for key, item in self.items[thing].items() if (item.expires_at or now + 1) > now}
        return {key: found[key] for key in sorted(found, key=str.encode)}

    def condition(self, item: Item | None, demand: Demand) -> tuple[dict[str, str], bool]:
        """Return the headers of a demand on a key, and whether it holds."""
        if demand == "this revision":
            return {"if-match": f'"{1 if item is None else item.revision}"'}, item is not None
        if demand == "another revision":
            return {"if-match": f'"2", W/"{0 if item is None else item.revision}"'}, False
        if demand == "some":
            return {"if-match": "*"}, item is not None
        if demand == "none":
            return {"if-none-match": "*"}, item is None
        return {}, True

    def wrote(self, thing: Thing, answer: Answer) -> int:
        """Return the revision of an answer to a write, which is new."""
        revision = int(answer.headers["etag"].strip('"'))
        assert revision > self.last[thing]
        self.last[thing] = revision
        return revision

    @rule(process=processes, thing=things, choice=choices, key=keys, value=values, lifetime=lifetimes, demand=demands)
    def put(self, process: int, thing: Thing, choice: int, key: str, value: Any, lifetime: Any, demand: Demand) -> None:
        """A key is set, with its expiry as the route set reads it, if the demand holds."""
        views = _views(thing)
        path = views[choice % len(views)]
        is_public = path.startswith("/api")
        body: dict[str, Any] = {"value": value}
        expires_at = None
        if thing == "task" and isinstance(lifetime, int):
            expires_at = self.clock.now + lifetime * 1_000_000
            body["expires_at"] = to_datetime(expires_at).isoformat()
        elif thing == "task" and is_public and lifetime == "default":
            expires_at = self.clock.now + _RETENTION
        elif thing == "task" and is_public:
            body["expires_at"] = None
        item = self.live(thing).get(key)
        headers, holds = self.condition(item, demand)
        answer = self.ask(process, "PUT", path.format(quote(key, safe="")), body, **headers)
        assert answer.status == (204 if holds else 412)
        if holds:
            self.items[thing][key] = Item(value, expires_at, self.wrote(thing, answer))
        self.check(1 - process, thing, key, views[choice // 6 % len(views)])

    @rule(process=processes, thing=things, choice=choices, key=keys, value=values, demand=demands)
    def patch(self, process: int, thing: Thing, choice: int, key: str, value: Any, demand: Demand) -> None:
        """A key that is there is set; its expiry stays."""
        views = list(_LISTS[thing])
        item = self.live(thing).get(key)
        headers, holds = self.condition(item, demand)
        path = f"{views[choice % len(views)]}/{quote(key, safe='')}"
        answer = self.ask(process, "PATCH", path, {"value": value}, **headers)
        assert answer.status == (404 if item is None else 200 if holds else 412)
        if item is not None and holds:
            self.items[thing][key] = Item(value, item.expires_at, self.wrote(thing, answer))
        self.check(1 - process, thing, key, f"{views[choice // 6 % len(views)]}/{{}}")

    @rule(process=processes, thing=things, choice=choices, steps=st.lists(steps, min_size=1, max_size=4))
    def batch(self, process: int, thing: Thing, choice: int, steps: list[Step]) -> None:
        """Operations are done one after the other, all or none."""
        paths = (*_BATCHES[thing], *_LISTS[thing])
        path = paths[choice % len(paths)]
        expires_at = self.clock.now + _RETENTION if thing == "task" and path.startswith("/api") else None
        present, holds = set(self.live(thing)), True
        for op, key, _ in steps:
            holds = holds and (op != "check" or key in present)
            present = present | {key} if op == "set" else present - {key} if op == "delete" else present
        answer = self.ask(process, "POST", path, {"operations": [_operation(*step) for step in steps]})
        assert answer.status == (200 if holds else 412)
        if holds:
            for (op, key, value), result in zip(steps, json.loads(answer.body)["results"], strict=True):
                if op == "set":
                    assert result["revision"] > self.last[thing]
                    self.last[thing] = result["revision"]
                    self.items[thing][key] = Item(value, expires_at, result["revision"])
                elif op == "delete":
                    self.items[thing].pop(key, None)
        views = _views(thing)
        for _, key, _ in steps:
            self.check(1 - process, thing, key, views[choice // 6 % len(views)])

    @rule(process=processes, thing=things, choice=choices, key=keys, demand=demands)
    def delete(self, process: int, thing: Thing, choice: int, key: str, demand: Demand) -> None:
        """A key is removed; one that is missing is no error."""
        views = _views(thing)
        headers, holds = self.condition(self.live(thing).get(key), demand)
        path = views[choice % len(views)].format(quote(key, safe=""))
        assert self.ask(process, "DELETE", path, **headers).status == (204 if holds else 412)
        if holds:
            self.items[thing].pop(key, None)

    @rule(process=processes, thing=things, choice=choices)
    def clear(self, process: int, thing: Thing, choice: int) -> None:
        """Everything is removed."""
        paths = (*_CLEARS[thing], *_LISTS[thing])
        assert self.ask(process, "DELETE", paths[choice % len(paths)]).status == 204
        self.items[thing] = {}

    @rule(seconds=st.sampled_from([1, 59, 60, _DAY, 30 * _DAY]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @rule(process=processes, thing=things, key=keys, demand=demands)
    def get(self, process: int, thing: Thing, key: str, demand: Demand) -> None:
        """Every way to a key gives the same value, and the revision of its last write."""
        for path in _views(thing):
            self.check(process, thing, key, path, demand)

    def check(self, process: int, thing: Thing, key: str, path: str, demand: Demand = "nothing") -> None:
        """Compare what one way to a key gives with the model."""
        item = self.live(thing).get(key)
        headers, holds = self.condition(item, demand)
        answer = self.ask(process, "GET", path.format(quote(key, safe="")), **headers)
        if item is None:
            assert answer.status == 404
        elif not holds:
            assert answer.status == (304 if demand == "none" else 412)
        else:
            found = json.loads(answer.body)
            assert json.dumps(found["value"]) == json.dumps(item.value)
            assert answer.headers["etag"] == f'"{item.revision}"'
            if "expires_at" in found:
                assert _moment(found["expires_at"]) == item.expires_at

    @rule(process=processes, thing=things, limit=st.integers(0, 6), offset=st.integers(0, 6))
    def list(self, process: int, thing: Thing, limit: int, offset: int) -> None:
        """A list has what is there, in the order of the keys' bytes."""
        items = self.live(thing)
        for path, name in _LISTS[thing].items():
            page = json.loads(self.ask(process, "GET", f"{path}?limit={limit}&offset={offset}").body)
            assert page["total_entries"] == len(items)
            assert [entry["key"] for entry in page[name]] == [*items][offset : offset + limit]
            for entry in page[name]:
                assert json.dumps(entry["value"]) == json.dumps(items[entry["key"]].value)


def _operation(op: str, key: str, value: Any) -> dict[str, Any]:
    further = {"set": {"value": value}, "check": {"exists": True}}
    return {"op": op, "key": key, **further.get(op, {})}


def _moment(text: str | None) -> int | None:
    return None if text is None else from_datetime(datetime.fromisoformat(text.replace("Z", "+00:00")))


def test_any_order(backend_kind: str, databases: Databases) -> None:
    """Whatever comes in whatever order through whichever process, state is what a dictionary would hold."""

    class Machine(StateMachine):
        url = None if backend_kind == "memory" else databases.clean(backend_kind)

    examples = 30 if backend_kind == "memory" else 8
    rules = settings(max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=[*HealthCheck])
    run_state_machine_as_test(Machine, settings=rules)
