"""What an update makes of a value, next to the plainest way to work it out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemount.json_times import moment_of
from statemount.model import Entry
from statemount.operations import Check, Condition, Get, Increment, Maximum, Merge, Minimum, Operation, Outcome, Set
from statemount.store.apply import ScopeState, apply
from statemount.store.options import StoreOptions
from statemount.store.updates import merge_patch
from tests.clock import START
from tests.store.reference import merged

NOT_FINITE = "value contains non-finite numbers; NaN and Inf are not JSON representable"
NO_TIME = "no ISO 8601 date and time with an offset"

names = st.sampled_from(["a", "b", "c", "\u00e9"])
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=12,
)
values = documents.filter(lambda value: value is not None)
numbers = st.one_of(
    st.integers(-(10**20), 10**20), st.floats(-1e300, 1e300, allow_nan=False), st.sampled_from([0, -0.0, 2**53, 1e22])
)
times = st.datetimes(
    min_value=datetime(1, 1, 1),
    max_value=datetime(9999, 12, 31),
    timezones=st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


class Key:
    """One key that is written through :func:`apply` alone."""

    def __init__(self, value: str | None = None) -> None:
        self.entry: Entry | None = None
        if value is not None:
            self.do(Set("k", value))

    def do(self, *operations: Operation) -> Outcome:
        """Apply operations, and take over what they write."""
        state = ScopeState(START, START, int(self.entry is not None), 0, known={"k": self.entry})
        applied = apply(state, operations, writer=None, now=START, options=StoreOptions())
        self.entry = applied.written.get("k", self.entry)
        return applied.outcome

    @property
    def value(self) -> Any:
        """What the key holds; ``...`` where it is absent."""
        return ... if self.entry is None else self.entry.load()


@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_cases_of_the_rfc(original: Any, patch: Any, result: Any) -> None:
    """Every case of RFC 7396, Appendix A; a null, which is not stored, is a failure."""
    key = Key(json.dumps(original))
    (outcome,) = key.do(Merge("k", json.dumps(patch))).results
    if result is None:
        assert (outcome.status, outcome.reason, key.value) == ("failed", "value cannot be null", original)
    else:
        assert (outcome.status, outcome.entry, key.value) == ("changed", key.entry, result)
    assert merge_patch(json.loads(json.dumps(original)), patch) == result


@given(st.one_of(st.just(...), values), st.lists(documents, min_size=1, max_size=4))
def test_a_merge_does_what_the_reference_does(value: Any, patches: list[Any]) -> None:
    """Patches one after the other, on any value or none, come out as the reference says."""
    key = Key(None if value is ... else json.dumps(value))
    for patch in patches:
        done = key.do(Merge("k", json.dumps(patch)))
        if patch is not None:
            value = merged(value, patch)
        assert done.applied is (patch is not None)
        assert key.value == value
        assert value is ... or (key.entry is not None and key.entry.value == json.dumps(key.value))


def test_a_merge_keeps_the_order_of_names() -> None:
    """Names that are there stay where they are, new ones come last, as a dictionary's do."""
    key = Key('{"b": 1, "a": {"d": 1, "c": 2}, "z": 3}')
    key.do(Merge("k", '{"y": 1, "a": {"c": 3, "d": null, "e": {"f": null}}, "b": 2}'))
    assert key.entry is not None
    assert key.entry.value == '{"b": 2, "a": {"c": 3, "e": {}}, "z": 3, "y": 1}'


@given(st.lists(st.integers(-(10**25), 10**25), min_size=1))
def test_increments_of_integers_add_up(amounts: list[int]) -> None:
    """Integers add up exactly, one by one or in one batch, from 0 on."""
    key, batch = Key(), Key()
    for amount in amounts:
        key.do(Increment("k", amount))
    outcome = batch.do(*(Increment("k", amount) for amount in amounts))
    assert key.value == batch.value == sum(amounts)
    assert type(key.value) is int
    assert [result.entry.load() for result in outcome.results if result.entry is not None] == [
        sum(amounts[: index + 1]) for index in range(len(amounts))
    ]
    assert all(after.revision == before.revision + 1 for before, after in pairwise(outcome.results))


@given(numbers, numbers)
def test_an_increment_is_the_sum_of_python(before: float, by: float) -> None:
    """Where a float is part of it, the sum is the float that Python computes."""
    key = Key(json.dumps(before))
    key.do(Increment("k", by))
    assert (key.value, type(key.value)) == (before + by, type(before + by))


