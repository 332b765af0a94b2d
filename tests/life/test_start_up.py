"""What a start imports: no more than is used, and nothing that takes long on the event loop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.life.support import KEY, SECRET, WORKER
from tests.servers import clean_environment

OPTIONAL = {"asyncmy", "asyncpg", "granian", "obstore", "prometheus_client", "tenacity", "uvicorn"}
RARE = {"alembic", "anyio", "cryptography", "fastapi", "httpx", "jwt", "starlette"}
DATABASE = {"aiosqlite", "databases", "sqlalchemy"}

ROUND_TRIP = """
import asyncio, sys
from statemount.asgi import app

async def ask(method, body=b""):
    answers = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        answers.append(message)

    scope = {"type": "http", "method": method, "path": PATH, "raw_path": PATH.encode(), "query_string": b"",
             "headers": [(b"authorization", TOKEN.encode()), (b"content-type", b"application/json")]}
    await app(scope, receive, send)
    return answers[0]["status"]

async def main():
    assert await ask("PUT", b'{"value": 1}') == 204
    assert await ask("GET") == 200
    await app._state.stop()

asyncio.run(main())
"""


def imported_by(code: str, **variables: str) -> set[str]:
    """Run code in a new interpreter; return the packages and modules that it has imported by then.

    Args:
        variables: Environment variables of the app.
    """
    constants = f"PATH, TOKEN = {KEY!r}, {WORKER['authorization']!r}\n"
    process = subprocess.run(
        [sys.executable, "-c", f"{constants}{code}\nimport sys\nprint(*sys.modules)"],
        env={**clean_environment(variables), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")
    return set(process.stdout.splitlines()[-1].split())


def environment(url: str) -> dict[str, str]:
    """Return the environment variables of an app."""
    return {
        "STATEMOUNT_DATABASE_URL": url,
        "STATEMOUNT_DIRECTORY": "claims",
        "STATEMOUNT_JWT_SECRET": SECRET,
    }


@pytest.fixture
def existing(tmp_path: Path) -> str:
    """Return the URL of a SQLite file that has its schema."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    assert "alembic" in imported_by(ROUND_TRIP, **environment(url))
    return url


def test_the_package_alone_imports_no_dependency() -> None:
    """``import statemount`` takes nothing in but the standard library: names come when they are asked for."""
    before = imported_by("")
    new = imported_by("import statemount") - before
    assert {name.partition(".")[0] for name in new} - set(sys.stdlib_module_names) == {"statemount"}


def test_in_memory_no_database_is_imported() -> None:
    """An app in memory, with a shared secret, imports no driver, no SQL and nothing that is optional."""
    assert (OPTIONAL | RARE | DATABASE | {"click"}).isdisjoint(imported_by(ROUND_TRIP, **environment("memory://")))


def test_an_existing_schema_needs_no_migrations(existing: str) -> None:
    """On a SQLite file that has its schema, an app imports neither Alembic nor anything that is optional."""
    imported = imported_by(ROUND_TRIP, **environment(existing))
    assert (OPTIONAL | RARE | {"sqlalchemy.ext.asyncio", "sqlalchemy.orm"}).isdisjoint(imported)
    assert imported > DATABASE


def test_a_schema_is_made_without_holding_up_the_event_loop(tmp_path: Path) -> None:
    """Alembic, which an empty database needs, is imported on a thread of its own."""
    watch = """
import sys, threading

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "alembic":
            assert threading.current_thread() is not threading.main_thread()

sys.meta_path.insert(0, Watch())
"""
    assert "alembic" in imported_by(watch + ROUND_TRIP, **environment(f"sqlite:///{tmp_path / 'state.db'}"))


def test_what_is_asked_for_is_imported(existing: str) -> None:
    """Metrics and an asymmetric key bring in what they need."""
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    variables = {**environment(existing), "STATEMOUNT_METRICS": "true", "STATEMOUNT_JWT_SIGNING_KEY": pem.decode()}
    imported = imported_by(ROUND_TRIP, **variables)
    assert imported > {"prometheus_client", "jwt", "cryptography"}
    assert (OPTIONAL - {"prometheus_client"}).isdisjoint(imported)


def test_the_app_of_the_environment_is_imported_when_it_is_called() -> None:
    """A server that only names ``statemount.asgi:app`` has imported none of its parts yet."""
    assert {"statemount.mount", "pydantic", *DATABASE}.isdisjoint(imported_by("import statemount.asgi"))


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (["version"], {"pydantic", "statemount.mount", "statemount.settings", *DATABASE}),
        (["token", "--help"], {"statemount.mount", "statemount.web", *DATABASE}),
        (["token", str(uuid4())], {"statemount.mount", "statemount.web.app", *DATABASE}),
        (["db", "--help"], {"statemount.mount", "statemount.web", *DATABASE}),
        (["serve", "--help"], {"statemount.mount", "statemount.web", *DATABASE}),
    ],
    ids=" ".join,
)
def test_a_command_imports_its_own_parts(arguments: list[str], unused: set[str]) -> None:
    """A command brings in what it does itself, not what the others do."""
    call = f"""
from statemount.cli import main
try:
    main({arguments!r})
except SystemExit as end:
    assert end.code == 0
"""
    imported = imported_by(call, STATEMOUNT_JWT_SECRET=SECRET)
    assert (OPTIONAL | {"alembic", "httpx"} | unused).isdisjoint(imported)


COLLECTOR = """
import asyncio
import gc
import weakref
from statemount import collector


class Thing:
    pass


def cycle():
    thing = Thing()
    thing.itself = thing
    return thing, weakref.ref(thing)


async def main():
    with collector.start_up():
        module, _ = cycle()
    assert gc.get_freeze_count() > 10_000
    collector._ALL_SECONDS = 0.5
    for _ in range(2):
        collector.survivors.begin(asyncio.get_running_loop())
    kept, is_there = cycle()
    for generation in range(2):
        gc.collect(generation)
        assert not any(each is kept for each in gc.get_objects()), "what is in use is set aside"
    new, is_new = cycle()
    del kept, new
    gc.collect(0)
    assert is_new() is None, "what is new and in nobody's use goes at once"
    assert is_there() is not None
    await asyncio.sleep(0.7)
    assert is_there() is None
    assert not any(each is module for each in gc.get_objects())
    collect, gc.collect = gc.collect, None  # nothing is new: it is not called
    await asyncio.sleep(0.7)
    gc.collect = collect


async def again():
    collector.survivors.begin(asyncio.get_running_loop())
    gc.collect(0)
    assert gc.get_freeze_count() > 0


asyncio.run(main())
asyncio.run(again())  # whether or not the collector has seen that the first event loop is over
gc.collect()
assert gc.get_freeze_count() == 0, "there is no event loop any more"
assert gc.callbacks == []
"""


def test_the_collector_after_a_start() -> None:
    """The garbage collector rests during a start; after it, it looks at what is new, and now and then at everything."""
    check = "\nimport gc\nassert gc.isenabled()\nassert gc.get_freeze_count() > 10 * len(gc.get_objects())"
    imported_by(ROUND_TRIP + check, **environment("memory://"))
    imported_by("import gc\ngc.disable()\n" + ROUND_TRIP + "\nassert not gc.isenabled()", **environment("memory://"))
    imported_by(COLLECTOR)
