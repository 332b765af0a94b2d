"""Secrets stand in nothing that anybody reads: no log, no repr, no message or traceback, no document."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from statemount.auth import JWTAuth, Key
from statemount.cli.issuer import issuer_of
from statemount.errors import StateMountError
from statemount.mount import StateMount
from statemount.settings import Settings
from tests.auth.support import private_key, private_pem, public_jwk
from tests.contract.transports import ask
from tests.life.support import TASK

pytestmark = pytest.mark.anyio

SECRET = "hush-" * 13
PASSWORD = "sesame-open-you"
PEM = private_pem(private_key("P-256"))
_SECRETS = (SECRET, SECRET[:40], PASSWORD, PEM.splitlines()[1], PEM.splitlines()[2])


def check(*texts: object) -> None:
    """Make sure that no secret stands in texts."""
    for text in map(str, texts):
        for secret in _SECRETS:
            assert secret not in text


def _state(**settings: Any) -> StateMount:
    return StateMount(
        "memory://", jwt_secret=SECRET, jwt_signing_key=PEM, jwt_algorithms=("HS512", "ES256"), **settings
    )


def test_what_is_printed() -> None:
    """No object that knows a secret shows it, however it is printed."""
    url = f"postgresql://app:{PASSWORD}@127.0.0.1:9/state?password={PASSWORD}"
    settings = Settings.build({"database_url": url, "jwt_secret": SECRET, "jwt_signing_key": PEM})
    auth = JWTAuth(secret=SECRET, signing_key=PEM)
    state = StateMount(settings=settings.replace({"jwt_algorithms": ("HS512", "ES256")}))
    for thing in (settings, auth, auth.tokens, state, state._auth, state.settings, issuer_of(state.settings)):
        check(repr(thing), str(thing), f"{thing!r}")
    check(settings.model_dump(), settings.model_dump_json(), settings.model_dump(mode="json"))
    check(*[vars(key) if hasattr(key, "__dict__") else repr(key) for key in (Key.shared(SECRET), Key.pem(PEM))])


_BROKEN_PEM = PEM.replace("A", "!")


@pytest.mark.parametrize(
    "make",
    [
        lambda: JWTAuth(secret=PASSWORD),
        lambda: JWTAuth(secret=PEM),
        lambda: JWTAuth(keys=[PEM], algorithms=["HS512"]),
        lambda: JWTAuth(keys=[_BROKEN_PEM]),
        lambda: JWTAuth(keys=[SECRET]),
        lambda: JWTAuth(secret=SECRET, keys=[Key.shared(SECRET)]),
        lambda: JWTAuth(keys=[{"kty": "oct", "k": SECRET, "alg": "ES256"}]),
        lambda: JWTAuth(keys=[{**public_jwk(private_key("P-256")), "d": SECRET}]),
        lambda: JWTAuth(secret=SECRET, algorithms=["ES256"]),
        lambda: Settings.build({"jwt_secret": [SECRET], "database_url": PASSWORD}),
        lambda: Settings.build({"jwt_secret": SECRET, "jwt_leeway": SECRET, "port": PASSWORD}),
        lambda: Settings.from_environment({"STATEMOUNT_JWT_SECRET": SECRET, "STATEMOUNT_JWT_SECRET_FILE": "/x"}),
        lambda: StateMount(f"nonsense://app:{PASSWORD}@host/db", jwt_secret=SECRET),
        lambda: StateMount(f"postgresql://app:{PASSWORD}@host:port/db", jwt_secret=SECRET),
        lambda: StateMount(f"mysql://app:{PASSWORD}@[host/db", jwt_secret=SECRET),
        lambda: _state(jwt_issuer=""),
    ],
)
def test_what_is_said_when_it_cannot_work(make: Callable[[], object]) -> None:
    """A configuration that cannot work is refused without the secret, in the message and in the whole traceback."""
    with pytest.raises(StateMountError) as caught:
        make()
    lines = traceback.format_exception(caught.value)
    check(str(caught.value), repr(caught.value), *[line for line in lines if not line.startswith("  File")])


async def test_what_is_logged_and_published(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """A day in the life of an app leaves no secret and no token in its logs, its documents and its answers."""
    with caplog.at_level(logging.DEBUG):
        state = StateMount(f"sqlite:///{tmp_path / 'state.db'}", jwt_secret=SECRET, metrics=True)
        async with state.lifespan():
            token = issuer_of(state.settings).worker(TASK)
            other = JWTAuth(secret=SECRET[::-1]).tokens.worker(TASK)
            answers = [
                await ask(state, "GET", target, {} if one is None else {"authorization": f"Bearer {one}"}, None)
                for one in (token, other, None)
                for target in (
                    *("/docs", "/openapi.json", "/metrics", "/health", "/ready", "/api/v2/docs"),
                    *("/execution/docs", "/execution/openapi.json", "/api/v2/openapi.json"),
                    *(f"/execution/store/ti/{TASK}/k", "/execution/nope", "/api/v2/directory/assets"),
                )
            ]
    assert {answer.status for answer in answers} >= {200, 401, 403, 404}
    texts = [f"{answer.headers} {answer.body!r}" for answer in answers]
    check(caplog.text, *texts)
    for part in (*token.split(".")[1:], *other.split(".")[1:]):
        assert part not in caplog.text
        assert not any(part in text for text in texts)


async def test_what_is_said_of_a_database_that_is_down(caplog: pytest.LogCaptureFixture) -> None:
    """That a database cannot be reached is told and logged without its password."""
    state = StateMount(f"postgresql://app:{PASSWORD}@127.0.0.1:9/state", jwt_secret=SECRET)
    with caplog.at_level(logging.DEBUG):
        async with state.lifespan():
            token = issuer_of(state.settings).worker(TASK)
            answer = await ask(
                state, "GET", f"/execution/store/ti/{TASK}/k", {"authorization": f"Bearer {token}"}, None
            )
    assert answer.status == 503
    check(caplog.text, answer.body, answer.headers)
    assert token not in caplog.text
