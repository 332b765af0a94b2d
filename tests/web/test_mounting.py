"""The routes below whatever mounts them, with real frameworks around them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from statemount.errors import ConfigurationError
from statemount.mount import StateMount
from tests.contract.transports import Answer, ask
from tests.contract.world import Place

pytestmark = pytest.mark.anyio

_OWN = {"content-type": "application/json"}


def _starlette(prefix: str) -> Callable[[StateMount], Any]:
    return lambda state: Starlette(routes=[state.route(prefix)])


def _nested(state: StateMount) -> Any:
    return Starlette(routes=[Mount("/a", routes=[Mount("/a", app=Starlette(routes=[Mount("/a", app=state)]))])])


def _route_sets(state: StateMount) -> Any:
    return Starlette(routes=[state.execution.route("/a/execution"), state.route("/a")])


def _fastapi(state: StateMount) -> Any:
    return FastAPI(routes=[state.route("/state")])


def _shortening(state: StateMount) -> Any:
    """Cut the prefix off the path, as dispatchers of other frameworks do, and say so in the root path."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await state({**scope, "path": scope["path"][len("/execution") :], "root_path": "/execution"}, receive, send)

    return app


def _mangling(prefix: str) -> Callable[[StateMount], Any]:
    """Merge the path's slashes, append one and cut the prefix off without saying so, as Litestar's mount does."""

    def wrap(state: StateMount) -> Any:
        inner = state.below(prefix)

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            path = re.sub("/+", "/", scope["path"]).removeprefix(scope["root_path"]).removeprefix(prefix)
            await inner({**scope, "path": path.rstrip("/") + "/"}, receive, send)

        return app

    return wrap


def _itself(state: StateMount) -> Any:
    return state


_PLACES: list[tuple[str, Callable[[StateMount], Any], str, dict[str, Any]]] = [
    ("standalone", _itself, "", {}),
    ("starlette", _starlette("/state"), "/state", {}),
    ("starlette, prefix like a route", _starlette("/execution"), "/execution", {}),
    ("starlette, encoded prefix", _starlette("/my state"), "/my%20state", {}),
    ("starlette, three times the same prefix", _nested, "/a/a/a", {}),
    ("starlette, a route set before it", _route_sets, "/a", {}),
    ("fastapi, with a root path of the server", _fastapi, "/proxy/state", {"root_path": "/proxy"}),
    ("fastapi, path without the root path", _fastapi, "/state", {"root_path": "/proxy"}),
    ("a dispatcher that shortens the path", _shortening, "/execution", {}),
    ("a dispatcher that mangles the path", _mangling("/my state"), "/my%20state", {}),
    ("the same behind a proxy", _mangling("/proxy"), "/proxy/proxy", {"root_path": "/proxy"}),
    ("the same, path without the root path", _mangling("/state"), "/state", {"root_path": "/proxy"}),
    ("behind a proxy", _itself, "/proxy", {"root_path": "/proxy"}),
    ("behind a proxy that cuts its prefix off", _itself, "", {"root_path": "/proxy"}),
    ("behind a proxy, mounted under its name", _starlette("/proxy"), "/proxy/proxy", {"root_path": "/proxy"}),
]

_KEYS = [
    ("k", "k"),
    ("a%2Fb", "a/b"),
    ("a/b", "a/b"),
    ("a%20b", "a b"),
    ("%C3%A4", "ä"),
    ("execution/x", "execution/x"),
    ("a//b/", "a//b/"),
]
_WITH_NEWLINE = ("a%0Ab/c%0A", "a\nb/c\n")


async def _ask(app: Any, place: Place, method: str, target: str, **changes: Any) -> Answer:
    headers = {**_OWN, "authorization": place.fill("Bearer <own>")}
    return await ask(app, method, place.fill(target), headers, b'{"value": 1}', **changes)


@pytest.mark.parametrize(
    ("wrap", "prefix", "changes"), [case[1:] for case in _PLACES], ids=[case[0] for case in _PLACES]
)
@pytest.mark.parametrize(("path", "key"), _KEYS, ids=[path for path, _ in _KEYS])
async def test_keys_below_a_mount(
    place: Place, wrap: Callable[[StateMount], Any], prefix: str, changes: dict[str, Any], path: str, key: str
) -> None:
    """A key is the same wherever the app is mounted."""
    app = wrap(place.state)
    target = f"{prefix}/execution/store/ti/<ti>/{path}"
    assert (await _ask(app, place, "PUT", target, **changes)).status == 204
    assert list(await place.values(place.scope)) == [key]
    assert (await _ask(app, place, "GET", target, **changes)).body == b'{"value": 1}'


@pytest.mark.parametrize(
    ("wrap", "prefix", "changes"),
    [case[1:] for case in _PLACES if case[1] is not _nested],
    ids=[case[0] for case in _PLACES if case[1] is not _nested],
)
async def test_keys_with_newlines(
    place: Place, wrap: Callable[[StateMount], Any], prefix: str, changes: dict[str, Any]
) -> None:
    """A key with newlines is kept, too, but for Starlette's own Mount, whose pattern stops there."""
    path, key = _WITH_NEWLINE
    target = f"{prefix}/execution/store/ti/<ti>/{path}"
    assert (await _ask(wrap(place.state), place, "PUT", target, **changes)).status == 204
    assert list(await place.values(place.scope)) == [key]
    assert (await _ask(_nested(place.state), place, "PUT", f"/a/a/a{target.removeprefix(prefix)}")).status == 404


