"""Random operations, few keys and short times, so that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from statemount.model import Writer
from statemount.operations import KEEP, Clear, Condition, Delete, Set
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
operations = st.one_of(
    st.builds(Set, keys, values, expiries, conditions),
    st.builds(Set, keys, values, expiries, conditions),
    st.builds(Delete, keys, conditions),
    st.builds(Clear),
)
batches = st.lists(operations, min_size=1, max_size=5)
writers = st.sampled_from([None, Writer("api", subject="alice"), Writer("task", "d", "r", "t", -1)])
steps = st.sampled_from([0, 1, 1, 2, -1, 3])
"""By how many seconds the clock moves on, or back."""
