"""Public routes: what there is, what there is not, which methods a path has, and the headers of answers."""

from __future__ import annotations

from tests.contract.rows import (
    BAD_USER_TOKEN,
    FORBIDDEN,
    NO_METHOD,
    NO_ROUTE,
    NOT_AUTHENTICATED,
    OWN,
    Row,
    Token,
    asset_page,
    detail,
    entry,
    page,
    refused,
    too_short,
    user,
)

_COLLECTION = {"allow": "DELETE, GET, HEAD, POST"}
_KEY = {"allow": "DELETE, GET, HEAD, PATCH, PUT"}
_TASK = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
_PROBLEM = {"accept": "application/problem+json"}
_OF_PROBLEM = {"content-type": "application/problem+json"}

_NOWHERE = [
    "/api/v2",
    "/api/v2/",
    "/api/v2/nope",
    "/api/v2/dags",
    "/api/v2/dags/dag",
    "/api/v2/dags/dag/dagRuns/<run>/taskInstances",
    f"{_TASK}/",
    _TASK,
    f"{_TASK}/state",
    f"{_TASK}/stores",
    f"{_TASK}/State-Store",
    f"{_TASK}/state-storex",
    "/api/v2/dags/dag/dagruns/<run>/taskInstances/task/state-store",
    "/api/v2/dags//dagRuns/<run>/taskInstances/task/state-store",
    "/api/v2/dags/d%2F1/dagRuns/<run>/taskInstances/task/state-store",
    "/api/v2/dags/dag/dagRuns/<run>/taskInstances//state-store",
    "/api/v2//assets/<name-id>/state-store",
    "/api/v2/assets",
    "/api/v2/assets/<name-id>",
    "/api/v2/assets/<name-id>/nope",
    "/api/v2/assets//state-store",
    "/api/v2/directory",
    "/api/v2/directory/",
    "/api/v2/directory/nope",
    "/api/v2/directory/runs",
    "/api/v2/directory/runs/dag",
    "/api/v2/directory/task-instances/<ti>/nope",
    "/api/v2/directory/assets/<name-id>/nope",
    "/api/v2/health",
    "/api/v2x/assets/1/state-store",
    "/api/v1/assets/1/state-store",
    "/api/V2/assets/1/state-store",
]

ROWS: list[Row] = [
    *[
        user(f"{method} {path}", 404, NO_ROUTE, token=token, answered={"location": None, "airflow-api-version": None})
        for path in _NOWHERE
        for method, token in (("GET", None), ("POST", user("", 0).token))
    ],
    *[
        user(f"{method} <state>", 405, NO_METHOD, body={"value": 1}, answered=_COLLECTION, seed={"k": 0})
        for method in ("LIST", "PUT", "PATCH", "OPTIONS", "TRACE", "QUERY", "FOO")
    ],
    *[
        user(f"{method} <state>/k", 405, NO_METHOD, body={"value": 1}, answered=_KEY, seed={"k": 0})
        for method in ("POST", "OPTIONS", "TRACE", "CONNECT")
    ],
    *[
        user(f"{method} <asset>", 405, NO_METHOD, body={"value": 1}, answered=_COLLECTION, asset_seed={"k": 0})
        for method in ("LIST", "PUT", "PATCH", "OPTIONS")
    ],
    *[user(f"{method} <asset>/k", 405, NO_METHOD, answered=_KEY) for method in ("POST", "OPTIONS")],
    user("PUT <state>", 405, NO_METHOD, token=None, answered=_COLLECTION),
    user("POST <state>/k", 405, NO_METHOD, token="Bearer garbage", answered=_KEY),
    user("GET <state>/", 422, refused(too_short("path.key")), seed={"k": 1}, name="a slash at the end: an empty key"),
    user("PUT <state>/", 422, refused(too_short("path.key")), body={"value": 1}),
    user("PATCH <state>/", 422, refused(too_short("path.key")), body={"value": 1}),
    user("DELETE <state>/", 422, refused(too_short("path.key")), seed={"k": 1}),
    user("GET <state>//", 200, entry("/", 1), seed={"/": 1}),
    user("GET /%61pi/v2/assets/<name-id>/st%61tes", 200, {"asset_states": [], "total_entries": 0}, needs_raw=True),
    user("GET /api%2Fv2/assets/<name-id>/states", 200, {"asset_states": [], "total_entries": 0}, needs_raw=True),
    user("GET <asset>?", 200, asset_page()),
    user("GET <state>", 200, page(), sent={"correlation-id": "abc"}, answered={"correlation-id": "abc"}),
    user(
        "GET <state>/k",
        404,
        detail("<label> 'k' not found"),
        sent={"correlation-id": "x"},
        answered={"correlation-id": "x", "content-type": "application/json"},
    ),
    user("GET <state>", 200, page(), answered={"airflow-api-version": None, "refreshed-api-token": None}),
    user("PUT <state>/k", 204, body={"value": 1}, leaves={"k": 1}, answered={"content-length": None}),
    user(
        "PATCH <state>/k",
        200,
        None,
        body={"value": 1},
        seed={"k": 0},
        leaves={"k": 1},
        answered={"content-length": "4"},
    ),
    # RFC 9457, for who asks for it.
    user(
        "GET <state>/k",
        404,
        {
            "type": "urn:statemount:problem:key-not-found",
            "title": "There is no such key",
            "status": 404,
            "detail": "<label> 'k' not found",
        },
        sent=_PROBLEM,
        answered=_OF_PROBLEM,
    ),
    user(
        "GET <asset>",
        401,
        {
            "type": "urn:statemount:problem:expired-credentials",
            "title": "The credentials have expired",
            "status": 401,
            "detail": "Token Expired",
        },
        token=Token({"sub": "ann", "aud": "apache-airflow", "scope": "state:read", "exp": -60}),
        sent=_PROBLEM,
        answered=_OF_PROBLEM,
    ),
    user(
        "PUT <states>/nope/<segment>/k",
        404,
        {
            "type": "urn:statemount:problem:task-instance-not-found",
            "title": "There is no such task instance",
            "status": 404,
            "detail": "Task instance not found for dag_id='dag', run_id='<run>', task_id='nope', map_index=-1",
        },
        body={"value": 1},
        sent=_PROBLEM,
        answered=_OF_PROBLEM,
    ),
    # A worker's token is no use here, and a caller's is none for workers.
    user("GET <state>", 403, BAD_USER_TOKEN, token=OWN),
    Row("GET <task>/k", 403, detail("Invalid auth token"), token=user("", 0).token, seed={"k": 1}),
    user("GET <state>", 401, NOT_AUTHENTICATED, token=None),
    user("GET <state>", 403, FORBIDDEN, token=Token({"sub": "ann", "aud": "apache-airflow", "scope": "execution"})),
]