@given(st.lists(numbers, min_size=1), st.randoms(use_true_random=False))
def test_a_bound_is_the_same_in_any_order(amounts: list[float], random: Any) -> None:
    """Maximum and minimum are Python's, whatever comes first, and however often."""
    shuffled = amounts * 2
    random.shuffle(shuffled)
    for bound, expected in ((Maximum, max(amounts)), (Minimum, min(amounts))):
        key = Key()
        for amount in shuffled:
            key.do(bound("k", amount))
        assert key.value == expected
        entry = key.entry
        again = key.do(*(bound("k", amount) for amount in amounts))
        assert {(result.status, result.entry) for result in again.results} == {("unchanged", entry)}
        assert entry is not None
        assert again.revision == START  # as it was


@given(st.lists(times, min_size=1), st.randoms(use_true_random=False))
def test_a_watermark_is_the_latest_time(moments: Sequence[datetime], random: Any) -> None:
    """Times compare as moments, whatever their offsets, and the text that was given is stored."""
    shuffled = [*moments, *moments]
    random.shuffle(shuffled)
    for bound, expected in ((Maximum, max(moments)), (Minimum, min(moments))):
        key = Key()
        for moment in shuffled:
            key.do(bound("k", moment.isoformat()))
        assert key.value in {moment.isoformat() for moment in moments}
        assert datetime.fromisoformat(key.value) == expected


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000001Z"),
        ("2026-01-01T00:00:00.1Z", "2026-01-01t00:00:00,11z"),
        ("2026-01-01 12:00+0200", "2026-01-01T10:00:01Z"),
        ("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00-23:59"),
        ("9999-12-31T23:59:59+23:59", "9999-12-31T23:59:59-23:59"),
        ("2024-02-29T23:59:59.999999999Z", "2024-03-01T00:00:00Z"),
    ],
)
def test_of_two_times_one_is_later(earlier: str, later: str) -> None:
    """Fractions of any length, both signs and missing seconds are understood; what is earlier changes nothing."""
    assert moment_of(earlier) < moment_of(later)
    key = Key(json.dumps(later))
    assert key.do(Maximum("k", earlier)).results[0].status == "unchanged"
    assert key.do(Minimum("k", earlier)).results[0].status == "changed"
    assert key.value == earlier
    assert key.do(Minimum("k", later), Maximum("k", later)).results[1].status == "changed"
    assert key.value == later


def test_one_moment_has_many_texts() -> None:
    """A time that only reads differently is as great, and changes nothing."""
    noon = "2026-01-01T12:00:00Z"
    for text in (noon, "2026-01-01 13:00:00.000+01:00", "2026-01-01T12:00:00.0-00:00", "2026-01-01T12:00z"):
        key = Key(json.dumps(noon))
        for bound in (Maximum, Minimum):
            assert key.do(bound("k", text)).results[0].status == "unchanged"
        assert key.value == noon


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00 Z",
        "2026-01-01T00:00:00Z\n",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T23:59:60Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+01",
        "2026-01-01T00:00.5Z",
        "0000-01-01T00:00:00Z",
        "20260101T000000Z",
        "2026-W01-1T00:00:00Z",
        "\u0662026-01-01T00:00:00Z",
        "17",
    ],
)
def test_what_is_no_time(text: str) -> None:
    """What names no moment is refused on every version of Python: as a value at once, as a stored value by a reason."""
    for bound in (Maximum, Minimum):
        with pytest.raises(ValueError, match=r"."):
            bound("k", text)
        (result,) = Key(json.dumps(text)).do(bound("k", "2026-01-01T00:00:00Z")).results
        assert result.status == "failed"
        assert str(result.reason).startswith("the stored value is no number and no time: ")


@pytest.mark.parametrize("value", [True, None, math.nan, math.inf, -math.inf, [1], {}, Fraction(1, 2)])
def test_what_is_no_number(value: Any) -> None:
    """An increment and a bound take a finite number."""
    for operation in (Increment, Maximum, Minimum):
        with pytest.raises(ValueError, match="number"):
            operation("k", value)


