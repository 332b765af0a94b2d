"""Batches and merge patches over HTTP, on every store; the table of the contract has what one request can show."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import Any

import pytest

from statemount.mount import StateMount
from tests.contract.world import Place, StillClock
from tests.web.stores.asking import COLLECTIONS, PUBLIC, WORKERS, batch, op, results_of, scope_of_target, send

pytestmark = pytest.mark.anyio

PATCH = "application/merge-patch+json"
_CLIENTS = 8


def _tag(revision: int) -> str:
    return f'"{revision}"'


@pytest.mark.parametrize("target", COLLECTIONS)
async def test_results_are_what_is_read_afterwards(place: Place, target: str) -> None:
    """Each result has the revision and the value that a read finds then; the answer has the scope's revision."""
    scope = scope_of_target(place, target)
    await place.seed(scope, {"n": 1, "o": {"a": 1}, "d": 1})
    results = results_of(
        await batch(
            place,
            target,
            op("set", "s", value=[1]),
            op("increment", "n"),
            op("merge", "o", value={"b": 2}),
            op("max", "m", value=5),
            op("delete", "d"),
            op("get", "s"),
        )
    )
    entries = await place.entries(scope)
    for result in results:
        entry = entries.get(result["key"])
        assert result["revision"] == (None if entry is None else entry.revision)
        if "value" in result:
            assert entry is not None
            assert result["value"] == json.loads(entry.value)
    page = await place.state.service.store.list(scope, limit=0)
    assert results_of(await batch(place, target, op("check", "s", exists=True)))[0]["status"] == "unchanged"
    assert (await batch(place, target, op("get"))).headers["etag"] == _tag(page.revision)


@pytest.mark.parametrize("target", COLLECTIONS)
async def test_a_batch_at_the_revision_of_the_whole(place: Place, target: str) -> None:
    """The header is on the scope: 0 for one that was never written, and any change moves it on."""
    scope = scope_of_target(place, target)
    for sent in ({"if_match": '"1"'}, {"if_none_match": '"0"'}):
        never = await batch(place, target, op("set", value=1), **sent)
        assert (never.status, never.headers["etag"]) == (412, '"0"')
        detail = json.loads(never.body)["detail"]
        assert "index" not in detail
    failed = await batch(place, target, op("set", value=1), op("check", exists=False), if_match='"0"')
    assert (failed.status, failed.headers["etag"], json.loads(failed.body)["detail"]["index"]) == (412, '"0"', 1)
    assert (await place.state.service.store.list(scope, limit=0)).revision == 0
    made = await batch(place, target, op("set", value=1), op("set", "l", value=1), if_match='"0"')
    results_of(made)
    late = await batch(place, target, op("set", value=2), if_match='"0"')
    assert (late.status, late.headers["etag"]) == (412, made.headers["etag"])
    done = await batch(place, target, op("delete", "l"), if_match=f'"0", {made.headers["etag"]}')
    results_of(done)
    assert (await batch(place, target, op("set", value=3), if_match=made.headers["etag"])).status == 412
    assert await place.values(scope) == {"k": 1}


@pytest.mark.parametrize("target", COLLECTIONS)
async def test_compare_and_set_in_a_batch(place: Place, target: str) -> None:
    """An operation goes ahead at the revision that was read; one that comes late names the current one."""
    scope = scope_of_target(place, target)
    (made,) = results_of(await batch(place, target, op("set", value=1, if_revision=0)))
    (done,) = results_of(await batch(place, target, op("set", value=2, if_revision=made["revision"])))
    late = await batch(place, target, op("set", "l", value=1), op("delete", if_revision=made["revision"]))
    detail = json.loads(late.body)["detail"]
    assert (late.status, detail["index"], detail["revision"]) == (412, 1, done["revision"])
    assert detail["message"] == (
        f"operation 1 (delete 'k'): the condition does not hold: the revision is {done['revision']}"
    )
    assert late.headers["etag"] == _tag(done["revision"])
    assert await place.values(scope) == {"k": 2}


@pytest.mark.parametrize("target", [WORKERS[0], WORKERS[2], PUBLIC[0], PUBLIC[3]])
async def test_increments_of_many_add_up(place: Place, rival: StateMount, target: str) -> None:
    """Counters that many clients of two apps share are exact, one by one and in batches with others."""
    seen: list[int] = []

    async def add(app: StateMount, amount: int) -> None:
        for _ in range(10):
            first, _, last = results_of(
                await batch(
                    place,
                    target,
                    op("increment", by=amount),
                    op("set", f"own/{amount}", value=amount),
                    op("increment", "l", by=-amount),
                    app=app,
                )
            )
            assert first["value"] == -last["value"]
            seen.append(first["value"])

    await asyncio.gather(*(add(app, 1 + n) for n in range(_CLIENTS) for app in (place.state, rival)))
    total = 2 * 10 * sum(range(1, _CLIENTS + 1))
    values = await place.values(scope_of_target(place, target))
    assert (values["k"], values["l"], max(seen), len(set(seen))) == (total, -total, total, 2 * 10 * _CLIENTS)


