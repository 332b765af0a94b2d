"""A worker as a host app hires it: a task instance, its token, its assets, and the Task SDK's client for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from airflow.sdk.api.client import Client, ServerResponseError

_RUN: dict[str, Any] = json.loads(os.environ["COMPAT"])
SERVERS: dict[str, str] = _RUN["servers"]
"""The URL of each server, by the name of its database and program."""

SECRET: str = _RUN["secret"]
"""What tokens are signed with."""


@dataclass(frozen=True)
class Asset:
    name: str
    uri: str


@dataclass(frozen=True)
class Worker:
    """What a worker is told.

    Args:
        outlet: An asset that its task is registered with, as are ``inlet`` and ``inactive``.
        inactive: One that was deactivated.
        foreign: An asset that exists, and that its task is not registered with.
    """

    server: str
    task_id: str
    id: UUID
    token: str
    outlet: Asset
    inlet: Asset
    inactive: Asset
    foreign: Asset

    @classmethod
    def hire(cls, server: str, **wishes: Any) -> Worker:
        """Ask the host app for work.

        Args:
            wishes: ``lifetime`` of the token in seconds, ``task_id`` of the task to be tried again, ``outlet``'s name.
        """
        told = httpx.post(f"{server}/hire", json=wishes, timeout=30, verify=False).raise_for_status().json()
        assets = {kind: Asset(**asset) for kind, asset in told["assets"].items()}
        return cls(server, told["task_id"], UUID(told["task_instance_id"]), told["token"], **assets)

    def client(self, token: str | None = None, place: str = "") -> Client:
        """Return the Task SDK's client, to be closed.

        Args:
            token: In place of the worker's own.
            place: Where the host has the app.
        """
        return Client(base_url=f"{self.server}{place}/execution", token=self.token if token is None else token)


VALIDATION_ERROR = "Remote server returned validation error"
"""What the client says of a 422."""


def refusal_of(call: Callable[[], object], status: int, message: str) -> ServerResponseError:
    """Return the error that the client raises for this status, with this as its message."""
    with pytest.raises(ServerResponseError) as refusal:
        call()
    assert (refusal.value.response.status_code, str(refusal.value)) == (status, message)
    return refusal.value


def not_found_message(call: Callable[[], object]) -> str:
    """Return our message in the error that the client raises for what does not exist."""
    detail = refusal_of(call, 404, "Server returned error").detail
    assert isinstance(detail, dict)
    message = detail.pop("message")
    assert detail == {"reason": "not_found"}
    return str(message)
