"""How a task gets a token from Airflow's API server, and what that token is good for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from statemount import JWTAuth, Settings
from statemount.airflow.names import AUDIENCE, PREFIX
from statemount.airflow.options import AirflowOptions
from statemount.airflow.task import TaskToken, state_url
from statemount.airflow.tokens import LateMiddleware, TokenMiddleware, with_first_credentials
from statemount.airflow.users import Method
from statemount.errors import ConfigurationError, InvalidTokenError
from statemount.model import TaskInstance, TaskScope
from statemount.web.below import AsgiApp

pytestmark = pytest.mark.anyio

SECRET = "a secret of Airflow's, for these tests alone, of at least sixty-four bytes"
AIRFLOW = "urn:airflow.apache.org:task"
OPTIONS = AirflowOptions("sqlite:////srv/airflow.db", (AIRFLOW,), lifetime=600, leeway=10, secret=SECRET)
SETTINGS = Settings.build({"database_url": "memory://", "directory": "database"})
CONNECTION = "/execution/connections/statemount"


class People:
    """Users whose token is their name; ``viewer`` reads in the dag ``orders`` and the asset 1 alone."""

    async def user_of(self, token: str) -> Any:
        if token not in ("admin", "viewer"):
            raise InvalidTokenError("nobody's")
        return token

    def name_of(self, user: Any) -> str:
        return str(user)

    def may_task_instances(self, user: Any, method: Method, dag_id: str | None) -> bool:
        return user == "admin" or (method == "GET" and dag_id == "orders")

    def may_assets(self, user: Any, method: Method, asset_id: int | None) -> bool:
        return user == "admin" or (method == "GET" and asset_id == 1)


async def echo(request: Request) -> JSONResponse:
    """Stand for everything of Airflow's."""
    return JSONResponse({"airflow": request.url.path})


def server(options: AirflowOptions = OPTIONS, *, root_path: str = "") -> tuple[httpx.AsyncClient, Any]:
    """Return a client of an API server with the plugin's parts, and the app in it."""
    auth = options.tokens()
    state = options.mount(SETTINGS, auth, People())
    host = Starlette(routes=[Mount(PREFIX, state), Route("/{path:path}", echo)])
    app = TokenMiddleware(host, state=state, auth=auth, lifetime=options.lifetime)
    transport = httpx.ASGITransport(app, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url=f"http://airflow{root_path}"), state


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def supervisors(task_instance_id: UUID) -> str:
    """Return what Airflow's scheduler gives a supervisor for a task."""
    return JWTAuth(secret=SECRET, execution_audience=AIRFLOW).tokens.worker(task_instance_id)


@pytest.mark.parametrize("root_path", ["", "/airflow"])
async def test_a_task_gets_a_token_of_its_own(root_path: str) -> None:
    """The connection that a supervisor asks for holds a token for its task, which our routes take."""
    client, state = server(root_path=root_path)
    ti = uuid4()
    await state.directory.register_task_instances([TaskInstance(ti, TaskScope("orders", "r", "load"))])
    async with client:
        answer = await client.get(CONNECTION, headers=bearer(supervisors(ti)))
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        connection = answer.json()
        assert {name: connection[name] for name in ("conn_id", "conn_type", "login")} == {
            "conn_id": "statemount",
            "conn_type": "statemount",
            "login": str(ti),
        }
        assert json.loads(connection["extra"]) == {"lifetime": 600}
        claims = jwt.decode(connection["password"], SECRET, ["HS512"], audience=AUDIENCE)
        assert (claims["sub"], claims["exp"] - claims["iat"]) == (str(ti), 600)
        headers = bearer(connection["password"])
        place = f"{PREFIX}/execution/store/ti/{ti}/job_id"
        assert (await client.put(place, json={"value": 1}, headers=headers)).status_code == 204
        assert (await client.get(place, headers=bearer(supervisors(ti)))).json() == {"value": 1}
        other = f"{PREFIX}/execution/store/ti/{uuid4()}/job_id"
        assert (await client.get(other, headers=headers)).status_code == 403
    await state.stop()


