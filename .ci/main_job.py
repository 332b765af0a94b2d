"""Run the main job with an installed command: serve on SQLite, and let a worker set, read, delete and clear its state.

The argument is the path of the command ``statemount``. Nothing but the standard library is needed.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

PATIENCE = 60  # seconds


def ask(method: str, url: str, token: str, body: object = None) -> tuple[int, object]:
    """Return status and decoded body of the answer to a request."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, headers, method=method)) as response:
            text = response.read()
            return response.status, json.loads(text) if text else None
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def wait_for(url: str, server: subprocess.Popen[str]) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urlopen(url).close()
        except URLError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def work(token: str, task: str, asset: str) -> None:
    """Do what a worker does, and fail if an answer is wrong."""
    value = {"job": 42, "parts": ["a", "\u00fc"]}
    for url in (f"{task}/a/key%20with/slashes", f"{asset}/value?name=orders&key=watermark"):
        assert ask("PUT", url, token, {"value": value}) == (204, None)
        assert ask("GET", url, token) == (200, {"value": value})
        assert ask("DELETE", url, token) == (204, None)
        assert ask("GET", url, token)[0] == 404
        assert ask("PUT", url, token, {"value": 1}) == (204, None)
    for url in (task, f"{asset}/clear?name=orders"):
        assert ask("DELETE", url, token) == (204, None)
    assert ask("GET", f"{task}/a/key%20with/slashes", token)[0] == 404
    assert ask("GET", f"{asset}/value?name=orders&key=watermark", token)[0] == 404
    assert ask("GET", f"{task}/key", "no token")[0] == 403


def main(command: str) -> None:
    """Serve, work, and stop."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with open("output", "w+") as output:
        server = subprocess.Popen([command, "serve", "--dev", "--port", str(port)], stdout=output, text=True)
        try:
            wait_for(f"http://127.0.0.1:{port}/ready", server)
            output.seek(0)
            exports = dict(re.findall(r"export (\w+)=(\S+)", output.read()))
            work(exports["TOKEN"], exports["TASK"], exports["ASSET"])
        finally:
            server.terminate()
            code = server.wait(PATIENCE)
        assert code == 0, code
    print("the main job works")


if __name__ == "__main__":
    main(sys.argv[1])
