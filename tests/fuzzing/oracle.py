"""What must hold of every answer, whatever was asked.

- The app raises nothing, logs no error, and answers with no 5xx but a 503 with ``Retry-After``.
- A refusal has the form that is documented, and has changed nothing; neither has a read.
- What was written is what was asked for, and can be read at once through every route of both route sets and both
  contract versions, as JSON by a strict parser.
"""

from __future__ import annotations

import codecs
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from statemount.model import AssetScope, Entry, Scope
from statemount.web.bodies import essence_of
from tests.contract.described import check_described
from tests.contract.transports import Answer
from tests.fuzzing.asking import Asked, ask
from tests.fuzzing.cases import Call, read_case
from tests.fuzzing.world import ASSETS, OTHER, OWN, SCOPES, TASK, Snapshot, World
from tests.store.reference import merged

MAX_SECONDS = 3.0
"""The most of the processor's time that a case may take."""

MAX_WAIT = 10.0
"""The most seconds until a request is answered, and the app is done with it."""

_METHODS = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE")
_PROBLEM = "application/problem+json"


async def run_case(world: World, data: bytes) -> list[int | None]:
    """Ask everything in a case; return the statuses, None for no answer.

    Raises:
        Exception: Something that must hold does not, or whatever the app has raised.
    """
    began = time.process_time()
    await world.prepare()
    statuses: list[int | None] = []
    is_known = True
    for call in read_case(data):
        registered = await world.registered() if _may_register(call) else None
        asked_at = time.monotonic()
        asked = await ask(world, call)
        assert time.monotonic() - asked_at < MAX_WAIT, "the answer does not come to its end"
        answer = asked.answer
        after = await world.snapshot()
        statuses.append(None if answer is None else answer.status)
        if answer is not None:
            _check_answer(asked, answer)
            _check_described(world, asked, answer)
        if answer is None or answer.status >= 300 or asked.method in ("GET", "HEAD"):
            assert after == world.before, f"{asked.method} was answered with {answer} and has changed something"
            assert registered is None or registered == await world.registered()
        elif b"/directory/" in asked.call.target:
            is_known = False
            _check_only_removed(world.before, after)
        else:
            _check_write(world, asked, answer, after)
        if is_known:
            await _check_readable(world, after)
        world.before = after
    assert time.process_time() - began < MAX_SECONDS, "it takes too long"
    if not is_known:
        await world.begin()
    return statuses


def _may_register(call: Call) -> bool:
    return b"/directory/" in call.target and call.method not in (b"GET", b"HEAD")


def _check_answer(asked: Asked, answer: Answer) -> None:
    status = answer.status
    assert status in (200, 204, 304) or 400 <= status < 500 or status == 503, f"{status}: {answer.body!r}"
    assert status != 503 or "retry-after" in answer.headers
    kind = answer.headers.get("content-type", "")
    if asked.method == "HEAD" or status in (204, 304):
        assert answer.body == b""
        return
    if kind == "text/event-stream":
        for line in answer.body.decode().split("\n"):
            if line.startswith("data:"):
                strict_json(line[5:])
        return
    if kind in ("application/json", _PROBLEM):
        assert len(answer.body) == int(answer.headers["content-length"])
        told = strict_json(answer.body)
        if status >= 400:
            _check_refusal(status, told, kind)
    else:
        assert status == 200


def _check_refusal(status: int, told: Any, kind: str) -> None:
    if kind == _PROBLEM:
        assert told["status"] == status
        assert all(type(told[name]) is str for name in ("type", "title", "detail"))
    elif status == 422:
        assert 0 < len(told["detail"]) <= 101
        for problem in told["detail"]:
            assert {"type", "loc", "msg"} <= set(problem) <= {"type", "loc", "msg", "input", "ctx"}
    else:
        assert set(told) == {"detail"}
        assert type(told["detail"]) in (str, dict)


def _check_described(world: World, asked: Asked, answer: Answer) -> None:
    """Check that the table of operations has such an answer, if it is known which operation was asked for."""
    target = asked.call.target
    may_watch = any(b"event-stream" in value.lower() for name, value in asked.call.headers if name == b"accept")
    is_known = asked.is_plain and asked.method in _METHODS and target.isascii() and not may_watch
    if is_known and answer.status not in (414, 503):
        check_described(world.state, asked.method, target.decode(), answer)


def strict_json(text: str | bytes) -> Any:
    """Return what JSON means that has no NaN and can be sent as UTF-8."""
    if isinstance(text, bytes):
        text = text.decode()
    value = json.loads(text, parse_constant=_no_constant)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def _changed(before: Snapshot, after: Snapshot) -> dict[Scope, dict[str, tuple[Entry | None, Entry | None]]]:
    """Return the keys that differ, by scope; a scope with a new revision is there even if it has none."""
    found: dict[Scope, dict[str, tuple[Entry | None, Entry | None]]] = {}
    for scope in SCOPES:
        (old_revision, old), (new_revision, new) = before[scope], after[scope]
        keys = {key for key in {*old, *new} if old.get(key) != new.get(key)}
        if keys or old_revision != new_revision:
            assert new_revision > old_revision, f"the revision of {scope} goes back"
            found[scope] = {key: (old.get(key), new.get(key)) for key in keys}
    return found


