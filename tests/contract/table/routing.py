"""Routes: what there is, what there is not, and which methods a path has."""

from __future__ import annotations

from tests.contract.rows import NO_METHOD, NO_ROUTE, Row, not_found, problem, refused, too_short

_KEY = {"allow": "DELETE, GET, HEAD, PATCH, PUT"}
_COLLECTION = {"allow": "DELETE, POST"}

_NOWHERE = [
    "/execution",
    "/execution/",
    "/execution/nope",
    "/execution/store",
    "/execution/store/",
    "/execution/store/ti",
    "/execution/store/ti/",
    "/execution/state",
    "/execution/state/ti",
    "/execution/state/ti/",
    "/execution/store/other",
    "/execution/store/ti//<ti>/k",
    "/execution/store//ti/<ti>/k",
    "/execution//store/ti/<ti>/k",
    "/execution/STORE/ti/<ti>/k",
    "/execution/store/task/<ti>/k",
    "/execution/stores/ti/<ti>/k",
]

_ELSEWHERE = ["/", "/nope", "/executionx", "/api", "/Execution/store/ti/<ti>/k", "/x/execution/store/ti/<ti>/k"]

ROWS = [
    *[
        Row(f"{method} {path}", 404, NO_ROUTE, token=token, answered={"location": None})
        for path in _NOWHERE
        for method, token in (("GET", Row("", 0).token), ("DELETE", None))
    ],
    *[Row(f"GET {path}", 404, NO_ROUTE, token=None, answered={"airflow-api-version": None}) for path in _ELSEWHERE],
    *[
        Row(f"{method} <task>/k", 405, NO_METHOD, body={"value": 1}, answered=_KEY, seed={"k": 0})
        for method in ("POST", "LIST", "OPTIONS", "TRACE", "QUERY", "FOO", "CONNECT")
    ],
    *[Row(f"{method} <task>/", 405, NO_METHOD, body={"value": 1}, answered=_KEY) for method in ("POST", "OPTIONS")],
    *[
        Row(f"{method} <task>", 405, NO_METHOD, body={"value": 1}, answered=_COLLECTION, seed={"k": 0})
        for method in ("GET", "PUT", "LIST", "PATCH", "OPTIONS")
    ],
    Row("get <task>/k", 405, NO_METHOD, answered=_KEY, needs_raw=True),
    Row("HEAD <task>", 405, answered={**_COLLECTION, "content-length": "32"}),
    Row("HEAD <task>/k", 200, seed={"k": "ä"}, answered={"content-length": "19", "content-type": "application/json"}),
    Row("HEAD <task>/zz", 404, answered={"content-type": "application/json"}),
    Row("HEAD <task>/", 422),
    Row("HEAD /execution/nope", 404),
    Row("GET <task>/", 422, refused(too_short("path.key"))),
    Row("PUT <task>/", 422, refused(too_short("path.key")), body={"value": 1}),
    Row("DELETE <task>/", 422, refused(too_short("path.key")), seed={"k": 1}),
    Row("GET <task>%2Fk", 200, {"value": 1}, seed={"k": 1}),
    Row("GET /%65xecution/st%6Fre/ti/<ti>/k", 200, {"value": 1}, seed={"k": 1}, needs_raw=True),
    Row("GET <task>/k?", 200, {"value": 1}, seed={"k": 1}),
    Row("GET <task>/value", 404, not_found("<label> 'value' not found")),
    Row("DELETE <task>", 204, seed={"k": 1, "a/b": 2}, leaves={}),
    Row("DELETE <task>", 204, leaves={}),
    Row("DELETE <task>?", 204, seed={"k": 1}, leaves={}),
    Row("DELETE <task>?x=1&x=%FF", 204, seed={"k": 1}, leaves={}),
    Row("DELETE /execution/store/ti/<ti>?all_map_indices=garbage", 204, seed={"k": 1}, leaves={}),
    *[
        Row(f"DELETE /execution/state/ti/<ti>?all_map_indices={text}", 204, seed={"k": 1}, leaves={})
        for text in ("true", "True", "1", "yes", "on", "t", "y", "false", "0", "no", "off", "f", "n")
    ],
    Row("DELETE /execution/state/ti/<ti>?all_map_indices=x&all_map_indices=1", 204, seed={"k": 1}, leaves={}),
    *[
        Row(
            f"DELETE /execution/state/ti/<ti>?all_map_indices={text}",
            422,
            refused(
                problem(
                    "bool_parsing",
                    "query.all_map_indices",
                    "Input should be a valid boolean, unable to interpret input",
                    text,
                )
            ),
            seed={"k": 1},
        )
        for text in ("", "maybe", "2", "null")
    ],
    Row("GET /health", 200, {"status": "ok"}, token=None, answered={"airflow-api-version": None}),
    Row("HEAD /health", 200, token=None, answered={"content-length": "16"}),
    Row("GET /ready", 200, {"status": "ready"}, token=None, answered={"cache-control": "no-store"}),
    Row("HEAD /ready", 200, token=None),
    Row("POST /health", 405, NO_METHOD, token=None, answered={"allow": "GET, HEAD"}),
    Row("DELETE /ready", 405, NO_METHOD, token=None, answered={"allow": "GET, HEAD"}),
    Row("GET /health/", 404, NO_ROUTE, token=None),
    Row("GET /execution/health", 404, NO_ROUTE, token=None),
]
