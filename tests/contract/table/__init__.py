"""The contract of the routes, as data: what is asked, and what is answered."""

from __future__ import annotations

from tests.contract.rows import Row, expand
from tests.contract.table import (
    assets,
    batches,
    bodies,
    conditions,
    directory,
    expiry,
    headers,
    keys,
    lists,
    patches,
    public_assets,
    public_bodies,
    public_history,
    public_keys,
    public_paging,
    public_routes,
    public_tasks,
    public_tokens,
    routing,
    tokens,
    values,
)

_WORKERS = (keys, values, bodies, tokens, assets, routing, headers, expiry, conditions, batches, patches, lists)
_PUBLIC = (
    public_tasks,
    public_assets,
    public_paging,
    public_keys,
    public_bodies,
    public_tokens,
    public_routes,
    public_history,
    directory,
)

ROWS: list[Row] = [row for topic in (*_WORKERS, *_PUBLIC) for row in expand(topic.ROWS)]
