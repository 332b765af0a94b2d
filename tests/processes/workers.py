"""What the clients of these tests are: workers with tokens, and connections that are no slower than the servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5

from statemount.auth.jwt import JWTAuth
from statemount.model import TaskScope

SECRET = "a secret of sixty-four bytes, as RFC 7518 asks for with HMAC-512"
ANSWER_SECONDS = 60.0
"""Longest wait for an answer: a server that takes longer hangs."""

_NAMESPACE = UUID("0197f3a0-1111-7000-8000-000000000000")
_AUTH = JWTAuth(secret=SECRET)


@dataclass(frozen=True)
class Target:
    """State that a worker may write: its own task's, or that of an asset.

    Args:
        name: The task's or the asset's.
        map_index: None for an asset.
        token: The worker's.
    """

    name: str
    map_index: int | None
    token: str

    @property
    def scope(self) -> TaskScope:
        """The scope of the task."""
        assert self.map_index is not None
        return TaskScope("dag", "run", self.name, self.map_index)

    @property
    def collection(self) -> str:
        """The address of everything together."""
        return f"/execution/store/asset/by-name?name={quote(self.name)}" if self.map_index is None else self.path(None)

    def path(self, key: str | None, *, all_map_indices: bool = False) -> str:
        """Return the address of a key; of everything, if it is None."""
        if self.map_index is None:
            if key is None:
                return f"/execution/store/asset/by-name/clear?name={quote(self.name)}"
            return f"/execution/store/asset/by-name/value?name={quote(self.name)}&key={quote(key)}"
        task_instance_id = _task_instance_id(self.name, self.map_index)
        if all_map_indices:
            return f"/execution/state/ti/{task_instance_id}?all_map_indices=true"
        rest = "" if key is None else f"/{quote(key)}"
        return f"/execution/store/ti/{task_instance_id}{rest}"

    def watch_path(self, key: str | None) -> str:
        """Return the address at which a key is watched; everything, if it is None."""
        if self.map_index is None and key is None:
            return f"/execution/store/asset/by-name?name={quote(self.name)}"
        return self.path(key)


def task(name: str, map_index: int = -1) -> Target:
    """Return the state of a task instance, for its own worker."""
    return Target(name, map_index, _token(name, map_index))


def asset(name: str, worker: str) -> Target:
    """Return the state of an asset, for the worker of a task."""
    return Target(name, None, _token(worker, -1, name))


def _task_instance_id(name: str, map_index: int) -> UUID:
    return uuid5(_NAMESPACE, f"{name}/{map_index}")


def _token(name: str, map_index: int, outlet: str | None = None) -> str:
    claims = {"dag_id": "dag", "run_id": "run", "task_id": name, "map_index": map_index}
    outlets = {} if outlet is None else {"outlets": [outlet]}
    return _AUTH.tokens.worker(_task_instance_id(name, map_index), lifetime=86_400, claims={**claims, **outlets})


@dataclass(frozen=True)
class Answer:
    """What a server says.

    Args:
        headers: By name, in lower case.
    """

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def value(self) -> Any:
        """The value of a key."""
        return json.loads(self.body)["value"]

    @property
    def may_be_written(self) -> bool:
        """Whether a write that was not acknowledged may be there nevertheless."""
        return b"write_outcome_unknown" in self.body


class Connection:
    """A connection that is kept, and opened again where it was lost.

    Args:
        port: Of a server on this machine.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, target: Target, key: str) -> Answer:
        """Read a key."""
        return await self._ask("GET", target.path(key), target)

    async def put(
        self,
        target: Target,
        key: str,
        value: Any,
        *,
        expires_at: datetime | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Set a key.

        Args:
            headers: Conditions.
        """
        expiry = {} if expires_at is None else {"expires_at": expires_at.isoformat()}
        body = json.dumps({"value": value, **expiry}).encode()
        return await self._ask("PUT", target.path(key), target, body, headers)

    async def batch(self, target: Target, *operations: Mapping[str, Any]) -> Answer:
        """Do operations, all or none."""
        return await self._ask("POST", target.collection, target, json.dumps({"operations": operations}).encode())

    async def delete(self, target: Target, key: str, *, headers: Mapping[str, str] = MappingProxyType({})) -> Answer:
        """Remove a key."""
        return await self._ask("DELETE", target.path(key), target, headers=headers)

    async def clear(self, target: Target, *, all_map_indices: bool = False) -> Answer:
        """Remove every key."""
        return await self._ask("DELETE", target.path(None, all_map_indices=all_map_indices), target)

    async def fetch(self, path: str) -> Answer:
        """Read what needs no token."""
        return await self._ask("GET", path, None)

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Ask anything, as who the headers say."""
        return await self._ask(method, path, None, body, headers)

    def close(self) -> None:
        """End the connection at once."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _ask(
        self,
        method: str,
        path: str,
        target: Target | None,
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Send a request and wait for the answer.

        Raises:
            ConnectionError: There is none, because the connection broke.
            TimeoutError: There is none for very long.
        """
        try:
            return await asyncio.wait_for(self._exchange(request(method, path, target, body, headers)), ANSWER_SECONDS)
        except asyncio.IncompleteReadError as error:
            self.close()
            raise ConnectionResetError("the server went away") from error
        except BaseException:
            self.close()
            raise

    async def _exchange(self, message: bytes) -> Answer:
        if self._streams is not None and self._streams[0].at_eof():  # a server ends what is idle for long
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(message)
        first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        fields = (line.partition(b":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
        return Answer(int(first.split(b" ")[1]), headers, body)


def request(
    method: str,
    path: str,
    target: Target | None,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Return a request as it is sent."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {text}" for name, text in headers.items())]
    if target is not None:
        lines.append(f"Authorization: Bearer {target.token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