@pytest.mark.parametrize(
    ("stored", "operation", "reason"),
    [
        ("true", Increment("k"), "the stored value is no number"),
        ('"1"', Increment("k"), "the stored value is no number"),
        ("[1]", Increment("k"), "the stored value is no number"),
        ("null", Increment("k"), "the stored value is no number"),
        ("NaN", Increment("k"), "the stored value is no number"),
        ("1e999", Increment("k"), "the stored value is no number"),
        (f"{10**400}", Increment("k", 0.5), "the sum is too large for a float"),
        (
            "1.7e308",
            Increment("k", 1.7e308),
            NOT_FINITE,
        ),
        ("9" * 4300, Increment("k"), "value contains an integer of more than 4300 digits"),
        ("-" + "9" * 4300, Increment("k", -1), "value contains an integer of more than 4300 digits"),
        ("9" * 4301, Increment("k"), "the stored value cannot be read: an integer has more than 4300 digits"),
        ("99", Increment("k", max_bytes=2), "value exceeds 2 bytes; its stored form has 3 bytes"),
        ("true", Maximum("k", 1), "the stored value is no number and no time"),
        ("Infinity", Minimum("k", 1), "the stored value is no number and no time"),
        ('"x"', Maximum("k", 1), f"the stored value is no number and no time: {NO_TIME}"),
        ('"2026-01-01T00:00Z"', Maximum("k", 1), "the stored value is a time, which does not compare with a number"),
        ("1", Minimum("k", "2026-01-01T00:00Z"), "the stored value is a number, which does not compare with a time"),
        ("1", Maximum("k", 10**4300), "value contains an integer of more than 4300 digits"),
        ("1", Maximum("k", 1000, max_bytes=3), "value exceeds 3 bytes; its stored form has 4 bytes"),
        ("1", Merge("k", "null"), "value cannot be null"),
        ('{"a": 1}', Merge("k", '{"b": "\\ud800"}'), "value contains lone surrogates, which are not valid Unicode"),
        ('{"a": 1e999}', Merge("k", "{}"), NOT_FINITE),
        ("{}", Merge("k", '{"a": 1}', max_bytes=7), "value exceeds 7 bytes; its stored form has 8 bytes"),
        ("[" * 256 + "]" * 256, Merge("k", "1", max_bytes=0), "value exceeds 0 bytes; its stored form has 1 bytes"),
        ("{}", Merge("k", '{"a":' * 256 + "1" + "}" * 256), "value is nested deeper than 255 levels"),
        ("{}", Merge("k", '{"a":' * 999 + "1" + "}" * 999), None),
        ("{}", Merge("k", '{"a":' * 200_000 + "1" + "}" * 200_000), None),
        ("{}", Merge("k", "{"), None),
        ("", Merge("k", "{}"), None),
    ],
)
def test_what_cannot_be_done_says_why(stored: str, operation: Operation, reason: str | None) -> None:
    """A failure names its reason and the entry's revision, and changes nothing, whatever stands before it."""
    key = Key(stored)
    entry = key.entry
    assert entry is not None
    outcome = key.do(operation)
    (result,) = outcome.results
    assert (result.status, result.revision, result.entry) == ("failed", entry.revision, None)
    assert result.reason == reason if reason is not None else result.reason
    assert not outcome.applied
    assert key.entry is entry
    late = key.do(Set("k", stored), operation, Set("k", "1"))
    assert [result.status for result in late.results] == ["changed", "failed"]
    assert key.entry is entry


def test_long_integers_stay_exact() -> None:
    """Up to 4300 digits a sum, a bound and a merge write every digit."""
    most = 10**4300 - 1
    key = Key("9" * 4299 + "8")
    key.do(Increment("k", 1))
    assert key.entry is not None
    assert key.entry.value == "9" * 4300
    key.do(Set("k", "1"), Maximum("k", most))
    assert key.entry.value == "9" * 4300
    assert key.do(Maximum("k", 1.5), Minimum("k", most), Maximum("k", most)).results[0].status == "unchanged"
    key.do(Merge("k", f'{{"a": {most}}}'), Merge("k", '{"b": 1}'))
    assert key.entry.value == f'{{"a": {"9" * 4300}, "b": 1}}'


@pytest.mark.parametrize("kind", [Increment, Maximum, Minimum])
def test_a_condition_comes_first(kind: type[Increment]) -> None:
    """Where the condition does not hold, the value is not looked at, and there is no reason."""
    key = Key('"x"')
    assert key.entry is not None
    for condition in (Condition(exists=False), Condition(revisions=frozenset())):
        (result,) = key.do(kind("k", 1, condition=condition)).results
        assert (result.status, result.revision, result.reason) == ("failed", key.entry.revision, None)


@dataclass(frozen=True)
class Valueless:
    """A row as a transaction of plain writes reads it."""

    revision: int = START
    expires_at: int | None = None
    size: int = 1


@pytest.mark.parametrize("operation", [Get("k"), Increment("k")])
def test_a_row_without_its_value_is_a_mistake(operation: Operation) -> None:
    """What needs the value does not go on without it; what does not need it does."""
    state = ScopeState(START, START, 1, 1, known={"k": Valueless()})
    with pytest.raises(TypeError, match="without its value"):
        apply(state, [operation], writer=None, now=START, options=StoreOptions())
    check = Check("k", Condition(exists=True))
    outcome = apply(state, [check, Set("k", "1"), operation], writer=None, now=START, options=StoreOptions()).outcome
    assert outcome.applied
