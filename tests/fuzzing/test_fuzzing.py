"""Every case of the corpus, and some that are made of them by chance, hold to what must hold of every answer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing.cases import MAX_REQUESTS, read_case, write_case
from tests.fuzzing.findings import Findings
from tests.fuzzing.mutations import cross, mutate, mutate_plainly
from tests.fuzzing.oracle import strict_json
from tests.fuzzing.running import Runner, corpus, run_unguided

CASES = corpus()
BY_CHANCE = {"memory": 400, "sqlite": 40}
_WRITE = CASES["worker-asset"]


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Return what runs cases, on each store in turn."""
    directory = tmp_path_factory.mktemp("fuzzing")
    running = Runner(request.param, directory, Findings(directory / "findings"))
    yield running
    running.close()


@pytest.mark.parametrize("name", CASES)
def test_corpus(runner: Runner, name: str) -> None:
    """A case that was kept is answered as everything must be."""
    assert runner.run(CASES[name]), runner.findings.kinds


@pytest.mark.parametrize("store", BY_CHANCE)
def test_by_chance(store: str, tmp_path: Path) -> None:
    """Cases that are made by chance, with a seed, are answered as everything must be; most kinds of answer occur."""
    findings = Findings(tmp_path / "findings")
    done = run_unguided(store, findings, seed=store, goes_on=lambda runner: runner.cases < BY_CHANCE[store])
    assert not findings.kinds
    assert {200, 204, 400, 401, 403, 404, 422} <= set(done.statuses)


class _Broken:
    """Something around the app that does what the app must not do."""

    def __init__(self, app: Any, fault: str) -> None:
        self._app = app
        self._fault = fault
        self.service, self.directory = app.service, app.directory
        self.execution, self.public = app.execution, app.public

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._fault == "raises":
            raise RuntimeError

        async def send_other(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "status": self._status(message["status"])}
            elif self._fault == "garbles":
                message = {**message, "body": message["body"].replace(b"1e+300", b"Infinity")}
            await send(message)

        await self._app(scope, receive, send_other)

    def _status(self, status: int) -> int:
        if self._fault == "500":
            return 500
        return 422 if self._fault == "refuses what it did" and status == 204 else status


@pytest.mark.parametrize("fault", ["raises", "500", "garbles", "refuses what it did"])
def test_what_is_found(fault: str, tmp_path: Path) -> None:
    """An app that raises, answers with a 500, with what is no JSON, or refuses what it has done, is found out once."""
    running = Runner("memory", tmp_path, Findings(tmp_path / "findings"))
    try:
        for _ in range(2):
            running.world.state = _Broken(running.world.state, fault)  # type: ignore[assignment]
            assert not running.run(_WRITE)
        assert running.run(_WRITE)
    finally:
        running.close()
    assert [*running.findings.kinds.values()] == [2]
    (found,) = (tmp_path / "findings").glob("*.http")
    assert found.read_bytes() == _WRITE
    assert "Error" in found.with_suffix(".txt").read_text()


@given(st.binary())
def test_any_bytes_are_a_case(data: bytes) -> None:
    """Any bytes are a case, and what is written of it is read as the same."""
    calls = read_case(data)
    assert 0 < len(calls) <= MAX_REQUESTS
    for call in calls:
        assert read_case(write_case([call])) == [call]


@given(st.integers(0, 2**32), st.binary())
def test_mutations_are_repeatable(seed: int, data: bytes) -> None:
    """A seed says what a case is changed into."""
    for one in (data, _WRITE):
        changed = [mutate(one, random.Random(seed), mutate_plainly) for _ in range(2)]
        assert changed[0] == changed[1]
        crossed = [cross(one, _WRITE, random.Random(seed)) for _ in range(2)]
        assert crossed[0] == crossed[1]


@pytest.mark.parametrize("text", ["NaN", '{"a": -Infinity}', '"\\ud800"', "", "[1,]"])
def test_what_is_no_json(text: str) -> None:
    """Neither NaN nor lone surrogates pass for JSON."""
    with pytest.raises((AssertionError, ValueError)):
        strict_json(text)