async def test_others_get_none() -> None:
    """Without a task's token there is no connection; and every other request is Airflow's."""
    client, state = server()
    expired = JWTAuth(secret=SECRET, execution_audience=AIRFLOW, clock=lambda: 10**15).tokens.worker(uuid4())
    workload = jwt.encode(
        {"sub": str(uuid4()), "scope": "workload", "aud": AIRFLOW, "iat": 1, "exp": 2**40}, SECRET, "HS512"
    )
    async with client:
        assert (await client.get(CONNECTION)).status_code == 401
        for token in (
            "nothing",
            expired,
            workload,
            JWTAuth(secret=SECRET[::-1]).tokens.worker(uuid4()),
            JWTAuth(secret=SECRET, execution_audience="apache-airflow").tokens.worker(uuid4()),
            JWTAuth(secret=SECRET).tokens.worker(UUID(int=0)),
        ):
            refused = await client.get(CONNECTION, headers=bearer(token))
            assert (refused.status_code, refused.json()) == (403, {"detail": "Invalid auth token"})
        for method, path in (("PUT", CONNECTION), ("GET", f"{CONNECTION}s"), ("GET", "/execution/connections/other")):
            answer = await client.request(method, path)
            assert (answer.status_code, "airflow" in answer.text) in {(200, True), (405, False)}
    await state.stop()


async def test_an_asymmetric_key(tmp_path: Path) -> None:
    """Where Airflow signs with a private key, so do we; a key set that it trusts is trusted here too."""
    key = Ed25519PrivateKey.generate()
    pem = tmp_path / "key.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key()))
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [{**public, "kid": "airflow", "alg": "EdDSA"}]}))
    asymmetric = replace(OPTIONS, private_key_path=str(pem))
    ti = uuid4()
    claims = {"sub": str(ti), "scope": "execution", "aud": AIRFLOW, "iat": 1, "exp": 2**40}
    token = jwt.encode(claims, key, "EdDSA", headers={"kid": "airflow"})
    for options in (asymmetric, replace(asymmetric, jwks=str(jwks), secret=None)):
        client, state = server(options)
        async with client:
            answer = await client.get(CONNECTION, headers=bearer(token))
            assert answer.status_code == 200, answer.text
            given = answer.json()["password"]
            assert jwt.decode(given, key.public_key(), ["EdDSA"], audience=AUDIENCE)["sub"] == str(ti)
            mine = f"{PREFIX}/execution/store/ti/{ti}/key"
            assert (await client.get(mine, headers=bearer(given))).status_code == 404
            assert (await client.get(CONNECTION, headers=bearer(supervisors(ti)))).status_code == 403
        await state.stop()


