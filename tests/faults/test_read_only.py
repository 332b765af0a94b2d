"""A SQLite file on a disk that was mounted so that nobody can write to it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import httpx
import pytest

from statemount.database.migrations import upgrade
from statemount.mount import StateMount
from statemount.settings import SecretUrl, Settings
from tests.databases import requested_urls
from tests.faults.programs import NoSmallDiskError, small_disk
from tests.processes.workers import SECRET, task

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("was_killed", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in requested_urls() if kind == "sqlite"])
async def test_a_disk_that_is_read_only(kind: str, was_killed: bool, tmp_path: Path) -> None:
    """While the disk is read-only everything is 503 with Retry-After; as soon as it is not, the app works."""
    target = task("one")
    headers = {"authorization": f"Bearer {target.token}"}
    try:
        with small_disk(tmp_path / "disk", 16) as disk:
            await upgrade(f"{kind}:///{disk / 'first.db'}")
            _copy(disk / "first.db", disk / "state.db", was_killed=was_killed)
            url = f"{kind}:///{disk / 'state.db'}"
            _mount_again(disk, "ro")
            state = StateMount(settings=Settings(database_url=SecretUrl(url), directory="claims"), jwt_secret=SECRET)
            transport = httpx.ASGITransport(state)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                for _ in range(2):
                    answer = await client.put(target.path("k"), headers=headers, json={"value": 1})
                    assert answer.status_code == 503
                    assert int(answer.headers["retry-after"]) >= 1
                _mount_again(disk, "rw")
                assert (await client.put(target.path("k"), headers=headers, json={"value": 2})).status_code == 204
                assert (await client.get(target.path("k"), headers=headers)).json() == {"value": 2}
            await state.stop()
    except NoSmallDiskError as error:
        pytest.skip(str(error))


def _copy(file: Path, copy: Path, *, was_killed: bool) -> None:
    """Copy a database as a process leaves it that ends in order, or with all that is beside it when it is killed."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("DELETE FROM statemount_scope")
    for end in ("", "-wal", "-shm") if was_killed else ("",):
        shutil.copyfile(f"{file}{end}", f"{copy}{end}")
    connection.close()


def _mount_again(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", os.fspath(disk)], check=True)
