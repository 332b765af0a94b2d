"""``expires_at`` of a task's key. The clock of these tests stands at noon on 2026-11-20, UTC."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import TEXT, Row, bad_value, problem, refused

IN_THE_FUTURE: list[Any] = [
    None,
    "2026-11-20T12:00:01Z",
    "2026-11-20T12:00:00.000001Z",
    "2030-01-01T00:00:00Z",
    "2030-01-01T00:00:00+02:00",
    "2030-01-01 00:00:00+0200",
    "2030-01-01t00:00:00z",
    "2030-01-01_00:00:00Z",
    "2030-01-01T00:00Z",
    "2030-01-01T00:00:00.1234567Z",
    "2030-01-01T00:00:00.123456789Z",
    "2030-01-01T00:00:00,5Z",
    "2026-11-20T14:00:01+02:00",
    "2026-11-20T00:00:01-12:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999Z",
    1900000000,
    1900000000.5,
    1900000000000,
    "1900000000",
    "1900000000.25",
    "+1900000000",
    20000000000,
    253402300799000,
]

IN_THE_PAST: list[Any] = [
    "2026-11-20T12:00:00Z",
    "2026-11-20T11:59:59.999999Z",
    "2026-11-20T13:59:59+02:00",
    "2000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    0,
    -1,
    -0.5,
    1,
]

UNPARSED = [
    "default",
    "never",
    "garbage",
    "",
    " ",
    "P1D",
    "2030-13-01T00:00:00Z",
    "2030-02-30T00:00:00Z",
    "2030-01-01T25:00:00Z",
    "2030-01-01T24:00:00Z",
    "2030-01-01T00:00:60Z",
    "2030-01-01T00:00:00+24:00",
    "2030-01-01T00:00:00 Z",
    "2030-01-01T00:00:00Z ",
    " 2030-01-01T00:00:00Z",
    "2030-01-01T00:00:00ZZ",
    "2030-01-01T00:00:00+2",
    "2030-1-1T00:00:00Z",
    "20300101T000000Z",
    "10000-01-01T00:00:00Z",
    "-001-01-01T00:00:00Z",
    "２030-01-01T00:00:00Z",
    "1_900_000_000",
    "0x10",
    "inf",
    "nan",
    "\0",
]

NAIVE = ["2030-01-01T00:00:00", "2030-01-01", "2030-01-01T00:00:00.5", "0001-01-01"]

OUT_OF_RANGE = ["0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00.000000+00:01", "9999-12-31T23:59:59-01:00"]

OF_ANOTHER_TYPE: list[Any] = [True, False, [], {}, ["2030-01-01T00:00:00Z"], {"at": 1}]

BEYOND = ["253402300800000", "1e20", "99999999999999999999", "-1e300"]

NOT_SHOWN = ["NaN", "Infinity", "-Infinity", "1e400"]


def _put(expires_at: Any) -> dict[str, Any]:
    return {"value": 1, "expires_at": expires_at}


def _refusal(kind: str, given: Any) -> dict[str, Any]:
    return refused({**problem(kind, "body.expires_at", TEXT, given), "ctx": {"error": TEXT}})


ROWS = [
    *[Row("PUT <task>/k", 204, body=_put(at), seed={"k": 0}, leaves={"k": 1}) for at in IN_THE_FUTURE],
    *[Row("PUT <task>/k", 204, body=_put(at), seed={"k": 0}, leaves={}) for at in IN_THE_PAST],
    *[
        Row("PUT <task>/k", 422, _refusal("datetime_from_date_parsing", at), body=_put(at), seed={"k": 0})
        for at in UNPARSED
    ],
    *[
        Row(
            "PUT <task>/k",
            422,
            refused(problem("timezone_aware", "body.expires_at", "Input should have timezone info", at)),
            body=_put(at),
            seed={"k": 0},
        )
        for at in NAIVE
    ],
    *[
        Row(
            "PUT <task>/k",
            422,
            refused(bad_value("the time is out of range once in UTC: years 1 to 9999", at, "body.expires_at")),
            body=_put(at),
            seed={"k": 0},
        )
        for at in OUT_OF_RANGE
    ],
    *[
        Row(
            "PUT <task>/k",
            422,
            refused(problem("datetime_type", "body.expires_at", "Input should be a valid datetime", at)),
            body=_put(at),
            seed={"k": 0},
        )
        for at in OF_ANOTHER_TYPE
    ],
    *[
        Row("PUT <task>/k", 422, _refusal("datetime_parsing", TEXT), body=f'{{"value": 1, "expires_at": {text}}}')
        for text in BEYOND
    ],
    *[
        Row(
            "PUT <task>/k",
            422,
            refused({**problem("datetime_parsing", "body.expires_at", TEXT), "ctx": {"error": TEXT}}),
            body=f'{{"value": 1, "expires_at": {text}}}',
        )
        for text in NOT_SHOWN
    ],
    Row("PUT <task>/k", 422, _refusal("datetime_parsing", "0000-01-01T00:00:00Z"), body=_put("0000-01-01T00:00:00Z")),
    Row("PUT <task>/k", 422, body=r'{"value": 1, "expires_at": "\ud800"}', answer=TEXT, seed={"k": 0}),
    Row("PUT <task>/k", 422, body='{"value": 1, "expires_at": ' + "9" * 4000 + "}", answer=TEXT, seed={"k": 0}),
]