async def test_users_of_airflow() -> None:
    """On the public API everybody may do what Airflow's auth manager says, to each dag and asset."""
    client, state = server()
    for dag_id in ("orders", "other"):
        await state.directory.register_task_instances([TaskInstance(uuid4(), TaskScope(dag_id, "r", "load"))])
    first, second = [await state.directory.register_asset(name=name) for name in ("first", "second")]
    assert (first.asset_id, second.asset_id) == (1, 2)

    def of(dag_id: str) -> str:
        return f"{PREFIX}/api/v2/dags/{dag_id}/dagRuns/r/taskInstances/load/state-store/key"

    def of_asset(asset_id: int) -> str:
        return f"{PREFIX}/api/v2/assets/{asset_id}/state-store/key"

    async with client:

        async def status(method: str, path: str, user: str) -> int:
            body = {"value": 1} if method == "PUT" else None
            return (await client.request(method, path, headers=bearer(user), json=body)).status_code

        for path in (of("orders"), of("other"), of_asset(1), of_asset(2)):
            assert await status("PUT", path, "viewer") == 403
            assert await status("PUT", path, "admin") in (200, 204)
        viewed = [await status("GET", path, "viewer") for path in (of("orders"), of("other"), of_asset(1), of_asset(2))]
        assert viewed == [200, 403, 200, 403]
        assert await status("GET", of_asset(3), "viewer") == 403
        assert await status("GET", of_asset(3), "admin") == 404
        assert await status("DELETE", of("orders"), "viewer") == 403
        assert await status("GET", f"{PREFIX}/api/v2/directory/assets", "admin") == 403
        assert await status("GET", of("orders"), "nobody") == 403
        assert (await client.get(of("orders"))).status_code == 401
    await state.stop()


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([], []),
        ([(b"authorization", b"a")], [b"a"]),
        ([(b"authorization", b"a"), (b"accept", b"x"), (b"authorization", b"b")], [b"a"]),
    ],
)
def test_first_credentials(headers: Sequence[tuple[bytes, bytes]], kept: list[bytes]) -> None:
    """Of several credentials the first ones count, as for Airflow; what else is there stays."""
    scope = with_first_credentials({"headers": headers})
    assert [value for name, value in scope["headers"] if name == b"authorization"] == kept
    assert [header for header in headers if header[0] == b"accept"] == [
        header for header in scope["headers"] if header[0] == b"accept"
    ]


async def test_what_cannot_work_keeps_the_server_from_starting() -> None:
    """A server is told in the lifespan what is wrong; a request before that fails, and a good one is passed on."""
    sent: list[Any] = []
    asked: list[str] = []

    def refuse(app: AsgiApp) -> AsgiApp:
        raise ConfigurationError("no database")

    async def host(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["type"])

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    await LateMiddleware(host, refuse)({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": "statemount: no database"}]
    with pytest.raises(ConfigurationError):
        await LateMiddleware(host, refuse)({"type": "http"}, receive, send)
    good = LateMiddleware(host, lambda app: app)
    for kind in ("lifespan", "http"):
        await good({"type": kind}, receive, send)
    assert asked == ["lifespan", "http"]


def test_a_database_of_its_own() -> None:
    """The app keeps nothing in Airflow's database, and says what it needs."""
    with pytest.raises(ConfigurationError, match="STATEMOUNT_DATABASE_URL"):
        OPTIONS.mount(Settings(), OPTIONS.tokens(), People())
    with pytest.raises(ConfigurationError, match="jwt_secret"):
        replace(OPTIONS, secret=None, jwks="https://keys.example/jwks").tokens()


def test_the_directory_is_airflows() -> None:
    """Unless the settings say otherwise, task instances and assets are those of Airflow's own database."""
    settings = Settings.build({"database_url": "memory://"})
    mounted = OPTIONS.mount(settings, OPTIONS.tokens(), People()).settings
    assert mounted.directory == "airflow"
    assert mounted.airflow_database_url is not None
    assert mounted.airflow_database_url.get_secret_value() == OPTIONS.database_url


@pytest.mark.parametrize(
    ("execution", "state"),
    [
        ("http://localhost:8080/execution/", "http://localhost:8080/statemount"),
        ("https://airflow.example/team/execution", "https://airflow.example/team/statemount"),
    ],
)
def test_where_the_app_is(execution: str, state: str) -> None:
    """The app is beside the Execution API, whatever stands before both."""
    assert state_url(execution) == state


def test_an_execution_api_elsewhere() -> None:
    """Behind a proxy that gives the Execution API another path, it has to be said where the app is."""
    with pytest.raises(ConfigurationError, match="STATEMOUNT_URL"):
        state_url("https://airflow.example/tasks/")


def test_a_token_is_asked_for_again_when_it_is_old() -> None:
    """A token is used for the greater part of its life; then another one takes its place."""
    now, given = 0.0, iter(("first", "second"))
    token = TaskToken(lambda: (next(given), 600.0), clock=lambda: now)
    assert token() == "first"
    now = 419.0
    assert token() == "first"
    now = 420.0
    assert [token(), token()] == ["second", "second"]
