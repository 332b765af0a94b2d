"""What the tests share: requests by a worker or a person, and the metrics as Prometheus reads them."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.contract.rows import Token
from tests.contract.transports import Answer, ask
from tests.contract.world import Place

EVERYTHING = "state:read state:write state:delete directory:read directory:write"


def public(permissions: str = EVERYTHING, **claims: object) -> Token:
    """Return a token for the public API."""
    return Token(changes={"sub": "ann", "aud": "apache-airflow", "scope": permissions, **claims})


async def request(
    place: Place,
    method: str,
    target: str,
    body: object = None,
    *,
    token: Token | str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Ask the app of a place.

    Args:
        target: With the words of the place.
        token: None = the worker's own; an empty text = none.
    """
    sent = dict(headers or {})
    credentials = place.authorization(Token() if token is None else token)
    if credentials:
        sent["authorization"] = credentials
    content = None
    if body is not None:
        sent["content-type"] = "application/json"
        content = json.dumps(place.fill(body)).encode()
    return await ask(place.state, method, place.fill(target), sent, content)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the samples of an exposition, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Scrape:
    """What ``/metrics`` says at one moment."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = samples(text)

    def __call__(self, name: str, **labels: str) -> float:
        """Return the value of a sample; 0 for one that is not there."""
        return self._samples.get((f"statemount_{name}", frozenset(labels.items())), 0.0)

    @property
    def names(self) -> Set[tuple[str, frozenset[tuple[str, str]]]]:
        """The name and the labels of every sample."""
        return self._samples.keys()


async def scrape(app: Any) -> Scrape:
    """Ask for the metrics."""
    answer = await ask(app, "GET", "/metrics", {}, None)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Scrape(answer.body.decode())
