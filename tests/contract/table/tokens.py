"""Tokens: who gets in, who does not, and in which order that is said."""

from __future__ import annotations

from tests.contract.rows import (
    BAD_TOKEN,
    MISSING,
    NO_BODY,
    NO_TOKEN,
    NOT_OWN,
    OTHER,
    WATCHER,
    Credentials,
    Row,
    Token,
    detail,
    not_found,
    refused,
    too_short,
)

_WORKLOAD = detail("Token type 'workload' not allowed for this endpoint. Allowed types: execution")
_BEARER = {"www-authenticate": "Bearer", "refreshed-api-token": None}
_NIL = "00000000-0000-0000-0000-000000000000"

_NO_CREDENTIALS: list[Credentials] = [
    None,
    "",
    " ",
    "Bearer",
    "Bearer ",
    "Bearer  ",
    "Basic YTpi",
    "Token <own>",
    "<own>",
    "Bearer\t<own>",
    "Digest username=x",
]

_ACCEPTED: dict[str, Credentials] = {
    "bearer": "bearer <own>",
    "BEARER": "BEARER <own>",
    "two spaces": "Bearer  <own>",
    "no nbf": Token(drop=("nbf",)),
    "no jti": Token(drop=("jti",)),
    "no scope": Token(drop=("scope",)),
    "audiences": Token({"aud": ["other", "urn:airflow.apache.org:task"]}),
    "any issuer": Token({"iss": "somebody"}),
    "more claims": Token({"foo": {"bar": [1]}}),
    "subject in capitals": Token({"sub": "<TI>"}),
    "subject without dashes": Token({"sub": "<ti-hex>"}),
    "subject as URN": Token({"sub": "urn:uuid:<ti>"}),
    "subject in braces": Token({"sub": "{<ti>}"}),
    "expired within the leeway": Token({"exp": -5}),
    "not yet, within the leeway": Token({"nbf": 5}),
    "issued in the future, within the leeway": Token({"iat": 5}),
    "a kid that means nothing": Token(header={"kid": "not-used"}),
    "no kid": Token(),
}

_REFUSED: dict[str, Credentials] = {
    "garbage": "Bearer garbage",
    "three segments": "Bearer a.b.c",
    "two tokens": "Bearer <own> <own>",
    "with a comma": "Bearer <own>,",
    "cut off": "Bearer <own-cut>",
    "expired": Token({"exp": -11}),
    "expired long ago": Token({"exp": -10_000}),
    "no exp": Token(drop=("exp",)),
    "no iat": Token(drop=("iat",)),
    "no aud": Token(drop=("aud",)),
    "no sub": Token(drop=("sub",)),
    "another audience": Token({"aud": "apache-airflow"}),
    "no audience in the list": Token({"aud": []}),
    "audience of another type": Token({"aud": 1}),
    "not yet": Token({"nbf": 60}),
    "issued in the future": Token({"iat": 60}),
    "another key": Token(key="another secret, which is as long as it should be for this algorithm!!"),
    "another algorithm": Token(algorithm="HS256"),
    "no algorithm": Token(algorithm="none"),
    "subject that is no UUID": Token({"sub": "me"}),
    "empty subject": Token({"sub": ""}),
    "subject null": Token({"sub": None}),
    "subject a number": Token({"sub": 1}),
    "subject with spaces": Token({"sub": " <ti>"}),
    "subject cut off": Token({"sub": "1234"}),
    "unknown scope": Token({"scope": "foo"}),
    "empty scope": Token({"scope": ""}),
    "scope null": Token({"scope": None}),
    "scope a list": Token({"scope": ["execution"]}),
    "two scopes": Token({"scope": "execution workload"}),
}

_SPELLINGS = ["<TI>", "<ti-hex>", "urn:uuid:<ti>", "%7B<ti>%7D", "<ti-hex-upper>"]

_NO_IDS = ["not-a-uuid", "123", "%20", "<ti>x", "<ti>%20", "%FF", "%00", "a" * 32, "<other>", "<missing>", _NIL]

