"""Lists are put together column by column, and are byte for byte what entries are one by one, on every store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statemount.model import Entry, Scope, TaskScope, Writer
from statemount.mount import StateMount
from statemount.operations import Clear, Set
from statemount.web.cursors import cursor_after
from statemount.web.entries import asset_entry, asset_entry_with_writer, task_entry
from tests.contract.test_properties import KEYS, SETTINGS, VALUES
from tests.contract.world import Place, StillClock
from tests.web.stores.asking import COLLECTIONS, scope_of_target, send, target_with

pytestmark = pytest.mark.anyio

_WRITERS = [
    None,
    Writer("api", subject="ann"),
    Writer("watcher"),
    Writer("task", 'd"\\\u00e9', "r\n", "t\U0001f600", 3),
    Writer.of_task(TaskScope("d", "r", "t")),
]
_AWKWARD_KEYS = [
    "a\x1fb",
    "a\x1eb",
    "\x1f",
    "a/b",
    'a"b',
    "a\\u0000",
    "\x7f",
    "a,b",
    "null",
    "\u2028",
    "\ud7ff",
    "\uffff",
]
_NO_JSON = [
    "",
    "x",
    "1,2",
    "[1",
    "2]",
    '1, "x": 2',
    "1}\x1e{",
    "\x1f",
    '"\x1f"',
    "NaN",
    "gAAAAABk",
    "\u00e9",
    '"\u00e9',
]
_UNUSUAL = ["1e400", "1" * 5000, '"\\ud800"', "[" * 300 + "]" * 300, ' {"a" : 1}\n', '"\u00e9\U0001f600"']

_keys = KEYS.filter(lambda key: len(key) < 100) | st.sampled_from(_AWKWARD_KEYS)
_values = VALUES.filter(lambda value: value is not None).map(json.dumps) | st.sampled_from(_NO_JSON + _UNUSUAL)
_expiries = st.sampled_from([None, None, -1, 0, 1, 1_000_000, 86_400_000_000])
_rows = st.lists(
    st.tuples(_keys, _values, _expiries, st.sampled_from(_WRITERS), st.integers(0, 2)),
    max_size=8,
    unique_by=lambda row: row[0],
)
_queries = st.fixed_dictionaries(
    {},
    optional={
        "limit": st.integers(0, 9),
        "offset": st.integers(0, 9),
        "prefix": st.sampled_from(["", "a", "\u00e9", "\x1f"]),
        "keys_only": st.sampled_from(["true", "false"]),
        "include": st.just("revision"),
        "cursor": _keys,
    },
)


@pytest.fixture(scope="module")
async def pages_place(state: StateMount, clock: StillClock) -> Place:
    """Return a task instance and an asset that each example fills anew."""
    return await Place.make(state, clock, asset="pages-")


async def _fill(place: Place, scope: Scope, rows: Sequence[tuple[str, str, int | None, Writer | None, int]]) -> None:
    store = place.state.service.store
    await store.apply(scope, [Clear()], writer=None)
    for writer in _WRITERS:
        for later in range(3):
            sets = [
                Set(key, value, None if ends is None else place.clock.now + ends)
                for key, value, ends, by, when in rows
                if by == writer and when == later
            ]
            if sets:
                place.clock.now += later
                await store.apply(scope, sets, writer=writer)


async def _live(place: Place, scope: Scope, keys: Sequence[str]) -> list[Entry]:
    found = [await place.state.service.store.read(scope, key) for key in keys]
    return sorted([entry for entry in found if entry is not None], key=lambda entry: entry.key.encode())


def _expected(target: str, scope: Scope, live: Sequence[Entry], query: dict[str, Any]) -> str:
    """Return the answer, put together entry by entry."""
    counted = [entry for entry in live if entry.key.startswith(query.get("prefix", ""))]
    after = query.get("cursor")
    listed = [entry for entry in counted if after is None or entry.key.encode() > after.encode()]
    offset = query.get("offset", 0)
    name = "task" if isinstance(scope, TaskScope) else "asset"
    is_new = "state-store" in target or "/store/" in target
    one = task_entry if name == "task" else asset_entry_with_writer if is_new else asset_entry
    texts = []
    for entry in listed[offset : offset + query.get("limit", 50)]:
        text = one(scope, entry)
        if query.get("keys_only") == "true":
            start = text.index(',"value":')
            text = text[:start] + text[text.rindex(',"updated_at":') :]
        if "include" in query:
            text = f'{text[:-1]},"revision":{entry.revision}}}'
        texts.append(text)
    whole = f"{name}_state_store" if is_new else f"{name}_states"
    return f'{{"{whole}":[{",".join(texts)}],"total_entries":{len(counted)}}}'


@settings(SETTINGS, max_examples=30)
@given(rows=_rows, query=_queries)
async def test_lists_are_their_entries(
    pages_place: Place, rows: list[tuple[str, str, int | None, Writer | None, int]], query: dict[str, Any]
) -> None:
    """Whatever the keys, values, times and writers, and whatever part is asked for, expired entries are left out."""
    place = pages_place
    if "cursor" in query:
        query.pop("offset", None)
        query["cursor"] = query.get("prefix", "") + query["cursor"]
    sent = dict(query)
    if "cursor" in query:
        sent["cursor"] = cursor_after(query["cursor"], query.get("prefix", ""))
    for scope in (place.scope, place.asset):
        await _fill(place, scope, rows)
        live = await _live(place, scope, [row[0] for row in rows])
        for target in COLLECTIONS:
            if scope_of_target(place, target) == scope:
                asked = f"list=true&{urlencode(sent)}" if "/execution/" in target else urlencode(sent)
                answer = await send(place, "GET", target_with(target, asked))
                assert (answer.status, answer.body.decode()) == (200, _expected(target, scope, live, query))
