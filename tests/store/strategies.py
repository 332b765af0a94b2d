"""Random operations, few keys and short times, so that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from statemount.model import Writer
from statemount.operations import (
    KEEP,
    Check,
    CheckScope,
    Clear,
    Condition,
    Delete,
    Get,
    Increment,
    Maximum,
    Merge,
    Minimum,
    Set,
)
from tests.clock import SECOND, START

KEYS = ["a", "A", "a ", "\u00e9", "\U0001f600"]

keys = st.sampled_from(KEYS)
values = st.sampled_from(["1", '"' + "x" * 8 + '"', '"' + "x" * 18 + '"'])
moments = st.integers(-2, 5).map(lambda seconds: START + seconds * SECOND)
expiries = st.one_of(st.none(), st.just(KEEP), moments)
revisions = st.frozensets(st.integers(START, START + 12), max_size=6)
conditions = st.one_of(
    st.none(),
    st.none(),
    st.builds(Condition, exists=st.sampled_from([None, True, False]), revisions=st.one_of(st.none(), revisions)),
)
scope_conditions = st.builds(
    Condition,
    revisions=st.one_of(st.none(), revisions, st.just(frozenset({0}))),
    excluded=st.sampled_from([frozenset(), frozenset({0}), frozenset({START + 1})]),
)
patches = st.sampled_from(['{"a": 1}', '{"a": null, "b": {"c": 2}}', '{"b": {"c": null}}', "2", "null"])
amounts = st.sampled_from([-1, 0, 2, 10**12, 0.5])
_of_updates = {
    "expires_at": expiries,
    "expires_at_if_new": st.one_of(st.none(), moments),
    "condition": conditions,
    "max_bytes": st.sampled_from([None, None, 12]),
}
updates = st.one_of(
    st.builds(Merge, keys, patches, **_of_updates),
    st.builds(Increment, keys, amounts, **_of_updates),
    st.builds(Increment, keys),
    st.builds(Maximum, keys, amounts, **_of_updates),
    st.builds(Minimum, keys, amounts, **_of_updates),
)
operations = st.one_of(
    st.builds(Set, keys, values, expiries, conditions),
    st.builds(Set, keys, values, expiries, conditions),
    st.builds(Delete, keys, conditions, st.sampled_from([False, False, True])),
    updates,
    st.builds(Get, keys, conditions),
    st.builds(Check, keys, conditions.filter(lambda condition: condition is not None)),
    st.builds(Clear, purge=st.sampled_from([False, False, True])),
    st.builds(CheckScope, scope_conditions),
)
batches = st.lists(operations, min_size=1, max_size=5)
writers = st.sampled_from([None, Writer("api", subject="alice"), Writer("task", "d", "r", "t", -1)])
steps = st.sampled_from([0, 1, 1, 2, -1, 3])
"""By how many seconds the clock moves on, or back."""