@pytest.mark.parametrize(
    ("wrap", "prefix", "changes"), [case[1:] for case in _PLACES], ids=[case[0] for case in _PLACES]
)
async def test_asset_names_below_a_mount(
    state: StateMount, place: Place, wrap: Callable[[StateMount], Any], prefix: str, changes: dict[str, Any]
) -> None:
    """An asset's name may hold an encoded slash wherever the app is mounted."""
    app = wrap(state)
    place = await Place.make(state, place.clock, asset="s3://bucket/a b")
    target = f"{prefix}/execution/state/asset/<name%>/a%2Fb"
    assert (await _ask(app, place, "PUT", target, **changes)).status == 204
    assert list(await place.values(place.asset)) == ["a/b"]
    assert (await _ask(app, place, "DELETE", f"{prefix}/execution/state/asset/<name%>", **changes)).status == 204
    assert await place.values(place.asset) == {}


@pytest.mark.parametrize(
    ("wrap", "prefix", "changes"), [case[1:] for case in _PLACES], ids=[case[0] for case in _PLACES]
)
async def test_errors_below_a_mount(
    place: Place, wrap: Callable[[StateMount], Any], prefix: str, changes: dict[str, Any]
) -> None:
    """Bytes that are no UTF-8 are seen, and a path without a route is answered by us, wherever the app is mounted."""
    app = wrap(place.state)
    assert (await _ask(app, place, "PUT", f"{prefix}/execution/store/ti/<ti>/%FF", **changes)).status == 422
    nowhere = await _ask(app, place, "GET", f"{prefix}/execution/nope", **changes)
    assert (nowhere.status, nowhere.headers["airflow-api-version"]) == (404, "2026-06-30")
    assert (await _ask(app, place, "GET", f"{prefix}/health", **changes)).status == 200


async def test_execution_alone(place: Place) -> None:
    """The execution route set is mounted alone, with nothing before its own paths."""
    app = Starlette(routes=[Mount("/worker", app=place.state.execution)])
    assert (await _ask(app, place, "PUT", "/worker/store/ti/<ti>/a%2Fb")).status == 204
    assert (await _ask(app, place, "GET", "/worker/state/ti/<ti>/a/b")).body == b'{"value": 1}'
    assert (await _ask(app, place, "GET", "/worker/health")).status == 404


async def test_server_without_a_raw_path(state: StateMount, place: Place) -> None:
    """Without a raw path an asset's name ends at the first slash; what follows is a key, never a clear."""
    asset = await Place.make(state, place.clock, asset="a/b")
    await asset.seed(asset.asset, {"k": 1})
    answer = await _ask(state, asset, "DELETE", "/execution/state/asset/<name%>", raw_path=None)
    assert (answer.status, await asset.values(asset.asset)) == (404, {"k": 1})
    answer = await _ask(state, place, "PUT", "/execution/state/asset/<name%>/x%2Fy", raw_path=None)
    assert (answer.status, await place.values(place.asset)) == (204, {"x/y": 1})
    answer = await _ask(state, place, "PUT", "/execution/store/ti/<ti>/x%2Fy", raw_path=None)
    assert (answer.status, await place.values(place.scope)) == (204, {"x/y": 1})


async def test_server_that_leaves_lone_surrogates_in_the_path(state: StateMount, place: Place) -> None:
    """Bytes that are no UTF-8 are refused where only a decoded path tells of them."""
    path = place.fill("/execution/store/ti/<ti>/\udcff")
    answer = await _ask(state, place, "PUT", "/", path=path, raw_path=None)
    assert answer.status == 422


async def test_query_of_raw_bytes(state: StateMount, place: Place) -> None:
    """A query whose bytes are not percent-encoded is read as UTF-8 too."""
    target = place.fill("/execution/store/asset/by-name/value")
    query = place.fill("name=<name>&key=ä").encode()
    answer = await _ask(state, place, "PUT", target, query_string=query)
    assert (answer.status, await place.values(place.asset)) == (204, {"ä": 1})
    answer = await _ask(state, place, "PUT", target, query_string=query[:-1])
    assert answer.status == 422


async def test_below_without_a_usable_path(state: StateMount, place: Place) -> None:
    """Where nothing says how the path was sent, it is used as it is."""
    target = "/execution/store/ti/<ti>/a%2Fb"
    assert (await _ask(state.below("/state"), place, "PUT", target, raw_path=None)).status == 204
    assert (await _ask(state.below("/state"), place, "GET", target)).status == 200
    assert (await _ask(state.public.below("/state"), place, "GET", "/stately")).status == 404


@pytest.mark.parametrize("prefix", ["", "/", "state", "/state/"])
async def test_a_prefix_that_could_not_match_is_refused(state: StateMount, prefix: str) -> None:
    """A prefix begins with a slash and does not end with one."""
    for mount in (state.route, state.below, state.public.route, state.execution.below):
        with pytest.raises(ConfigurationError, match="prefix"):
            mount(prefix)
