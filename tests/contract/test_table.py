"""Every row of the contract's table, on every store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from statemount.model import Scope
from statemount.mount import StateMount
from tests.contract.described import check_described
from tests.contract.rows import NO_BODY, Expiring, Row
from tests.contract.table import ROWS
from tests.contract.transports import Answer, ask, ask_with_httpx
from tests.contract.world import SECRET, Place, Places

pytestmark = pytest.mark.anyio


def _ids(row: Row) -> str:
    return ascii(row.name)[1:100]


def test_table_is_as_large_as_it_claims() -> None:
    """The table has several hundred requests of each route set in each contract version."""
    for version in ("/execution/store/", "/execution/state/", "/state-store", "/states"):
        assert sum(version in row.request for row in ROWS) >= 300


@pytest.mark.parametrize("row", ROWS, ids=_ids)
async def test_row(row: Row, state: StateMount, places: Places) -> None:
    """A request is answered as the table says, and leaves what the table says."""
    place = await places.take(row.asset)
    for scope, (seed, _) in _entries(row, place).items():
        await place.prepare(scope, seed)
    method, _, target = place.fill(row.request).partition(" ")
    body = row.body_bytes()
    if body is not None:
        body = place.fill(body.decode("latin-1")).encode("latin-1")
    headers = {} if body is None else {"content-type": "application/json"}
    authorization = place.authorization(row.token)
    if authorization is not None:
        headers["authorization"] = authorization
    headers |= row.sent
    if headers.get("content-type") == "<none>":
        del headers["content-type"]
    send = ask if row.needs_raw else ask_with_httpx
    answer = await send(state, method, target, headers, body)
    _check_answer(row, place, method, answer)
    check_described(state, method, target, answer)
    await _check_entries(row, place)
    if not any(word in row.request for word in ("<inlet", "<foreign", "<gone", "/directory/")):
        places.give_back(place, row.asset)


def _entries(row: Row, place: Place) -> dict[Scope, tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """Return the entries of each scope before a row, and after it where they differ."""
    mapped: dict[Scope, Any] = {
        place.mapped(map_index): (entries, None if row.mapped_leaves is None else row.mapped_leaves.get(map_index, {}))
        for map_index, entries in row.mapped_seed.items()
    }
    return {place.scope: (row.seed, row.leaves), place.asset: (row.asset_seed, row.asset_leaves), **mapped}


async def _check_entries(row: Row, place: Place) -> None:
    expected = _entries(row, place)
    found = await asyncio.gather(*map(place.values, expected))
    for (scope, (seed, leaves)), values in zip(expected.items(), found, strict=True):
        assert values == _live(seed if leaves is None else leaves)
        if not row.request.startswith(("GET", "HEAD")) and row.status < 400:
            place.changed(scope)


def _live(entries: Mapping[str, Any]) -> Any:
    ends = {key: value for key, value in entries.items() if isinstance(value, Expiring)}
    values = {key: ends[key].value if key in ends else value for key, value in entries.items()}
    return json.loads(json.dumps({key: value for key, value in values.items() if key not in ends or ends[key].is_live}))


def _check_answer(row: Row, place: Place, method: str, answer: Answer) -> None:
    headers = dict(answer.headers)
    assert answer.status == row.status, answer.body
    if row.answer is NO_BODY:
        assert answer.body == b""
    else:
        assert json.loads(answer.body) == place.fill(row.answer)
        assert headers["content-length"] == str(len(answer.body))
    expected: dict[str, str | None] = {"content-type": None if row.status == 204 else "application/json"}
    if row.request.partition(" ")[2].startswith("/execution"):
        expected["airflow-api-version"] = "2026-06-30"
    expected |= row.answered
    if expected.get("refreshed-api-token") == "<renewed>":
        del expected["refreshed-api-token"]
        _check_renewed(place, headers["refreshed-api-token"])
    for name, value in expected.items():
        assert headers.get(name) == place.fill(value), name


def _check_renewed(place: Place, token: str) -> None:
    claims = jwt.decode(
        token,
        SECRET,
        ["HS512"],
        audience="urn:airflow.apache.org:task",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert claims["sub"] == place.words["<ti>"]
    assert claims["exp"] == place.clock.now // 1_000_000 + 600
