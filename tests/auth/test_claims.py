"""What the claims of a worker's and of a public token must say."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from statemount.auth import JWTAuth
from statemount.errors import ForbiddenError, InvalidTokenError
from statemount.interfaces import RouteSet
from tests.auth.support import NOW, SECRET, TASK, Clock, accepts, identify, public_claims, signed, worker_claims

pytestmark = pytest.mark.anyio

DEEP = json.loads(300 * "[" + 300 * "]")


@pytest.mark.parametrize(
    "subject",
    [
        str(TASK),
        str(TASK).upper(),
        TASK.hex,
        TASK.hex.upper(),
        f"{{{TASK}}}",
        f"urn:uuid:{TASK}",
        f"URN:UUID:{TASK}",
    ],
)
async def test_spelling_of_the_subject(subject: str) -> None:
    """A worker's subject is a UUID in any spelling."""
    identity = await identify(JWTAuth(secret=SECRET, clock=Clock()), signed(worker_claims(sub=subject)))
    assert identity.task_instance_id == TASK
    assert identity.subject == str(TASK)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scope": ...},
        {"nbf": ...},
        {"aud": ["other", "urn:airflow.apache.org:task"]},
        {"iat": NOW + 0.5},
        {"exp": NOW + 600.75},
        {"exp": 2**53},
        {"iat": 0},
        {"iat": NOW + 10},
        {"nbf": NOW + 10},
        {"exp": NOW - 9},
        {"iss": "anybody"},
        {"jti": ["odd"], "extra": {"nested": [1, None]}},
        {"jti": "\ud800", "extra": DEEP},
        {"extra": 10**400},
    ],
)
async def test_accepted_worker(changes: dict[str, Any]) -> None:
    """A worker's token is accepted with and without the optional claims, within the leeway of ten seconds."""
    identity = await identify(JWTAuth(secret=SECRET, clock=Clock()), signed(worker_claims(**changes)))
    claims = worker_claims(**changes)
    assert identity.task_instance_id == TASK
    assert not identity.is_watcher
    assert identity.permissions == frozenset()
    assert identity.claims == claims
    assert (identity.issued_at, identity.expires_at) == (claims["iat"], claims["exp"])


HOSTILE_TIMES: list[Any] = [
    "1800000600",
    "",
    None,
    True,
    False,
    [],
    {},
    -1,
    -0.5,
    2**53 + 1,
    10**30,
    10**400,
    1e300,
]


HOSTILE_NAMES: list[Any] = [None, 7, "", "a" * 256, "a\0b", "a\nb", "\ud800", ["ann"]]
HOSTILE_SCOPES: list[Any] = [None, 7, ["execution"], ["state:read"], {}]


@pytest.mark.parametrize(
    "changes",
    [
        *({name: value} for name in ("exp", "iat", "nbf") for value in HOSTILE_TIMES),
        {"sub": ...},
        {"exp": ...},
        {"iat": ...},
        {"aud": ...},
        *(
            {"sub": value}
            for value in (
                None,
                7,
                "",
                "ann",
                [str(TASK)],
                {"id": str(TASK)},
                f" {TASK}",
                f"{TASK}\n",
                f"{TASK}0",
                str(TASK)[:-1],
                "0_97f3a0-1111-7000-8000-00000000abcd",
                "٣" * 32,
                "-" * 32,
                f"{{{TASK}",
                f"urn:{TASK}",
                "g" * 32,
            )
        ),
        *(
            {"aud": value}
            for value in (
                None,
                "",
                "apache-airflow",
                [],
                [7],
                ["urn:airflow.apache.org:task", 7],
                {"urn:airflow.apache.org:task": 1},
                [["urn:airflow.apache.org:task"]],
                "urn:airflow.apache.org:task ",
            )
        ),
        *({"scope": value} for value in (*HOSTILE_SCOPES, "", "Execution", "execution workload", "token")),
        {"iat": NOW + 11},
        {"nbf": NOW + 11},
        {"exp": NOW - 10},
        {"exp": NOW - 1000},
        {"exp": 0},
        {"sub": str(UUID(int=0))},
        {"scope": "workload", "exp": NOW - 10},
        {"scope": "workload", "sub": "ann"},
    ],
    ids=repr,
)
async def test_refused_worker(changes: dict[str, Any]) -> None:
    """A worker's token whose claims are missing, malformed, or not for now and here, is refused."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    with pytest.raises(InvalidTokenError):
        await identify(auth, signed(worker_claims(**changes)))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 5000])
async def test_number_that_is_none(number: str) -> None:
    """A time that is not a finite number is refused."""
    payload = f'{{"sub": "{TASK}", "aud": "urn:airflow.apache.org:task", "iat": {NOW}, "exp": {number}}}'
    with pytest.raises(InvalidTokenError):
        await identify(JWTAuth(secret=SECRET, clock=Clock()), signed(payload.encode()))


async def test_workload() -> None:
    """A workload token that is good otherwise is forbidden, with the message that Airflow's client expects."""
    with pytest.raises(ForbiddenError) as caught:
        await identify(JWTAuth(secret=SECRET, clock=Clock()), signed(worker_claims(scope="workload")))
    assert caught.value.message == ("Token type 'workload' not allowed for this endpoint. Allowed types: execution")


