"""`statemount serve`, as processes."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.servers import COMMAND, clean_environment, serving


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_worker_process_sees_every_write(server: str, workers: str, database_url: str, tmp_path: Path) -> None:
    """What one request wrote, others read, in however many processes the server runs."""
    arguments = ["--dev", "--server", server, "--workers", workers, "--database-url", database_url]
    with serving(*arguments, directory=tmp_path) as running:
        headers = {"Authorization": f"Bearer {running.exports['TOKEN']}"}
        for number in range(10):
            url = f"{running.exports['TASK']}/key {number}/ä"
            assert httpx.put(url, json={"value": number}, headers=headers).status_code == 204
            assert httpx.get(url, headers=headers).json() == {"value": number}
        assert httpx.get(f"{running.url}/ready").json() == {"status": "ready"}


def test_development_leaves_nothing_behind(tmp_path: Path) -> None:
    """The SQLite file of `--dev` is gone when the server has stopped."""
    with serving("--dev", directory=tmp_path) as running:
        (file,) = re.findall(r"State is in sqlite:///(\S+)\.\n", running.output.read_text())
        assert Path(file).exists()
    assert not Path(file).parent.exists()


def test_development_takes_what_is_set(tmp_path: Path) -> None:
    """A database and a secret that are set are used by `--dev`, too, and the database is kept."""
    secret = "a secret that is used for development, of at least 64 bytes, too."
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path / 'kept.db'}\n")
    variables = {"STATEMOUNT_JWT_SECRET": secret, "STATEMOUNT_DATABASE_URL_FILE": str(tmp_path / "url")}
    with serving("--dev", directory=tmp_path, variables=variables) as running:
        token = subprocess.run(
            [COMMAND, "token", running.exports["TASK"].rpartition("/")[2]],
            env=clean_environment(variables),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        url = f"{running.exports['TASK']}/key"
        assert httpx.put(url, json={"value": 1}, headers={"Authorization": f"Bearer {token}"}).status_code == 204
    assert (tmp_path / "kept.db").exists()


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_a_port_that_is_taken_is_told_in_one_line(server: str) -> None:
    """A server whose port is taken says so in one line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        process = subprocess.run(
            [COMMAND, "serve", "--server", server, "--port", port, "--database-url", "memory://"],
            env=clean_environment({"STATEMOUNT_JWT_SECRET": "x" * 64}),
            capture_output=True,
            text=True,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr == f"statemount: cannot listen on 127.0.0.1, port {port}: Address already in use\n"


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_a_server_that_is_not_installed_is_named(server: str, tmp_path: Path) -> None:
    """Without the server that is asked for, one line says what to install."""
    (tmp_path / f"{server}.py").write_text("raise ModuleNotFoundError('as if it were not there')")
    process = subprocess.run(
        [COMMAND, "serve", "--server", server, "--port", "0", "--database-url", "memory://"],
        env=clean_environment({"STATEMOUNT_JWT_SECRET": "x" * 64, "PYTHONPATH": str(tmp_path)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert process.stderr.startswith(f"statemount: {server} is not installed: pip install 'statemount[server]'")
    assert process.stderr.count("\n") == 1


def test_an_interrupt_ends_quietly() -> None:
    """Ctrl-C ends a command that waits for a database: no traceback, and the exit code that shells expect."""
    with socket.create_server(("127.0.0.1", 0)) as database:  # accepts, and never says a word
        port = database.getsockname()[1]
        process = subprocess.Popen(
            [COMMAND, "db", "check", "--database-url", f"postgresql://nobody@127.0.0.1:{port}/nothing"],
            env=clean_environment({}),
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = database.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.strip()) == (130, "")