async def test_a_watermark_of_many_never_goes_back(place: Place, rival: StateMount) -> None:
    """Whatever order times come in, each answer is at least as late as those before it, and the latest one stays."""
    times = [f"2026-01-{day:02}T00:00:00Z" for day in range(1, 29)]

    async def advance(app: StateMount, step: int) -> None:
        highest = ""
        for index in range(0, 28 * step, step):
            (result,) = results_of(
                await batch(place, WORKERS[2], op("max", "w", value=times[(index + step) % 28]), app=app)
            )
            assert result["value"] >= max(highest, times[(index + step) % 28])
            highest = result["value"]

    await asyncio.gather(*(advance(app, step) for step in (1, 3, 5) for app in (place.state, rival)))
    assert (await place.values(place.asset))["w"] == times[-1]


async def test_patches_of_many_keep_each_others_parts(place: Place, rival: StateMount) -> None:
    """Merge patches at once, as requests of their own and in batches, lose nothing."""
    target, public = f"{WORKERS[0]}/k", f"{PUBLIC[0]}/k"
    await place.seed(place.scope, {"k": {}})
    numbers = count()

    async def patch(app: StateMount, name: str) -> None:
        for number in range(5):
            kind = next(numbers) % 3
            value = {name: {f"n{number}": kind, "gone": None}}
            if kind == 0:
                answer = await send(place, "PATCH", target, value, app=app, content_type=PATCH)
            elif kind == 1:
                answer = await send(place, "PATCH", public, value, app=app, content_type=PATCH)
            else:
                answer = await batch(place, WORKERS[0], op("merge", value=value), app=app)
            assert answer.status in (200, 204)

    await asyncio.gather(*(patch(app, f"{n}{app is rival}") for n in range(4) for app in (place.state, rival)))
    value = (await place.values(place.scope))["k"]
    names = {f"{n}{app is rival}" for n in range(4) for app in (place.state, rival)}
    assert {name: set(part) for name, part in value.items()} == {
        name: {f"n{number}" for number in range(5)} for name in names
    }


async def test_a_merge_patch_at_a_revision(place: Place) -> None:
    """A patch goes ahead at the revision that was read, and its answer has the one that it made."""
    await place.seed(place.scope, {"k": {"a": 1}})
    for target, status in ((f"{WORKERS[0]}/k", 204), (f"{PUBLIC[0]}/k", 200)):
        tag = (await send(place, "GET", target)).headers["etag"]
        done = await send(place, "PATCH", target, {"b": status}, content_type=PATCH, if_match=tag)
        assert done.status == status
        assert done.headers["etag"] == (await send(place, "GET", target)).headers["etag"] != tag
        late = await send(place, "PATCH", target, {"c": 1}, content_type=PATCH, if_match=tag)
        assert (late.status, late.headers["etag"]) == (412, done.headers["etag"])
    assert await place.values(place.scope) == {"k": {"a": 1, "b": 200}}


async def test_batches_at_once_are_one_after_the_other(place: Place, rival: StateMount) -> None:
    """Two keys that are always written together are never read apart, in a batch and in a list."""

    async def write(app: StateMount, number: int) -> None:
        for step in range(20):
            value = [number, step]
            results_of(
                await batch(place, WORKERS[0], op("set", "a", value=value), op("set", "b", value=value), app=app)
            )

    async def read(app: StateMount) -> None:
        for _ in range(20):
            one, other = results_of(await batch(place, WORKERS[1], op("get", "a"), op("get", "b"), app=app))
            assert one["value"] == other["value"]
            listed = json.loads((await send(place, "GET", f"{WORKERS[1]}?list=true", app=app)).body)["task_states"]
            assert len({json.dumps(entry["value"]) for entry in listed}) <= 1
            await asyncio.sleep(0)  # in memory nothing waits for anything

    apps = (place.state, rival)
    await asyncio.gather(*(write(app, number) for number, app in enumerate(apps * 2)), *map(read, apps))


async def test_a_lease_in_a_batch(place: Place, clock: StillClock) -> None:
    """A lease that has ended stops a batch that checks it, whoever has written meanwhile."""
    start = clock.now
    end = start // 1_000_000 + 30
    try:
        (lease,) = results_of(
            await batch(place, WORKERS[0], op("set", "lease", value=1, if_revision=0, expires_at=end))
        )
        held: dict[str, Any] = op("check", "lease", if_revision=lease["revision"])
        results_of(await batch(place, WORKERS[0], held, op("set", value=1)))
        clock.advance(30)
        lost = await batch(place, WORKERS[0], held, op("set", value=2))
        assert (lost.status, json.loads(lost.body)["detail"]["revision"]) == (412, None)
        assert await place.values(place.scope) == {"k": 1}
    finally:
        clock.now = start


async def test_a_full_scope_refuses_a_batch(place: Place) -> None:
    """A batch that would make a scope too large is refused as a whole, and one that makes room is not."""
    await place.seed(place.scope, {f"k{number}": number for number in range(10_000)})
    full = await batch(place, WORKERS[0], op("delete", "k0"), op("set", "a", value=1), op("increment", "b"))
    assert (full.status, json.loads(full.body)["detail"]["reason"]) == (409, "scope_full")
    results_of(await batch(place, WORKERS[0], op("delete", "k0"), op("set", "a", value=1)))
    results_of(await batch(place, WORKERS[0], op("increment", "k1", by=5), op("get", "k0")))
