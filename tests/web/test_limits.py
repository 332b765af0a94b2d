"""What no server cuts off for us: heads that are longer, or say more, than anything could mean."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.transports import Answer, ask, scope_of
from tests.contract.world import Place

pytestmark = pytest.mark.anyio

_LIMIT = 32 * 1024
_CHARACTER = "\N{GRINNING FACE}"
"""Twelve bytes, once it is percent-encoded."""


async def _ask(place: Place, method: str, target: str, **headers: str) -> Answer:
    sent = {"authorization": place.fill("Bearer <own>"), "content-type": "application/json", **headers}
    return await ask(place.state, method, place.fill(target), sent, b'{"value": 1}')


def _asset(count: int) -> str:
    name = _CHARACTER * count
    return f"/execution/store/asset/by-name/value?name={quote(name)}&key={quote(_CHARACTER * 512)}"


async def test_longest_names(place: Place) -> None:
    """The longest key and the longest name of an asset fit, however they are encoded."""
    key = quote(_CHARACTER * 512)
    for target in (f"/execution/store/ti/<ti>/{key}", f"/execution/state/ti/<ti>/{key}"):
        assert (await _ask(place, "PUT", target)).status == 204
    await place.state.directory.register_asset(name=_CHARACTER * 1500)
    assert (await _ask(place, "GET", _asset(1500))).status == 403
    assert (await _ask(place, "GET", _asset(1501))).status == 422


@pytest.mark.parametrize(
    "target",
    [
        "/execution/store/ti/<ti>/{long}",
        "/execution/state/asset/{long}",
        "/execution/state/asset/%2F{long}/k",
        "/execution/{long}",
        "/api/v2/{long}",
        "/api/v2/dags/{long}/dagRuns/run/taskInstances/task/states",
        "/execution/store/ti/<ti>/k?{long}",
        "/execution/store/asset/by-name/value?name=<name>&key=k&{long}",
        "/api/v2/assets/1/states?{long}",
        "/{long}",
        "/health?{long}",
    ],
)
async def test_too_long(place: Place, target: str) -> None:
    """A path or a query that is longer is 414 on every route, before anybody is asked who they are."""
    over = _LIMIT + 1
    for long in ("a" * over, "&" * over, "/" * over, "%41" * over, "a&" * over, "%FF" * over):
        if "?" in target or "&" not in long:
            for headers in ({}, {"authorization": ""}):
                answer = await _ask(place, "GET", target.format(long=long), **headers)
                assert answer.status == 414
                assert json.loads(answer.body) == {"detail": "URI Too Long"}


async def test_many_parameters(place: Place) -> None:
    """As many parameters as fit into a query are passed over but for those that mean something: the last of each."""
    await place.seed(place.scope, {"k": 1})
    filler = "&".join(f"p{number}=" for number in range(4000))
    target = f"/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/states?{filler}"
    user = place.fill("Bearer <user>")
    assert (await _ask(place, "GET", target, authorization=user)).status == 200
    assert (await _ask(place, "GET", f"{target}&limit=x&limit=1", authorization=user)).status == 200
    assert (await _ask(place, "GET", f"{target}&limit=1&limit=x", authorization=user)).status == 422


@pytest.mark.parametrize("name", ["if-match", "if-none-match"])
@pytest.mark.parametrize(
    "value",
    [
        ", ".join(f'"{number}"' for number in range(9000)),
        '"' + "1" * 70_000 + '"',
        "," * 70_000,
        " " * 70_000,
        "*" * 70_000,
        'W/"' * 25_000,
        '"a' * 35_000,
    ],
    ids=lambda value: value[:5],
)
async def test_absurd_conditions(place: Place, name: str, value: str) -> None:
    """A condition longer than 64 KiB, also in several headers, is 400, and nothing is changed."""
    await place.seed(place.scope, {"k": 0})
    for method in ("GET", "PUT", "DELETE"):
        answer = await _ask(place, method, "/execution/store/ti/<ti>/k", **{name: value})
        assert answer.status == 400
        halves = [(name.encode(), half.encode()) for half in (value[:35_000], value[35_000:])]
        assert await _status(place, method, halves) == 400
    assert await place.values(place.scope) == {"k": 0}


@pytest.mark.parametrize("value", ['"' + "9" * 16_000 + '"', '"9223372036854775808"', '"-1"', '"1.0"', '"\xff"'])
async def test_tags_that_no_revision_has(place: Place, value: str) -> None:
    """A tag that no revision can have matches nothing, however many digits it has."""
    await place.seed(place.scope, {"k": 0})
    assert (await _ask(place, "PUT", "/execution/store/ti/<ti>/k", **{"if-match": value})).status == 412
    assert (await _ask(place, "GET", "/execution/store/ti/<ti>/k", **{"if-none-match": value})).status == 200
    assert await place.values(place.scope) == {"k": 0}


async def test_two_authorizations(place: Place) -> None:
    """Of two sets of credentials nobody chooses, be they alike, and whichever comes first."""
    own = (b"authorization", place.fill("Bearer <own>").encode())
    for headers in ([own, own], [own, (b"authorization", b"")], [(b"authorization", b"Basic x"), own]):
        scope = {**scope_of("GET", place.fill("/execution/store/ti/<ti>/k"), {}), "headers": headers}
        assert await _status_of(place, scope) == 403


async def _status(place: Place, method: str, headers: list[tuple[bytes, bytes]]) -> int:
    own = (b"authorization", place.fill("Bearer <own>").encode())
    scope = scope_of(method, place.fill("/execution/store/ti/<ti>/k"), {"content-type": "application/json"})
    return await _status_of(place, {**scope, "headers": [own, *scope["headers"], *headers]})


async def _status_of(place: Place, scope: dict[str, Any]) -> int:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"value": 1}'}

    async def send(message: Any) -> None:
        sent.append(message)

    await place.state(scope, receive, send)
    status: int = sent[0]["status"]
    return status
