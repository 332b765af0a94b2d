"""The permission matrix, as it is promised: who may do what with which thing. It is written by hand, and knows no code.

An outcome is ``yes`` (a status of the 200s), or the status of the refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, Union

Outcome: TypeAlias = Union[Literal["yes"], int]

Need = Literal["read", "write", "delete"]


@dataclass(frozen=True)
class WorkerRow:
    """Operations of the execution API that ask for the same.

    Args:
        thing: What they concern.
        operations: By id.
    """

    name: str
    thing: Literal["task instance", "asset"]
    need: Need
    operations: tuple[str, ...]


_TASKS = ("task_state_store", "task_state")
_ASSETS = ("asset_state_store_by_name", "asset_state_store_by_uri", "asset_state")


def _named(verbs: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{verb}_{name}" for verb in verbs.split() for name in names)


_LISTS = ("list_task_state_store", "list_task_states")
_ASSET_LISTS = ("list_asset_state_store_by_name", "list_asset_state_store_by_uri", "list_asset_states")

WORKER_ROWS = (
    WorkerRow(
        "read a task instance's state",
        "task instance",
        "read",
        (*_named("get watch watch_key_of batch", _TASKS), *_LISTS),
    ),
    WorkerRow("write a task instance's state", "task instance", "write", _named("set patch batch", _TASKS)),
    WorkerRow("delete from a task instance's state", "task instance", "delete", _named("delete clear batch", _TASKS)),
    WorkerRow(
        "read an asset's state",
        "asset",
        "read",
        (*_named("get watch watch_key_of batch", _ASSETS), *_ASSET_LISTS),
    ),
    WorkerRow("write an asset's state", "asset", "write", _named("set patch batch", _ASSETS)),
    WorkerRow("delete from an asset's state", "asset", "delete", _named("delete clear batch", _ASSETS)),
)
"""Every operation of the execution API is in one of these, a batch in several: each by what it holds."""

TASK_TARGETS = ("its own", "another", "an unknown one", "no UUID")
"""What a worker may address as a task instance; its own is the one that its token names."""

ASSET_TARGETS = ("outlet", "inlet", "another", "inactive", "unknown")
"""What a worker may address as an asset, as the task instance is registered with it that the identities are about."""


@dataclass(frozen=True)
class Worker:
    """Somebody who calls the execution API.

    Args:
        tasks: What is answered for each of :data:`TASK_TARGETS`.
        assets: For each of :data:`ASSET_TARGETS`; where reading and changing differ, the latter stand in ``changes``.
        app: The settings that it meets: ``default``; ``strict``: inlets may be read only, and watchers are known by
            their claims; ``all``: watchers reach every asset.
    """

    name: str
    tasks: tuple[Outcome, ...]
    assets: tuple[Outcome, ...]
    changes: tuple[Outcome, ...] | None = None
    app: Literal["default", "strict", "all"] = "default"

    def outcome(self, row: WorkerRow, target: str) -> Outcome:
        """Return what one cell promises."""
        if row.thing == "task instance":
            return self.tasks[TASK_TARGETS.index(target)]
        assets = self.assets if row.need == "read" or self.changes is None else self.changes
        return assets[ASSET_TARGETS.index(target)]


def _refused(name: str, status: int) -> Worker:
    return Worker(name, (status,) * 4, (status,) * 5)


_OWN: tuple[Outcome, ...] = ("yes", 403, 403, 403)
_GONE: tuple[Outcome, ...] = (404, 403, 403, 403)
_NO_TASK: tuple[Outcome, ...] = (403, 403, 403, 403)
_NO_ASSET: tuple[Outcome, ...] = (403, 403, 403, 404, 404)

WORKERS = (
    _refused("no token", 401),
    _refused("a token that does not verify", 403),
    _refused("a token for the public API", 403),
    _refused("`scope` is `workload`", 403),
    _refused("a revoked token", 403),
    _refused("the token of a task instance that is revoked", 403),
    Worker("the task instance", _OWN, ("yes", "yes", 403, 404, 404)),
    Worker(
        "the same, `STATEMOUNT_ASSET_INLETS=read`",
        _OWN,
        ("yes", "yes", 403, 404, 404),
        ("yes", 403, 403, 404, 404),
        app="strict",
    ),
    Worker("another task instance", _OWN, _NO_ASSET),
    Worker("one that was removed", _GONE, (404,) * 5),
    Worker("one whose place a retry has taken", _GONE, (404,) * 5),
    Worker("bound to its `try_number`", _OWN, ("yes", "yes", 403, 404, 404)),
    Worker("bound to another `try_number`", _NO_TASK, _NO_ASSET),
    Worker("bound by `assets` to the outlet", _OWN, ("yes", 403, 403, 404, 404)),
    Worker("bound by `assets` to another asset", _OWN, _NO_ASSET),
    Worker("bound by `inlets` to the inlet", _OWN, (403, "yes", 403, 404, 404)),
    Worker("bound by `outlets` to every asset", _OWN, ("yes", 403, 403, 404, 404)),
    _refused("a watcher, `STATEMOUNT_WATCHERS=off`", 403),
    Worker("a watcher, `=claims`, whose claim names the outlet", _NO_TASK, ("yes", 403, 403, 404, 404), app="strict"),
    Worker("a watcher, `=claims`, without the claim", _NO_TASK, _NO_ASSET, app="strict"),
    Worker("a watcher, `=all`", _NO_TASK, ("yes", "yes", "yes", 404, 404), app="all"),
)


PERMISSIONS = ("state:read", "state:write", "state:delete", "directory:read", "directory:write")

LIMITS = ("`dags` match", "`dags` do not", "`assets` match", "`assets` do not")
"""Claims that limit all permissions of a caller."""

Limit = Literal["`dags` match", "`dags` do not", "`assets` match", "`assets` do not"]

_Answers: TypeAlias = Mapping[str, Outcome]


@dataclass(frozen=True)
class PublicRow:
    """Operations of the public API that ask for the same.

    Args:
        operations: By id.
        further: A permission that it takes besides, asked for together with the first one.
        also: A permission that it takes besides, asked for once what is addressed is known to exist: whoever has the
            first one may know that.
        answers: What a caller with the permission is answered, by what is addressed.
        limited: Where that differs for a caller with a limit.
    """

    name: str
    permission: str
    operations: tuple[str, ...]
    answers: _Answers
    limited: Mapping[str, _Answers] = field(default_factory=dict)
    further: str | None = None
    also: str | None = None

    @property
    def permissions(self) -> frozenset[str]:
        """Everything that it takes."""
        return frozenset(filter(None, (self.permission, self.further, self.also)))

    def outcome(self, target: str, limit: str | None) -> Outcome:
        """Return what a caller with the permission is answered."""
        limited = {} if limit is None else self.limited.get(limit, {})
        return limited.get(target, self.answers[target])


_OTHER_DAGS: dict[str, _Answers] = {"`dags` do not": {"registered": 403, "not registered": 403}}
_OTHER_ASSETS: dict[str, _Answers] = {
    "`assets` match": {"unknown": 403, "no id": 403},
    "`assets` do not": {"active": 403, "inactive": 403, "unknown": 403, "no id": 403},
}
_KNOWN_TASKS: _Answers = {"registered": "yes", "not registered": 404}
_KNOWN_ASSETS: _Answers = {"active": "yes", "inactive": "yes", "unknown": 404, "no id": 422}
_REGISTRATIONS: dict[str, _Answers] = {
    "`dags` match": {"not registered": 403},
    "`dags` do not": {"registered": 403, "not registered": 403},
}
_PUBLIC_TASKS = ("task_state_store", "task_state")
_PUBLIC_ASSETS = ("asset_state_store", "asset_state")

PUBLIC_ROWS = (
    PublicRow(
        "list a task instance's state or history, or watch it",
        "state:read",
        (
            *("list_task_state_store", "list_task_states", "list_task_state_history", "get_task_state_history"),
            *_named("watch watch_key_of", _PUBLIC_TASKS),
        ),
        {"registered": "yes", "not registered": "yes"},
        _OTHER_DAGS,
    ),
    PublicRow(
        "read a key of a task instance's state", "state:read", _named("get", _PUBLIC_TASKS), _KNOWN_TASKS, _OTHER_DAGS
    ),
    PublicRow(
        "write a task instance's state",
        "state:write",
        _named("set patch batch", _PUBLIC_TASKS),
        _KNOWN_TASKS,
        _OTHER_DAGS,
    ),
    PublicRow(
        "delete from a task instance's state",
        "state:delete",
        _named("delete clear", _PUBLIC_TASKS),
        _KNOWN_TASKS,
        _OTHER_DAGS,
    ),
    PublicRow(
        "read a task instance's state in a batch",
        "state:write",
        _named("batch", _PUBLIC_TASKS),
        _KNOWN_TASKS,
        _OTHER_DAGS,
        also="state:read",
    ),
    PublicRow(
        "delete from a task instance's state in a batch",
        "state:write",
        _named("batch", _PUBLIC_TASKS),
        _KNOWN_TASKS,
        _OTHER_DAGS,
        also="state:delete",
    ),
    PublicRow(
        "read an asset's state",
        "state:read",
        (
            *("list_asset_state_store", "list_asset_states", "list_asset_state_history", "get_asset_state_history"),
            *_named("get watch watch_key_of", _PUBLIC_ASSETS),
        ),
        _KNOWN_ASSETS,
        _OTHER_ASSETS,
    ),
    PublicRow(
        "write an asset's state", "state:write", _named("set patch batch", _PUBLIC_ASSETS), _KNOWN_ASSETS, _OTHER_ASSETS
    ),
    PublicRow(
        "delete from an asset's state",
        "state:delete",
        _named("delete clear", _PUBLIC_ASSETS),
        _KNOWN_ASSETS,
        _OTHER_ASSETS,
    ),
    PublicRow(
        "read an asset's state in a batch",
        "state:write",
        _named("batch", _PUBLIC_ASSETS),
        _KNOWN_ASSETS,
        _OTHER_ASSETS,
        also="state:read",
    ),
    PublicRow(
        "delete from an asset's state in a batch",
        "state:write",
        _named("batch", _PUBLIC_ASSETS),
        _KNOWN_ASSETS,
        _OTHER_ASSETS,
        also="state:delete",
    ),
    PublicRow(
        "bring an earlier value of an asset's state back",
        "state:write",
        ("revert_asset_state",),
        _KNOWN_ASSETS,
        _OTHER_ASSETS,
        further="state:read",
    ),
    PublicRow(
        "the same where there was none",
        "state:write",
        ("revert_asset_state",),
        _KNOWN_ASSETS,
        _OTHER_ASSETS,
        further="state:read",
        also="state:delete",
    ),
    PublicRow(
        "bring an earlier value of a task instance's state back",
        "state:write",
        ("revert_task_state",),
        _KNOWN_TASKS,
        _OTHER_DAGS,
        further="state:read",
    ),
    PublicRow(
        "the same where there was none",
        "state:write",
        ("revert_task_state",),
        _KNOWN_TASKS,
        _OTHER_DAGS,
        further="state:read",
        also="state:delete",
    ),
    PublicRow(
        "look at a registered task instance",
        "directory:read",
        ("get_registered_task_instance",),
        {**_KNOWN_TASKS, "no UUID": 422},
        _REGISTRATIONS,
    ),
    PublicRow(
        "register a task instance",
        "directory:write",
        ("register_task_instance", "register_task_instances"),
        {"registered": "yes", "not registered": "yes", "no UUID": 422},
        _OTHER_DAGS,
    ),
    PublicRow(
        "remove a task instance",
        "directory:write",
        ("remove_task_instance",),
        {"registered": "yes", "not registered": "yes", "no UUID": 422},
        _REGISTRATIONS,
    ),
    PublicRow(
        "report a task instance's success",
        "directory:write",
        ("task_instance_succeeded",),
        {**_KNOWN_TASKS, "no UUID": 422},
        _REGISTRATIONS,
    ),
    PublicRow(
        "revoke tokens",
        "directory:write",
        ("revoke_tokens",),
        {"registered": "yes", "not registered": "yes", "by `jti`": "yes", "no UUID": 422},
        {
            "`dags` match": {"not registered": 403, "by `jti`": 403},
            "`dags` do not": {"registered": 403, "not registered": 403, "by `jti`": 403},
        },
    ),
    PublicRow(
        "drop a run",
        "directory:write",
        ("drop_run",),
        {"registered": "yes", "not registered": "yes"},
        _OTHER_DAGS,
    ),
    PublicRow(
        "register an asset",
        "directory:write",
        ("register_asset",),
        {"active": "yes"},
        {"`assets` do not": {"active": 403}},
    ),
    PublicRow(
        "list assets",
        "directory:read",
        ("list_assets",),
        {"all": "yes"},
        {"`assets` match": {"all": 403}, "`assets` do not": {"all": 403}},
    ),
    PublicRow(
        "deactivate or restore an asset",
        "directory:write",
        ("deactivate_asset", "restore_asset"),
        _KNOWN_ASSETS,
        {"`assets` match": {"unknown": 403}, "`assets` do not": {"active": 403, "inactive": 403, "unknown": 403}},
    ),
)
"""Every operation of the public API is in one of these, a batch in several: each by what it holds."""


@dataclass(frozen=True)
class Caller:
    """Somebody who calls the public API.

    Args:
        refused: The status of every answer, whatever is asked; None = it depends.
        limit: What limits its permissions.
    """

    name: str
    permissions: frozenset[str] = frozenset()
    refused: int | None = None
    limit: Limit | None = None

    def outcome(self, row: PublicRow, target: str) -> Outcome:
        """Return what one cell promises."""
        if self.refused is not None:
            return self.refused
        if not self.permissions.issuperset(filter(None, (row.permission, row.further))):
            return 403
        outcome = row.outcome(target, self.limit)
        return 403 if outcome == "yes" and not row.permissions <= self.permissions else outcome


CALLERS = (
    Caller("no token", refused=401),
    Caller("a token that does not verify", refused=403),
    Caller("an expired token", refused=401),
    Caller("a worker's token", refused=403),
    Caller("a revoked token", refused=403),
    Caller("no permission"),
    *(Caller(f"`{permission}` alone", frozenset({permission})) for permission in PERMISSIONS),
    Caller("`state:read` and `state:write`", frozenset({"state:read", "state:write"})),
    Caller("all permissions", frozenset(PERMISSIONS)),
)

LIMITED_CALLERS = (
    Caller("all permissions, `dags` match", frozenset(PERMISSIONS), limit="`dags` match"),
    Caller("all permissions, `dags` do not", frozenset(PERMISSIONS), limit="`dags` do not"),
    Caller("all permissions, `assets` match", frozenset(PERMISSIONS), limit="`assets` match"),
    Caller("all permissions, `assets` do not", frozenset(PERMISSIONS), limit="`assets` do not"),
)
