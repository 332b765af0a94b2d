"""Tokens of the public API: permissions, the limits in claims, and the order in which refusals are told."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    BAD_USER_TOKEN,
    EXPIRED,
    FORBIDDEN,
    NO_BODY,
    NOT_AUTHENTICATED,
    NULL,
    UNREADABLE,
    USER,
    Credentials,
    Row,
    Token,
    asset_entry,
    asset_page,
    bad_json,
    detail,
    entry,
    no_integer,
    no_task_instance,
    page,
    refused,
    too_short,
    user,
)


def _with(*permissions: str, **claims: Any) -> Token:
    return Token({**USER.changes, "scope": " ".join(permissions), **claims})


def _limited(**claims: Any) -> Token:
    return Token({**USER.changes, **claims})


def _user(drop: tuple[str, ...] = (), **changes: Any) -> Token:
    claims = {**USER.changes, **changes}
    return Token({name: value for name, value in claims.items() if name not in drop}, drop)


_BEARER = {"www-authenticate": "Bearer", "refreshed-api-token": None}

_NO_CREDENTIALS: list[Credentials] = [
    None,
    "",
    " ",
    "Bearer",
    "Bearer ",
    "Basic YTpi",
    "Token x.y.z",
    "x.y.z",
    "Digest username=x",
]

_ACCEPTED: dict[str, Token] = {
    "no nbf": _user(("nbf",)),
    "no iat": _user(("iat",)),
    "no jti": _user(("jti",)),
    "audiences": _user(aud=["other", "apache-airflow"]),
    "any issuer": _user(iss="somebody"),
    "expired within the leeway": _user(exp=-5),
    "not yet, within the leeway": _user(nbf=5),
    "a subject with spaces": _user(sub="Ann Author"),
    "a subject with an umlaut": _user(sub="änn"),
    "more permissions than there are": _user(scope="state:read foo openid"),
    "a permission twice": _user(scope="state:read  state:read"),
}

_REFUSED: dict[str, Credentials] = {
    "garbage": "Bearer garbage",
    "three segments": "Bearer a.b.c",
    "a worker's token": "Bearer <own>",
    "no exp": _user(("exp",)),
    "no aud": _user(("aud",)),
    "no sub": _user(("sub",)),
    "another audience": _user(aud="other"),
    "audience of another type": _user(aud=1),
    "not yet": _user(nbf=60),
    "issued in the future": _user(iat=60),
    "another key": Token(USER.changes, key="another secret, which is as long as it should be for this algorithm!!"),
    "another algorithm": Token(USER.changes, algorithm="HS256"),
    "no algorithm": Token(USER.changes, algorithm="none"),
    "empty subject": _user(sub=""),
    "subject null": _user(sub=None),
    "subject a number": _user(sub=1),
    "subject with a newline": _user(sub="a\nb"),
    "scope a list": _user(scope=["state:read"]),
    "scope null": _user(scope=None),
}

_READS = ["GET <state>", "GET <state>/k", "HEAD <state>", "GET <asset>", "GET <asset>/k", "HEAD <asset>/k"]
_WRITES = ["PUT <state>/k", "PATCH <state>/k", "PUT <asset>/k", "PATCH <asset>/k"]
_DELETES = ["DELETE <state>/k", "DELETE <state>", "DELETE <asset>/k", "DELETE <asset>"]
_OTHERS: list[tuple[list[str], str]] = [
    (_READS, "state:write state:delete directory:read directory:write"),
    (_WRITES, "state:read state:delete directory:read directory:write"),
    (_DELETES, "state:read state:write directory:read directory:write"),
]
_BODY = {"value": 2}
_SEEDS: dict[str, Any] = {"seed": {"k": 1}, "asset_seed": {"k": 1}}


def _refusal(request: str) -> Any:
    return NO_BODY if request.startswith("HEAD") else FORBIDDEN


_GLOBS_THAT_MATCH: list[Any] = [["*"], ["dag"], ["d*"], ["x", "da?"], ["[a-e]ag"], ["*g"], ["***"]]
_GLOBS_THAT_DO_NOT: list[Any] = [
    [],
    ["DAG"],
    ["Dag*"],
    ["da"],
    ["dag?"],
    ["ag"],
    ["[!d]ag"],
    "dag",
    "*",
    None,
    {"dag": True},
    [["dag"]],
    [1, None],
]
_ASSET_GLOBS_THAT_MATCH: list[Any] = [["*"], ["<name>"], ["asset*"], ["s3://bucket/asset*"], ["x", "<name-uri>"]]
_ASSET_GLOBS_THAT_DO_NOT: list[Any] = [[], ["ASSET*"], ["inlet*"], ["s3://other/*"], ["<name-id>"], "<name>", None, [7]]

ROWS: list[Row] = [
    *[
        user("GET <state>", 401, NOT_AUTHENTICATED, token=token, answered=_BEARER, seed={"k": 1}, name=f"{token!r}")
        for token in _NO_CREDENTIALS
    ],
    *[user("GET <state>", 200, page(), token=token, name=name) for name, token in _ACCEPTED.items()],
    *[
        user("GET <state>", 403, BAD_USER_TOKEN, token=token, answered={"www-authenticate": None}, name=name)
        for name, token in _REFUSED.items()
    ],
    *[
        user(
            request,
            401,
            NO_BODY if request.startswith("HEAD") else EXPIRED,
            body=_BODY,
            token=_user(exp=-11),
            answered={"www-authenticate": 'Bearer error="invalid_token"', "refreshed-api-token": None},
            **_SEEDS,
        )
        for request in ("GET <state>", "HEAD <state>", "PUT <state>/k", "DELETE <asset>", "GET <assets>/abc/<segment>")
    ],
    *[
        user(request, 403, _refusal(request), body=_BODY, token=_with(scope), **_SEEDS)
        for requests, scope in _OTHERS
        for request in requests
    ],
    *[
        user(request, 403, _refusal(request), body=_BODY, token=token, **_SEEDS)
        for request in (_READS[0], _WRITES[2], _DELETES[1])
        for token in (_user(("scope",)), _with(), _with("State:Read"), _with("state"), _with("state:*"), _with("*"))
    ],
    user("GET <state>/k", 200, entry("k", 1), token=_with("state:read"), seed={"k": 1}),
    user("HEAD <asset>", 200, token=_with("state:read")),
    user("PUT <state>/k", 204, body=_BODY, token=_with("state:write"), leaves={"k": 2}),
    user("PATCH <state>/k", 200, None, body=_BODY, token=_with("state:write"), seed={"k": 1}, leaves={"k": 2}),
    user("DELETE <state>", 204, token=_with("state:delete"), seed={"k": 1}, leaves={}),
    user("DELETE <asset>/k", 204, token=_with("state:delete"), asset_seed={"k": 1}, asset_leaves={}),
    # A caller without permission is not told what exists, nor what is wrong with the request.
    *[
        user(request, 403, FORBIDDEN, body=body, token=_with("directory:read"), seed={"k": 1})
        for request, body in (
            ("GET <states>/nope/<segment>/k", ""),
            ("PUT <states>/nope/<segment>/k", {"value": 1}),
            ("PUT <state>/k?map_index=x", {"value": 1}),
            ("PUT <state>/k", {"value": None}),
            ("PUT <state>/k", "{"),
            ("PUT <state>/k", b"\xff"),
            ("PUT <state>/", {"value": 1}),
            ("GET <state>?limit=x", ""),
            ("GET <assets>/<unknown-id>/<segment>", ""),
            ("GET <assets>/abc/<segment>", ""),
            ("PUT <assets>/abc/<segment>/k", "{"),
            ("DELETE <assets>/<unknown-id>/<segment>", ""),
        )
    ],
    *[
        user(request, 401, NOT_AUTHENTICATED, body=body, token=None, answered=_BEARER, seed={"k": 1})
        for request, body in (
            ("PUT <state>/k", "{"),
            ("PUT <state>/k", b"\xff"),
            ("PUT <state>/k", {"value": None}),
            ("GET <state>?map_index=x", ""),
            ("GET <assets>/<unknown-id>/<segment>", ""),
            ("GET <assets>/abc/<segment>", ""),
        )
    ],
    # With permission: a body that is no JSON, then the path and the query, then existence, then the body's fields.
    user("PUT <states>/nope/<segment>/k?map_index=x", 422, refused(bad_json("{")), body="{"),
    user("PUT <states>/nope/<segment>/", 400, UNREADABLE, body=b"\xff"),
    user(
        "PUT <states>/nope/<segment>/k?map_index=x",
        422,
        refused(no_integer("query.map_index", "x"), NULL),
        body={"value": None},
    ),
    user("PUT <states>/nope/<segment>/k", 404, no_task_instance("nope"), body={"value": None}),
    user("PUT <state>/k", 422, refused(NULL), body={"value": None}, seed={"k": 1}),
    # Globs in claims.
    *[user("GET <state>", 200, page(), token=_limited(dags=globs)) for globs in _GLOBS_THAT_MATCH],
    *[user("GET <state>", 403, FORBIDDEN, token=_limited(dags=globs)) for globs in _GLOBS_THAT_DO_NOT],
    *[
        user(request, 403, _refusal(request), body=_BODY, token=_limited(dags=["other*"]), seed={"k": 1})
        for request in [*_READS, *_WRITES, *_DELETES]
        if "<state>" in request
    ],
    *[
        user(request, 403, FORBIDDEN, body=body, token=_limited(dags=["other*"]), seed={"k": 1})
        for request, body in (
            ("PUT <states>/nope/<segment>/k", {"value": 1}),
            ("PUT <state>/k", "{"),
            ("PUT <state>/", {"value": None}),
            ("GET /api/v2/dags/%00/dagRuns/r/taskInstances/t/<segment>", ""),
            ("GET /api/v2/dags/%FF/dagRuns/r/taskInstances/t/<segment>", ""),
            ("DELETE <state>?all_map_indices=true", ""),
        )
    ],
    user("PUT <state>/k", 204, body=_BODY, token=_limited(dags=["dag"]), leaves={"k": 2}),
    user("GET <asset>", 200, asset_page(), token=_limited(dags=[])),
    user("GET <state>", 200, page(), token=_limited(assets=[])),
    user("GET <state>", 403, FORBIDDEN, token=_with("state:write", dags=["dag"])),
    *[
        user("GET <asset>/k", 200, asset_entry("k", 1), token=_limited(assets=globs), asset_seed={"k": 1})
        for globs in _ASSET_GLOBS_THAT_MATCH
    ],
    *[
        user("GET <asset>/k", 403, FORBIDDEN, token=_limited(assets=globs), asset_seed={"k": 1})
        for globs in _ASSET_GLOBS_THAT_DO_NOT
    ],
    *[
        user(request, 403, _refusal(request), body=_BODY, token=_limited(assets=["other*"]), asset_seed={"k": 1})
        for request in [*_READS, *_WRITES, *_DELETES]
        if "<asset>" in request
    ],
    *[
        user(f"{method} <assets>/{which}/<segment>{key}", 403, FORBIDDEN, body=body, token=_limited(assets=["*"]))
        for which in ("<unknown-id>", "abc", "0", "99999999999999999999")
        for method, key, body in (("GET", "", ""), ("PUT", "/k", {"value": 1}), ("PUT", "/", "{"), ("DELETE", "", ""))
    ],
    user("PUT <asset>/", 422, refused(too_short("path.key")), body=_BODY, token=_limited(assets=["asset*"])),
    user("GET <assets>/<gone-id>/<segment>", 200, asset_page(), token=_limited(assets=["gone*"])),
    user(
        "GET <assets>/<unknown-id>/<segment>",
        404,
        detail("Asset with id <unknown-id> not found"),
        token=_limited(dags=["x"]),
    ),
]