ROWS = [
    *[
        Row("GET <task>/k", 401, NO_TOKEN, token=token, answered=_BEARER, seed={"k": 1}, name=f"{token!r}")
        for token in _NO_CREDENTIALS
    ],
    *[
        Row("GET <task>/k", 200, {"value": 1}, token=token, seed={"k": 1}, name=name)
        for name, token in _ACCEPTED.items()
    ],
    *[
        Row(
            "GET <task>/k",
            403,
            BAD_TOKEN,
            token=token,
            answered={"refreshed-api-token": None, "www-authenticate": None},
            seed={"k": 1},
            name=name,
        )
        for name, token in _REFUSED.items()
    ],
    *[
        Row(request, 401, NO_TOKEN, body={"value": 2}, token=None, answered=_BEARER, seed={"k": 1}, asset_seed={"k": 1})
        for request in (
            "PUT <task>/k",
            "DELETE <task>/k",
            "DELETE <task>",
            "GET <tasks>/not-a-uuid/k",
            "GET <task>/",
            "GET /execution/store/asset/by-name/value",
            "PUT /execution/store/asset/by-name/value?name=<name>&key=k",
            "DELETE /execution/store/asset/by-uri/clear?uri=<name-uri%>",
            "GET /execution/state/asset/<name>/k",
        )
    ],
    *[
        Row(
            request, 403, NOT_OWN, body={"value": 2}, token=OTHER, answered={"refreshed-api-token": None}, seed={"k": 1}
        )
        for request in ("GET <task>/k", "PUT <task>/k", "DELETE <task>/k", "DELETE <task>", "GET <task>/")
    ],
    *[
        Row(f"{method} <tasks>/{text}{key}", 403, NOT_OWN, body={"value": 2}, seed={"k": 1})
        for text in _NO_IDS
        for method, key in (("GET", "/k"), ("PUT", "/k"), ("DELETE", ""))
    ],
    *[Row(f"GET <tasks>/{text}/k", 200, {"value": 1}, seed={"k": 1}) for text in _SPELLINGS],
    *[Row(f"DELETE <tasks>/{text}", 204, seed={"k": 1}, leaves={}) for text in _SPELLINGS],
    *[
        Row(request, 403, _WORKLOAD, token=Token({"scope": "workload"}), answered={"refreshed-api-token": None})
        for request in (
            "GET <task>/k",
            "GET <tasks>/<other>/k",
            "GET <tasks>/not-a-uuid/k",
            "DELETE <task>",
            "GET /execution/store/asset/by-name/value?name=<name>&key=k",
        )
    ],
    *[
        Row(f"{method} <tasks>/<missing>{key}", 404, not_found("Task instance <missing> not found"), token=MISSING)
        for method, key in (("GET", "/k"), ("DELETE", "/k"), ("DELETE", ""))
    ],
    Row("GET <tasks>/<missing>/", 422, refused(too_short("path.key")), token=MISSING),
    *[
        Row(request, 403, NOT_OWN, body={"value": 1}, token=WATCHER)
        for request in ("GET <task>/k", f"GET <tasks>/{_NIL}/k", f"PUT <tasks>/{_NIL}/k", f"DELETE <tasks>/{_NIL}")
    ],
    Row("HEAD <task>/k", 401, token=None, answered=_BEARER),
    # Routes are told apart before anybody is asked for a token.
    Row("GET /execution/nope", 404, detail("Not Found"), token=None),
    Row("POST <task>/k", 405, detail("Method Not Allowed"), token=None),
    Row("POST <task>/k", 405, detail("Method Not Allowed"), token="Bearer garbage"),
    # A token is renewed when less than max(20 % of its life, 30 s) is left.
    *[
        Row(
            request,
            status,
            body=body,
            token=Token({"iat": -570, "exp": 29}),
            answered={"refreshed-api-token": "<renewed>"},
            seed={"k": 1},
            leaves=leaves,
            answer=answer,
        )
        for request, status, body, leaves, answer in (
            ("GET <task>/k", 200, {}, None, {"value": 1}),
            ("PUT <task>/k", 204, {"value": 2}, {"k": 2}, NO_BODY),
            ("DELETE <task>", 204, {}, {}, NO_BODY),
            ("GET <task>/zz", 404, {}, None, not_found("<label> 'zz' not found")),
            ("GET /execution/nope", 404, {}, None, detail("Not Found")),
            ("POST <task>/k", 405, {}, None, detail("Method Not Allowed")),
            ("GET <task>/", 422, {}, None, refused(too_short("path.key"))),
            ("PUT <task>/k", 400, b"\xff", None, detail("There was an error parsing the body")),
        )
    ],
    Row(
        "GET <task>/k",
        200,
        {"value": 1},
        token=Token({"iat": -800, "exp": 199}),
        answered={"refreshed-api-token": "<renewed>"},
        seed={"k": 1},
    ),
    Row(
        "GET <task>/k",
        200,
        {"value": 1},
        token=Token({"iat": -800, "exp": 201}),
        answered={"refreshed-api-token": None},
        seed={"k": 1},
    ),
    Row(
        "GET <task>/k",
        200,
        {"value": 1},
        token=Token({"exp": 31}),
        answered={"refreshed-api-token": None},
        seed={"k": 1},
    ),
    Row(
        "GET <task>/k",
        403,
        NOT_OWN,
        token=Token({"sub": "<other>", "exp": 5}),
        answered={"refreshed-api-token": None},
    ),
]
