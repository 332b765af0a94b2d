"""The permission matrix as the documentation shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tests.documents import ROOT
from tests.permissions.matrix import (
    ASSET_TARGETS,
    CALLERS,
    LIMITS,
    PERMISSIONS,
    PUBLIC_ROWS,
    TASK_TARGETS,
    WORKER_ROWS,
    WORKERS,
    Outcome,
    PublicRow,
    Worker,
)

PAGE = ROOT / "docs" / "reference" / "permissions.md"

_BEGIN, _END = "<!-- matrix: written by python -m tests.permissions -->\n", "<!-- end of the matrix -->\n"


def block_of(text: str) -> str:
    """Return what stands between the marks of a page."""
    return text.partition(_BEGIN)[2].partition(_END)[0]


def with_block(text: str) -> str:
    """Return a page with the tables between its marks."""
    before, _, rest = text.partition(_BEGIN)
    return f"{before}{_BEGIN}{tables()}{_END}{rest.partition(_END)[2]}"


def tables() -> str:
    """Return all tables."""
    return "\n".join(_sections())


def _sections() -> Iterator[str]:
    yield "\n## Workers and task instances\n"
    yield "Each of these operations is answered alike, in both contract versions.\n"
    yield _table(("who", *TASK_TARGETS), ((worker.name, *worker.tasks) for worker in WORKERS))
    yield "## Workers and assets\n"
    yield "Where changing is answered otherwise than reading, both are named.\n"
    yield _table(("who", *ASSET_TARGETS), ((worker.name, *_of_assets(worker)) for worker in WORKERS))
    yield "## Callers of the public API\n"
    needs = [next(row for row in PUBLIC_ROWS if row.permissions == {permission}) for permission in PERMISSIONS]
    yield _table(
        ("who", *(f"`{permission}`" for permission in PERMISSIONS)),
        ((caller.name, *(caller.outcome(row, next(iter(row.answers))) for row in needs)) for caller in CALLERS),
    )
    yield "## What a caller with the permission is answered\n"
    yield "By what is addressed, and by what limits the permissions. What stands after a *then* is asked"
    yield "for once what is addressed is known to exist.\n"
    yield _table(
        ("what", "permission", "addressed", "no limit", *LIMITS),
        (
            (
                row.name,
                _asked_for(row),
                target,
                *(row.outcome(target, limit) for limit in (None, *LIMITS)),
            )
            for row in PUBLIC_ROWS
            for target in row.answers
        ),
    )
    yield "## Which operations these are\n"
    yield "By the ids in the OpenAPI documents.\n"
    execution = ((row.name, "execution", _ids(row.operations)) for row in WORKER_ROWS)
    public = ((row.name, "public", _ids(row.operations)) for row in PUBLIC_ROWS)
    yield _table(("what", "API", "operations"), (*execution, *public))


def _of_assets(worker: Worker) -> Iterator[Outcome | str]:
    for reading, changing in zip(worker.assets, worker.changes or worker.assets, strict=True):
        yield reading if reading == changing else f"read {reading}, change {changing}"


def _asked_for(row: PublicRow) -> str:
    at_first = " and ".join(f"`{permission}`" for permission in (row.permission, row.further) if permission)
    return at_first if row.also is None else f"{at_first}, then `{row.also}`"


def _ids(operations: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in operations)


def _table(head: Sequence[str], rows: Iterable[Sequence[Outcome | str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