@pytest.mark.parametrize(
    ("leeway", "late", "accepted"), [(0, 0, False), (0, -1, True), (60, 59, True), (60, 60, False)]
)
async def test_leeway(leeway: float, late: float, accepted: bool) -> None:
    """A token is good until its exp plus the leeway, not including that moment."""
    auth = JWTAuth(secret=SECRET, leeway=leeway, clock=Clock())
    token = signed(worker_claims(iat=NOW - 600, nbf=..., exp=NOW - late))
    if accepted:
        assert (await identify(auth, token)).task_instance_id == TASK
    else:
        with pytest.raises(InvalidTokenError) as caught:
            await identify(auth, token)
        assert caught.value.expired


async def test_watcher() -> None:
    """A token for the nil UUID is a watcher's where watchers are enabled."""
    auth = JWTAuth(secret=SECRET, watchers=True, clock=Clock())
    identity = await identify(auth, signed(worker_claims(sub=str(UUID(int=0)))))
    assert identity.is_watcher
    assert identity.task_instance_id is None
    assert not (await identify(auth, signed(worker_claims()))).is_watcher


@pytest.mark.parametrize(
    ("issuer", "claim", "accepted"),
    [
        ("airflow", "airflow", True),
        ("airflow", "other", False),
        ("airflow", ..., False),
        ("airflow", ["airflow"], False),
        (["airflow", "other"], "other", True),
    ],
)
async def test_issuer(issuer: Any, claim: Any, accepted: bool) -> None:
    """Where an issuer is configured a token must name it."""
    auth = JWTAuth(secret=SECRET, issuer=issuer, clock=Clock())
    token = signed(worker_claims(iss=claim))
    if accepted:
        assert await accepts(auth, token)
    else:
        with pytest.raises(InvalidTokenError, match="issuer"):
            await identify(auth, token)


async def test_audiences() -> None:
    """The audiences of both route sets are settings, and a list means any of them."""
    auth = JWTAuth(secret=SECRET, execution_audience=["a", "b"], public_audience="c", clock=Clock())
    assert await accepts(auth, signed(worker_claims(aud="b")))
    assert await accepts(auth, signed(public_claims(aud="c")), "public")
    with pytest.raises(InvalidTokenError, match="audience"):
        await identify(auth, signed(worker_claims(aud="c")))
    with pytest.raises(InvalidTokenError, match="audience"):
        await identify(auth, signed(public_claims(aud="a")), "public")


@pytest.mark.parametrize(
    ("scope", "permissions"),
    [
        ("state:read", {"state:read"}),
        ("state:read  state:write state:read", {"state:read", "state:write"}),
        ("", set()),
        (..., set()),
    ],
)
async def test_permissions(scope: Any, permissions: set[str]) -> None:
    """A public token's permissions are the words of its scope claim, and none without it."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    identity = await identify(auth, signed(public_claims(scope=scope, iat=..., nbf=...)), "public")
    assert (identity.subject, set(identity.permissions)) == ("ann", permissions)
    assert identity.task_instance_id is None


@pytest.mark.parametrize(
    "changes",
    [
        *({name: value} for name in ("exp", "iat", "nbf") for value in HOSTILE_TIMES),
        {"exp": ...},
        {"aud": ...},
        {"aud": "urn:airflow.apache.org:task"},
        {"sub": ...},
        *({"sub": value} for value in HOSTILE_NAMES),
        *({"scope": value} for value in HOSTILE_SCOPES),
        {"nbf": NOW + 11},
    ],
    ids=repr,
)
async def test_refused_caller(changes: dict[str, Any]) -> None:
    """A public token whose claims are missing, malformed, or not for now and here, is refused and not as expired."""
    with pytest.raises(InvalidTokenError) as caught:
        await identify(JWTAuth(secret=SECRET, clock=Clock()), signed(public_claims(**changes)), "public")
    assert not caught.value.expired


async def test_expired_caller() -> None:
    """A public token that is good but for its time is refused as expired; one that is not its audience's is not."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    for changes, expired in (({}, True), ({"aud": "other"}, False), ({"sub": ...}, False)):
        with pytest.raises(InvalidTokenError) as caught:
            await identify(auth, signed(public_claims(exp=NOW - 10, **changes)), "public")
        assert caught.value.expired is expired
    with pytest.raises(InvalidTokenError) as caught:
        await identify(auth, signed(public_claims(exp=NOW - 10), secret="x" * 64), "public")
    assert not caught.value.expired


@pytest.mark.parametrize(("claims", "route_set"), [(worker_claims(), "public"), (public_claims(), "execution")])
async def test_other_route_set(claims: dict[str, Any], route_set: RouteSet) -> None:
    """A token for one route set is refused on the other, also once it is known on its own."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    own: RouteSet = "execution" if route_set == "public" else "public"
    assert await accepts(auth, signed(claims), own)
    with pytest.raises(InvalidTokenError):
        await identify(auth, signed(claims), route_set)
