"""Conditions: what is answered when they hold, when they do not, and when they cannot be read."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    NO_TOKEN,
    NOT_AUTHENTICATED,
    NOT_OWN,
    NULL,
    OTHER,
    OWN,
    TEXT,
    USER,
    Expiring,
    Row,
    detail,
    not_found,
    page,
    problem,
    refused,
    user,
)
from tests.contract.rows import asset_entry as of_asset
from tests.contract.rows import asset_page as assets_page
from tests.contract.rows import entry as of_task

_FAILED = detail({"reason": "precondition_failed", "message": TEXT})
_PUBLIC_FAILED = detail(TEXT)
_BODY: dict[str, Any] = {"value": 2}
_ANY = {"etag": TEXT}
_NONE = {"etag": None}
_ASSETS = "/execution/store/asset"

_MATCHES_NOTHING = [
    {"if-match": '"1"'},
    {"if-match": '"1", "2",, "not-ours"'},
    {"if-match": 'W/"1"'},
    {"if-match": '""'},
    {"if-match": ""},
    {"if-match": '"007"'},
    {"if-match": f'"{"9" * 5000}"'},
    {"if-match": ", ".join(f'"{number}"' for number in range(5000))},
    {"if-match": '"a,b"'},
    {"if-none-match": "*"},
    {"if-match": "*", "if-none-match": "*"},
]

_MATCHES = [
    {"if-match": "*"},
    {"if-match": " * "},
    {"if-none-match": '"1"'},
    {"if-none-match": '"1", W/"2",'},
    {"if-none-match": '"not-ours"'},
    {"if-none-match": ""},
    {"if-match": "*", "if-none-match": '"1"'},
    {"if-unmodified-since": "Sat, 01 Jan 2000 00:00:00 GMT"},
]

_MALFORMED = [
    "1",
    '"1',
    '1"',
    'w/"1"',
    '"1" "2"',
    '"1";q=1',
    '*, "1"',
    '"1", *',
    "* *",
    '"a b"',
    '"1", x',
    'W/ "1"',
    "'1'",
]

_UNREADABLE = {
    name: detail(f'{name} must be * or a list of entity tags such as "17"') for name in ("If-Match", "If-None-Match")
}


def _everywhere(sent: dict[str, str], status: int, answer: Any, public: Any, **others: Any) -> list[Row]:
    """Return a row for each way to set a key that exists."""
    common: dict[str, Any] = {"body": _BODY, "sent": sent, **others}
    after = {"k": 2} if status < 300 else None
    of_task = {"seed": {"k": 1}, "leaves": after, **common}
    of_asset = {"asset_seed": {"k": 1}, "asset_leaves": after, **common}
    return [
        Row("PUT <task>/k", status, answer, **of_task),
        Row(f"PUT {_ASSETS}/by-name/value?name=<name%>&key=k", status, answer, **of_asset),
        Row(f"PUT {_ASSETS}/by-uri/value?uri=<name-uri%>&key=k", status, answer, **of_asset),
        Row("PUT /execution/state/asset/<name%>/k", status, answer, **of_asset),
        user("PUT <state>/k", status, public, **of_task),
        user("PUT <asset>/k", status, public, **of_asset),
    ]


ROWS = [
    *[
        row
        for sent in _MATCHES_NOTHING
        for row in _everywhere(sent, 412, _FAILED, _PUBLIC_FAILED, answered=_ANY, needs_raw=True)
    ],
    *[
        row
        for sent in _MATCHES
        for row in [
            Row(
                "PUT <task>/k",
                204,
                body=_BODY,
                sent=sent,
                answered=_ANY,
                seed={"k": 1},
                leaves={"k": 2},
                needs_raw=True,
            ),
            Row("DELETE <task>/k", 204, sent=sent, answered=_NONE, seed={"k": 1}, leaves={}, needs_raw=True),
            Row("DELETE <task>", 204, sent=sent, answered=_NONE, seed={"k": 1}, leaves={}, needs_raw=True),
            user(
                "PUT <asset>/k", 204, body=_BODY, sent=sent, asset_seed={"k": 1}, asset_leaves={"k": 2}, needs_raw=True
            ),
            user("DELETE <asset>", 204, sent=sent, asset_seed={"k": 1}, asset_leaves={}, needs_raw=True),
        ]
    ],
    *[
        row
        for text in _MALFORMED
        for name in ("If-Match", "If-None-Match")
        for row in [
            Row("GET <task>/k", 400, _UNREADABLE[name], sent={name.lower(): text}, seed={"k": 1}, needs_raw=True),
            Row(
                "PUT <task>/k",
                400,
                _UNREADABLE[name],
                body=_BODY,
                sent={name.lower(): text},
                seed={"k": 1},
                needs_raw=True,
            ),
            user(
                "DELETE <asset>", 400, _UNREADABLE[name], sent={name.lower(): text}, asset_seed={"k": 1}, needs_raw=True
            ),
        ]
    ],
    *[
        row
        for method in ("GET", "HEAD")
        for row in [
            Row(
                f"{method} <task>/k",
                304,
                sent={"if-none-match": "*"},
                seed={"k": 1},
                answered={**_ANY, "content-type": None},
            ),
            user(
                f"{method} <asset>/k",
                304,
                sent={"if-none-match": "*"},
                asset_seed={"k": 1},
                answered={**_ANY, "content-type": None, "content-length": None},
            ),
        ]
    ],
    Row("GET <task>/k", 200, {"value": 1}, sent={"if-none-match": '"1"'}, seed={"k": 1}, answered=_ANY),
    Row("GET <task>/k", 412, _FAILED, sent={"if-match": '"1"'}, seed={"k": 1}, answered=_ANY),
    Row("GET <task>/k", 404, not_found("<label> 'k' not found"), sent={"if-none-match": "*"}, answered=_NONE),
    Row("GET <task>/k", 404, not_found("<label> 'k' not found"), sent={"if-match": "*"}, answered=_NONE),
    # create-only: an expired entry is not there
    Row("PUT <task>/k", 204, body=_BODY, sent={"if-none-match": "*"}, leaves={"k": 2}, answered=_ANY),
    Row(
        "PUT <task>/k",
        204,
        body=_BODY,
        sent={"if-none-match": "*"},
        seed={"k": Expiring(1, -1)},
        leaves={"k": 2},
        answered=_ANY,
    ),
    Row("PUT <task>/k", 412, _FAILED, body=_BODY, sent={"if-match": "*"}, seed={"k": Expiring(1, -1)}, answered=_NONE),
    Row(
        "PUT <task>/k", 412, _FAILED, body=_BODY, sent={"if-none-match": "*"}, seed={"k": Expiring(1, 1)}, answered=_ANY
    ),
    Row("PUT <task>/k", 412, _FAILED, body=_BODY, sent={"if-match": '"1"'}, answered=_NONE),
    Row("DELETE <task>/k", 412, _FAILED, sent={"if-match": "*"}, answered=_NONE),
    Row("DELETE <task>/k", 412, _FAILED, sent={"if-match": '"1"'}, seed={"k": 1}, answered=_ANY),
    Row("DELETE <task>/k", 204, sent={"if-none-match": "*"}),
    user("DELETE <state>/k", 412, _PUBLIC_FAILED, sent={"if-match": "*"}, answered=_NONE),
    user("DELETE <asset>/k", 412, _PUBLIC_FAILED, sent={"if-none-match": "*"}, asset_seed={"k": 1}, answered=_ANY),
    # a patch is of what is there
    *[
        user(f"PATCH {path}/k", 404, detail(f"{label} 'k' not found"), body=_BODY, sent=sent, answered=_NONE)
        for sent in ({"if-match": '"1"'}, {"if-match": "*"}, {"if-none-match": "*"}, {"if-none-match": '"1"'})
        for path, label in (("<state>", "<label>"), ("<asset>", "<asset-label>"))
    ],
    *[
        user("PATCH <state>/k", 412, _PUBLIC_FAILED, body=_BODY, sent=sent, seed={"k": 1}, answered=_ANY)
        for sent in ({"if-match": '"1"'}, {"if-none-match": "*"}, {"if-match": "*", "if-none-match": "*"})
    ],
    user(
        "PATCH <state>/k", 200, None, body=_BODY, sent={"if-match": "*"}, seed={"k": 1}, leaves={"k": 2}, answered=_ANY
    ),
    # a clear is of a whole scope, which is always there
    Row("DELETE <task>", 412, _FAILED, sent={"if-none-match": "*"}, answered=_ANY),
    Row("DELETE <task>", 412, _FAILED, sent={"if-match": '"1"'}, seed={"k": 1}, answered=_ANY),
    Row("DELETE <task>", 204, sent={"if-match": "*"}),
    Row("DELETE /execution/state/asset/<name%>", 412, _FAILED, sent={"if-match": '"1"'}, asset_seed={"k": 1}),
    Row(f"DELETE {_ASSETS}/by-name/clear?name=<name%>", 412, _FAILED, sent={"if-match": '"1"'}, asset_seed={"k": 1}),
    Row(f"DELETE {_ASSETS}/by-uri/clear?uri=<name-uri%>", 412, _FAILED, sent={"if-match": '"1"'}, asset_seed={"k": 1}),
    user("DELETE <state>", 412, _PUBLIC_FAILED, sent={"if-match": '"1"'}, seed={"k": 1}, answered=_ANY),
    user("DELETE <asset>", 412, _PUBLIC_FAILED, sent={"if-match": '"1"'}, asset_seed={"k": 1}, answered=_ANY),
    *[
        Row(
            f"DELETE {path}?all_map_indices=true",
            422,
            refused(
                problem(
                    "value_error",
                    "query.all_map_indices",
                    "Value error, a condition is on one map index",
                    "true",
                    error={},
                )
            ),
            sent={"if-match": "*"},
            seed={"k": 1},
            token=token,
            version=version,
        )
        for path, token, version in (("<task>", OWN, 1), ("<state>", USER, None))
    ],
    # what is refused anyhow is refused with the same words
    Row("PUT <task>/k", 401, NO_TOKEN, body=_BODY, sent={"if-match": "x"}, token=None),
    user("PUT <state>/k", 401, NOT_AUTHENTICATED, body=_BODY, sent={"if-match": "x"}, token=None),
    Row("PUT <task>/k", 403, NOT_OWN, body=_BODY, sent={"if-match": "x"}, token=OTHER),
    Row("PUT <task>/k", 422, refused(NULL), body={"value": None}, sent={"if-match": '"1"'}, seed={"k": 1}),
    user("PUT <state>/k", 422, refused(NULL), body={"value": None}, sent={"if-match": '"1"'}, seed={"k": 1}),
    Row(
        "PUT /execution/store/asset/by-name/value?name=<unknown>&key=k",
        404,
        not_found("Asset with name=<unknown!r> not found"),
        body=_BODY,
        sent={"if-match": '"1"'},
    ),
    *[
        Row(
            "PUT <task>/k",
            status,
            {"type": f"urn:statemount:problem:{name}", "title": title, "status": status, "detail": TEXT},
            body=_BODY,
            sent={"if-match": text, "accept": "application/problem+json"},
            seed={"k": 1},
            answered={"content-type": "application/problem+json"},
        )
        for status, name, title, text in (
            (412, "precondition-failed", "It is not as the condition has it; nothing was changed", '"1"'),
            (400, "malformed-condition", "A condition is no list of entity tags", "1"),
        )
    ],
    # lists
    user("GET <state>", 200, page(of_task("k", 1)), seed={"k": 1}, answered=_NONE),
    user("GET <state>", 200, page(of_task("k", 1)), seed={"k": 1}, sent={"if-match": '"1"', "if-none-match": "*"}),
    user(
        "GET <state>?include=revision", 200, page({**of_task("k", 1), "revision": TEXT}), seed={"k": 1}, answered=_ANY
    ),
    user("GET <state>?include=revision&limit=0", 200, page(total=1), seed={"k": 1}, answered=_ANY),
    user("GET <state>?include=revision", 412, _PUBLIC_FAILED, seed={"k": 1}, sent={"if-match": '"1"'}, answered=_ANY),
    user(
        "GET <asset>?include=revision",
        200,
        assets_page({**of_asset("k", 1), "revision": TEXT}),
        asset_seed={"k": 1},
        answered=_ANY,
    ),
    user(
        "GET <asset>?include=revision",
        304,
        sent={"if-none-match": "*"},
        asset_seed={"k": 1},
        answered={**_ANY, "content-type": None},
    ),
    user(
        "GET <asset>?include=all",
        422,
        refused(problem("literal_error", "query.include", "Input should be 'revision'", "all", expected="'revision'")),
    ),
]