def _check_only_removed(before: Snapshot, after: Snapshot) -> None:
    for scope in SCOPES:
        assert after[scope][1].items() <= before[scope][1].items()


def _check_write(world: World, asked: Asked, answer: Answer, after: Snapshot) -> None:
    changed = _changed(world.before, after)
    if asked.method == "DELETE":
        _check_only_removed(world.before, after)
        return
    assert len(changed) <= 1, f"one write has changed {list(changed)}"
    keys = next(iter(changed.values()), {})
    if asked.method == "POST":
        if b"/state-history/" in asked.call.target:
            assert len(keys) <= 1
        else:
            _check_batch(asked, answer, keys)
        return
    assert len(keys) <= 1
    body = _body(asked)
    is_patch = asked.method == "PATCH"
    for old, new in keys.values():
        if new is None:
            assert "expires_at" in body, "a write has removed a key"
            continue
        if is_patch and essence_of(asked.header(b"content-type")) == "application/merge-patch+json":
            wanted = merged({} if old is None else json.loads(old.value), body)
        else:
            wanted = body["value"]
        assert new.value == json.dumps(wanted)
        assert answer.headers["etag"] == f'"{new.revision}"'
    assert keys or "expires_at" in body, "a write has changed nothing"


def _check_batch(asked: Asked, answer: Answer, keys: Mapping[str, tuple[Entry | None, Entry | None]]) -> None:
    operations = _body(asked)["operations"]
    results = json.loads(answer.body)["results"]
    assert [(one["op"], one["key"]) for one in results] == [(one["op"], one["key"]) for one in operations]
    assert set(keys) <= {one["key"] for one in operations}
    last = {one["key"]: (one, wanted) for one, wanted in zip(results, operations, strict=True)}
    for key, (_, new) in keys.items():
        result, wanted = last[key]
        if new is None:
            assert result["revision"] is None or any("expires_at" in one for one in operations)
            continue
        assert result["revision"] == new.revision
        if wanted["op"] == "set":
            assert new.value == json.dumps(wanted["value"])
        elif result.get("value") is not None:
            assert new.value == json.dumps(result["value"])


def _body(asked: Asked) -> Any:
    return json.loads(asked.call.body.removeprefix(codecs.BOM_UTF8))


async def _check_readable(world: World, after: Snapshot) -> None:
    """Read what was changed through every route, and the lists that it stands in."""
    for scope, keys in _changed(world.before, after).items():
        for target in _lists(scope):
            answer = await _read(world, target)
            (entries, _) = strict_json(answer.body).values()
            assert [one["key"] for one in entries] == list(after[scope][1])[: len(entries)]
        for key, (_, entry) in keys.items():
            if entry is not None:
                for target in _views(scope, key):
                    _check_entry(await _read(world, target), entry)


def _check_entry(answer: Answer, entry: Entry) -> None:
    assert answer.status == 200, answer
    told = strict_json(answer.body)
    assert json.dumps(told["value"]) == entry.value
    assert told.get("key", entry.key) == entry.key
    assert answer.headers["etag"] == f'"{entry.revision}"'


async def _read(world: World, target: str) -> Answer:
    token = b"Bearer <user>" if target.startswith("/api") else b"Bearer <own>"
    if f"{OTHER}" in target:
        token = b"Bearer <other>"
    answer = (await ask(world, Call(b"GET", target.encode(), [(b"authorization", token)]))).answer
    assert answer is not None
    return answer


_NAMES = ("state-store", "states")


def _lists(scope: Scope) -> Iterator[str]:
    for name in _NAMES:
        if isinstance(scope, AssetScope):
            yield f"/api/v2/assets/{scope.asset_id}/{name}?limit=100"
        else:
            path = f"/api/v2/dags/{scope.dag_id}/dagRuns/{scope.run_id}/taskInstances/{scope.task_id}"
            yield f"{path}/{name}?limit=100&map_index={scope.map_index}"


def _views(scope: Scope, key: str) -> Iterator[str]:
    """Return the addresses of a key, for whoever may read all of them."""
    quoted = quote(key, safe="")
    for target in _lists(scope):
        path, _, query = target.partition("?")
        yield f"{path}/{quoted}?{query}"
    if isinstance(scope, AssetScope):
        if scope.asset_id in (1, 2):
            name = quote(ASSETS[scope.asset_id - 1], safe="")
            yield f"/execution/store/asset/by-name/value?name={name}&key={quoted}"
            yield f"/execution/store/asset/by-uri/value?uri=s3%3A%2F%2F{name}&key={quoted}"
            yield f"/execution/state/asset/{name}/{quoted}"
    elif scope == TASK or scope.task_id == "other":
        task_instance_id = OWN if scope == TASK else OTHER
        yield f"/execution/store/ti/{task_instance_id}/{quoted}"
        yield f"/execution/state/ti/{task_instance_id}/{quoted}"
