"""Recipes, in workers that are killed at random moments, against a server in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from statemount.auth.jwt import JWTAuth
from tests.processes.killed import Event, events_of
from tests.processes.recipe_workers import RIVALS, Plan
from tests.processes.serving import ROOT, Process, serving
from tests.processes.tables import read_scopes
from tests.processes.workers import SECRET
from tests.servers import clean_environment

pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("STATEMOUNT_TEST_KILLS", "200"))
"""How many workers are killed for each recipe and database; fewer than 100 may miss a moment that is tested."""

ROUNDS = 5
"""So often all of this is done at most, until a kill has met each moment that is tested."""

ASSET = "counted"


@pytest.fixture
async def server(database_url: str, tmp_path: Path) -> AsyncIterator[Process]:
    """Return a server process on a database of every kind in turn."""
    process = Process(database_url, tmp_path)
    async with serving(process):
        yield process
    assert "Traceback" not in process.output


async def events_after_kills(server: Process, directory: Path, recipe: str, kills: int = KILLS) -> list[Event]:
    """Let workers follow a recipe and kill them; return their journal."""
    ti_id = uuid4()
    claims = {"dag_id": "dag", "run_id": str(ti_id), "task_id": "task", "map_index": -1, "outlets": [ASSET]}
    token = JWTAuth(secret=SECRET).tokens.worker(ti_id, lifetime=86_400, claims=claims)
    url = f"http://127.0.0.1:{server.port}"
    plan = Plan(recipe, url, token, str(ti_id), ASSET, kills, os.fspath(directory / "journal"))
    path = os.pathsep.join([os.fspath(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    ended = await anyio.run_process(
        [sys.executable, "-m", "tests.processes.recipe_workers", json.dumps(asdict(plan))],
        env=clean_environment({"PYTHONPATH": path}),
        cwd=ROOT,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return events_of(Path(plan.journal))


async def test_a_job_is_submitted_once(server: Process, tmp_path: Path) -> None:
    """However often its workers are killed, a job is submitted once: where that is in doubt, the next worker asks."""
    questions: Counter[str] = Counter()
    for number in range(ROUNDS):
        directory = tmp_path / f"round-{number}"
        directory.mkdir()
        events = await events_after_kills(server, directory, "jobs")
        assert sum(event.what == "killed" for event in events) == KILLS
        questions += questions_about_jobs(events)
        if len(questions) == 2:
            break
    assert questions.keys() == {"submitted", "not submitted"}


def questions_about_jobs(events: Sequence[Event]) -> Counter[str]:
    """Check that each job was submitted once; return how often workers asked after one, by whether it was."""
    submissions: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    answers: dict[str, set[str]] = defaultdict(set)
    questions: Counter[str] = Counter()
    for what, words in events:
        if what == "submitted":
            submissions[words[0]].append(words[1:])
        elif what == "got":
            answers[words[0]].add(words[1])
        elif what == "asked":
            was_submitted = [label for label, _ in submissions[words[0]]] == [words[1]]
            questions["submitted" if was_submitted else "not submitted"] += 1
    assert {job: len(found) for job, found in submissions.items()} == dict.fromkeys(answers, 1)
    for job, ((_, job_id),) in submissions.items():
        assert answers[job] == {job_id}
    return questions


async def test_the_window_between_submission_and_saving(server: Process, tmp_path: Path) -> None:
    """A kill right after the submission leads to a second job where the id is saved by hand; the recipe asks."""
    events = await events_after_kills(server, tmp_path, "window")
    by_hand = [event.what for event in events if event.words[:1] == ("by-hand",)]
    assert by_hand == ["submitted", "submitted"]
    (first, *following) = [event for event in events if event.words[:1] == ("by-recipe",)]
    _, label, job_id = first.words
    assert following == [
        Event("asked", ("by-recipe", label)),
        Event("asked", ("by-recipe", label)),
        Event("got", ("by-recipe", job_id)),
        Event("got", ("by-recipe", job_id)),
    ]


async def test_a_checkpoint_is_resumed(server: Process, tmp_path: Path) -> None:
    """A worker goes on from what was saved: nothing that was not done, and no more is lost than of one interval."""
    events = await events_after_kills(server, tmp_path, "checkpoints")
    (every,) = [float(event.words[0]) for event in events if event.what == "every"]
    done, saved, saved_at = 0, 0, 0.0
    reports: list[tuple[int, float]] = []
    outcomes: Counter[str] = Counter()
    for what, words in events:
        number = int(words[0]) if what in ("resumed", "done", "saved", "reported") else 0
        if what == "resumed":
            assert saved <= number <= done
            lost = [seconds for reported, seconds in reports if reported > number]
            assert not lost or (number == saved and lost[-1] - saved_at < every)
            outcomes["something was lost" if lost else "nothing was lost"] += 1
            outcomes["unacknowledged"] += number > saved
            reports.clear()
            saved = number
        elif what == "done":
            done = max(done, number)
        elif what == "saved":
            saved, saved_at = number, float(words[1])
        elif what == "reported":
            reports.append((number, float(words[1])))
    assert sum(event.what == "killed" for event in events) == KILLS
    assert outcomes["something was lost"] > 0, outcomes
    assert saved > 0


async def test_two_workers_that_want_one_job(server: Process, tmp_path: Path) -> None:
    """Of two workers at once one submits the job and both get it; if that one is killed, the other one asks."""
    events = await events_after_kills(server, tmp_path, "rivals")
    submissions = Counter(words[0] for what, words in events if what == "submitted")
    answers: dict[str, list[str]] = defaultdict(list)
    asked = {words[0] for what, words in events if what == "asked"}
    for what, words in events:
        if what == "got":
            answers[words[0]].append(words[1])
    jobs = [f"rivals-{number}" for number in range(RIVALS)]
    assert {job: submissions[job] for job in jobs} == dict.fromkeys(jobs, 1)
    for number, job in enumerate(jobs):
        assert len(set(answers[job])) == 1
        if number % 2 == 0:  # nobody was killed
            assert len(answers[job]) == 2
            assert job not in asked
    assert sum(event.what == "killed" for event in events) > 0


async def test_a_watermark_never_goes_back(server: Process, database_url: str, tmp_path: Path) -> None:
    """A watermark only ever moves forward, whatever the last requests of killed workers do, and misses nothing."""
    events = await events_after_kills(server, tmp_path, "watermarks")
    value = 0
    acknowledged: list[int] = []
    for what, words in events:
        if what == "read":
            assert int(words[0]) >= value
            value = int(words[0])
        elif what == "advanced":
            assert int(words[0]) > value
            value = int(words[0])
            acknowledged.append(value)
        elif what == "stayed":
            assert int(words[0]) <= int(words[1])
            assert int(words[1]) >= value
            value = int(words[1])
    kills = sum(event.what == "killed" for event in events)
    assert kills == KILLS
    scopes = await read_scopes(database_url)
    values = [int(change.value) for change in scopes[ASSET, None].changes if change.value is not None]
    assert values == sorted(set(values))
    assert values[-1] >= value
    assert set(acknowledged) <= set(values)
    assert len(values) - len(acknowledged) <= kills  # the last of a killed worker was done, and not acknowledged
