"""Answers with values: the stored text as it is, if it is JSON."""

from __future__ import annotations

import json
import logging
from unittest.mock import ANY

import pytest

from statemount.operations import Set
from statemount.web.entries import is_json
from tests.contract.transports import Answer, ask
from tests.contract.world import Place

pytestmark = pytest.mark.anyio

_JSON = [
    "1",
    "-0.0",
    "1e400",
    "null",
    "true",
    '"a"',
    '"\\ud800"',
    '"ä"',
    " [1, 2] ",
    "{}",
    '{"a": {"b": []}}',
    '{"a":1,"a":2}',
    "9" * 5000,
    "[" * 255 + "]" * 255,
]
_NO_JSON = [
    "",
    " ",
    "x",
    "NaN",
    "[NaN]",
    "Infinity",
    "-Infinity",
    "'a'",
    '"a',
    '"\x00"',
    '"\ud800"',
    "{1: 2}",
    "[1,]",
    "1 2",
    "01",
    '{"value": 1}}',
    '1, "more": 2',
    "[" * 100_000,
    "gAAAAABk",
    "\ufeff1",
]


async def _get(place: Place, text: str, method: str = "GET") -> Answer:
    await place.state.service.store.apply(place.scope, [Set("k", text)], writer=None)
    headers = {"authorization": place.fill("Bearer <own>")}
    return await ask(place.state, method, place.fill("/execution/store/ti/<ti>/k"), headers, None)


@pytest.mark.parametrize("text", _JSON, ids=range(len(_JSON)))
async def test_stored_text_is_given_back_unchanged(place: Place, text: str) -> None:
    """A stored text that is JSON stands in the answer byte by byte."""
    assert is_json(text)
    answer = await _get(place, text)
    assert answer.body == b'{"value": ' + text.encode() + b"}"
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize("text", _NO_JSON, ids=range(len(_NO_JSON)))
async def test_stored_text_that_is_no_json(place: Place, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """A stored text that is no JSON is answered as null, and logged in one line that does not show it."""
    assert not is_json(text)
    answer = await _get(place, text)
    assert (answer.status, json.loads(answer.body)) == (200, {"value": None})
    (record,) = [record for record in caplog.records if record.name == "statemount.web"]
    assert record.levelno == logging.ERROR
    assert "key 'k'" in record.getMessage()
    assert len(record.getMessage()) < 300


async def test_head_has_the_headers_of_get(place: Place) -> None:
    """HEAD is answered with the headers of GET and no body."""
    get, head = await _get(place, "[1]"), await _get(place, "[1]", "HEAD")
    assert head.body == b""
    assert head.headers == {**get.headers, "etag": ANY}  # each is asked after a write of its own
