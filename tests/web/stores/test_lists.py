"""Walks through lists over HTTP, on every store; the table of the contract has what one request can show."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, quote, urljoin

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from statemount.mount import StateMount
from tests.contract.transports import Answer
from tests.contract.world import Place
from tests.web.stores.asking import COLLECTIONS, PUBLIC, WORKERS, scope_of_target, send, target_with

pytestmark = pytest.mark.anyio

_KEYS = [
    *(f"a/{number}" for number in range(7)),
    "a",
    "a0",
    "b",
    "a/\u00e9 &=#?%+",
    "\u00e9/1",
    "\U0001f600",
    "a/\n\"'<>",
]


def _listed(target: str) -> str:
    return target_with(target, "list=true") if "/execution/" in target else target


def _entries(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer
    entries: list[dict[str, Any]]
    (entries, _) = json.loads(answer.body).values()
    return entries


def _next(target: str, answer: Answer) -> str | None:
    """Return where a list goes on: the link, resolved as a client does it."""
    if "link" not in answer.headers:
        return None
    reference, relation = answer.headers["link"].split("; ")
    assert relation == 'rel="next"'
    assert reference[:2] + reference[-1] == "<?>"
    assert reference.isascii()
    assert reference.isprintable()
    return urljoin(target, reference[1:-1])


async def _walk(place: Place, target: str, *, app: Any = None, **headers: str) -> list[list[dict[str, Any]]]:
    """Return the parts of a list, to its end."""
    target = place.fill(target)
    parts = []
    wanted: str | None = target
    while wanted is not None:
        answer = await send(place, "GET", wanted, app=app, **headers)
        parts.append(_entries(answer))
        assert len(parts) < 100
        wanted = _next(wanted, answer)
    return parts


@pytest.mark.parametrize("target", COLLECTIONS)
@pytest.mark.parametrize(("prefix", "limit"), [("", 3), ("a/", 2), ("a", 100), ("\u00e9", 1), ("nobody", 1)])
async def test_a_walk_meets_every_key_once(place: Place, target: str, prefix: str, limit: int) -> None:
    """Link after link leads through all keys with the prefix in byte order, and ends; the values are those of a get."""
    scope = scope_of_target(place, target)
    await place.seed(scope, {key: key * 2 for key in _KEYS})
    query = f"limit={limit}&prefix={quote(prefix)}&cursor="
    parts = await _walk(place, target_with(_listed(target), query))
    expected = sorted((key for key in _KEYS if key.startswith(prefix)), key=str.encode)
    found = [entry for part in parts for entry in part]
    assert [entry["key"] for entry in found] == expected
    assert all(entry["value"] == entry["key"] * 2 for entry in found)
    assert [len(part) for part in parts[:-1]] == [limit] * (len(parts) - 1)
    assert bool(parts[-1]) is bool(expected)
    bare = await _walk(place, target_with(_listed(target), f"limit={limit}&prefix={quote(prefix)}&keys_only=yes"))
    assert [[{**entry, "value": entry["key"] * 2} for entry in part] for part in bare] == parts


@pytest.mark.parametrize("target", [WORKERS[0], WORKERS[2], PUBLIC[0], PUBLIC[3]])
async def test_a_walk_while_others_write(place: Place, target: str) -> None:
    """Keys that stay are met once, whatever comes and goes before and behind the cursor."""
    scope = scope_of_target(place, target)
    stays = {f"k{number}": number for number in range(10)}
    await place.seed(scope, stays)
    found: list[str] = []
    wanted: str | None = place.fill(target_with(_listed(target), "limit=2&cursor="))
    while wanted is not None:
        answer = await send(place, "GET", wanted)
        found += [entry["key"] for entry in _entries(answer)]
        await place.seed(scope, {f"{found[-1]}!": 1, f"{found[0]}0": 1, "a": 1, "k0": len(found)})
        wanted = _next(wanted, answer)
    assert [key for key in found if key in stays] == list(stays)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("target", COLLECTIONS)
async def test_a_walk_of_one_revision(place: Place, target: str) -> None:
    """With the first answer's tag the parts are of one moment, or the walk is told that they would not be."""
    scope = scope_of_target(place, target)
    await place.seed(scope, {f"k{number}": number for number in range(5)})
    wanted: str | None = place.fill(target_with(_listed(target), "limit=2&include=revision"))
    assert wanted is not None
    first = await send(place, "GET", wanted)
    tag = first.headers["etag"]
    revisions = [entry["revision"] for entry in _entries(first)]
    wanted = _next(wanted, first)
    assert wanted is not None
    second = await send(place, "GET", wanted, if_match=tag)
    revisions += [entry["revision"] for entry in _entries(second)]
    assert second.headers["etag"] == tag
    assert revisions == [entry.revision for entry in (await place.entries(scope)).values()][:4]
    await place.seed(scope, {"k9": 1})
    wanted = _next(wanted, second)
    assert wanted is not None
    moved = await send(place, "GET", wanted, if_match=tag)
    assert moved.status == 412
    assert moved.headers["etag"] == (await send(place, "GET", wanted)).headers["etag"] != tag


@pytest.mark.parametrize("target", [WORKERS[0], WORKERS[3], WORKERS[4], PUBLIC[2]])
@pytest.mark.parametrize("prefix", ["/state", "/my state", "/api/v2"])
async def test_a_link_below_a_mount(state: StateMount, place: Place, target: str, prefix: str) -> None:
    """A link holds wherever the app is mounted, for it names no path."""
    app = Starlette(routes=[Mount(prefix, app=state)])
    await place.seed(scope_of_target(place, target), {f"k{number}": number for number in range(5)})
    query = "limit=2&keys_only=true&other=%FF+%26"
    parts = await _walk(place, quote(prefix) + target_with(_listed(target), query), app=app)
    assert [entry["key"] for part in parts for entry in part] == [f"k{number}" for number in range(5)]


async def test_a_link_has_the_parameters_of_the_request(place: Place) -> None:
    """Whatever the query had comes back in the link, the last of what was repeated, without the offset."""
    await place.seed(place.scope, {f"k{number}": number for number in range(5)})
    query = "offset=1&limit=9&limit=1&include=revision&map_index=-1&k%C3%A9y=a%20b%2Bc&flag"
    answer = await send(place, "GET", f"{PUBLIC[0]}?{query}")
    given = parse_qs(answer.headers["link"].partition("?")[2].partition(">")[0], keep_blank_values=True)
    del given["cursor"]
    expected = {"limit": ["1"], "include": ["revision"], "map_index": ["-1"], "k\u00e9y": ["a b+c"], "flag": [""]}
    assert given == expected


async def test_a_cursor_leads_nowhere_else(place: Place) -> None:
    """A cursor of one list is a place between keys in another, and shows nothing of the first."""
    await place.seed(place.scope, {"a": "secret", "b": "secret"})
    await place.seed(place.asset, {"a": 1, "c": 2})
    answer = await send(place, "GET", f"{PUBLIC[0]}?limit=1&cursor=")
    link = _next("", answer)
    assert link is not None
    elsewhere = await send(place, "GET", f"{PUBLIC[2]}{link}")
    assert [(entry["key"], entry["value"]) for entry in _entries(elsewhere)] == [("c", 2)]
