"""Who may do what, by default."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from statemount.auth import DefaultAuthorizer
from statemount.errors import ConfigurationError, ForbiddenError
from statemount.interfaces import Action, Identity
from statemount.model import Access, Asset
from tests.auth.support import TASK

ASSET = Asset(1, "orders", "s3://bucket/orders")
ACTIONS: tuple[Action, ...] = ("read", "write", "delete")
WORKER = Identity(str(TASK), task_instance_id=TASK)
USER = Identity("ann", permissions=frozenset({"state:read"}))


def watcher(**claims: Any) -> Identity:
    """Return the identity of a watcher with these claims."""
    return Identity(str(UUID(int=0)), is_watcher=True, claims=claims)


@pytest.mark.parametrize("action", ACTIONS)
def test_own_task_instance(action: Action) -> None:
    """A worker reaches its own task instance."""
    DefaultAuthorizer().check_task_instance(WORKER, UUID(str(TASK)), action)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("identity", "task_instance_id"),
    [
        (WORKER, UUID(int=1)),
        (WORKER, UUID(int=0)),
        (WORKER, None),
        (USER, TASK),
        (USER, None),
        (watcher(), TASK),
        (watcher(), UUID(int=0)),
        (watcher(), None),
    ],
)
def test_foreign_task_instance(identity: Identity, task_instance_id: UUID | None, action: Action) -> None:
    """Nobody reaches another task instance, or an id that is no UUID; a watcher or a user reaches none."""
    for authorizer in (DefaultAuthorizer(), DefaultAuthorizer(watchers_reach_all_assets=True)):
        with pytest.raises(ForbiddenError) as caught:
            authorizer.check_task_instance(identity, task_instance_id, action)
        assert caught.value.message == "Token subject does not match task instance ID"


@pytest.mark.parametrize(
    ("inlets", "access", "allowed"),
    [
        ("write", set(), set()),
        ("write", {"inlet"}, {"read", "write", "delete"}),
        ("write", {"outlet"}, {"read", "write", "delete"}),
        ("read", set(), set()),
        ("read", {"inlet"}, {"read"}),
        ("read", {"outlet"}, {"read", "write", "delete"}),
        ("read", {"inlet", "outlet"}, {"read", "write", "delete"}),
    ],
)
def test_assets(inlets: Any, access: set[Access], allowed: set[str]) -> None:
    """A task reaches the assets that it is registered with; inlets may be restricted to reading."""
    authorizer = DefaultAuthorizer(asset_inlets=inlets)
    for action in ACTIONS:
        if action in allowed:
            authorizer.check_asset(WORKER, ASSET, frozenset(access), action)
        else:
            with pytest.raises(ForbiddenError) as caught:
                authorizer.check_asset(WORKER, ASSET, frozenset(access), action)
            assert caught.value.message == "Asset not registered with this task"


def test_user_and_assets() -> None:
    """An identity without a task instance that is no watcher reaches no asset as a worker does."""
    with pytest.raises(ForbiddenError):
        DefaultAuthorizer().check_asset(USER, ASSET, frozenset({"outlet"}), "read")


@pytest.mark.parametrize(
    ("claims", "allowed"),
    [
        ({}, False),
        ({"assets": []}, False),
        ({"assets": ["orders"]}, True),
        ({"assets": ["other", "s3://bucket/orders"]}, True),
        ({"assets": ["Orders", "order"]}, False),
        ({"assets": "orders, orders2"}, False),
        ({"assets": {"orders": 1}}, False),
        ({"assets": [["orders"], {"name": "x"}, None, 7]}, False),
        ({"assets": None}, False),
    ],
)
def test_watchers(claims: dict[str, Any], allowed: bool) -> None:
    """A watcher reaches the assets that its claims list by name or URI, or all by setting."""
    for action in ACTIONS:
        DefaultAuthorizer(watchers_reach_all_assets=True).check_asset(watcher(**claims), ASSET, frozenset(), action)
        if allowed:
            DefaultAuthorizer().check_asset(watcher(**claims), ASSET, frozenset(), action)
        else:
            with pytest.raises(ForbiddenError, match="Asset not registered with this task"):
                DefaultAuthorizer().check_asset(watcher(**claims), ASSET, frozenset({"outlet"}), action)


def worker(**claims: Any) -> Identity:
    """Return the identity of a task with these claims."""
    return Identity(str(TASK), task_instance_id=TASK, claims=claims)


@pytest.mark.parametrize(
    ("claims", "left"),
    [
        ({}, {"inlet", "outlet"}),
        ({"assets": ["orders"]}, {"inlet", "outlet"}),
        ({"assets": ["x", "s3://bucket/orders"]}, {"inlet", "outlet"}),
        ({"assets": []}, set()),
        ({"assets": ["ord*", "Orders"]}, set()),
        ({"assets": None}, set()),
        ({"assets": "orders"}, set()),
        ({"outlets": ["orders"]}, {"outlet"}),
        ({"inlets": ["x", {"name": "orders", "uri": "u"}]}, {"inlet"}),
        ({"inlets": ["orders"], "outlets": ["orders"]}, {"inlet", "outlet"}),
        ({"inlets": ["orders"], "outlets": ["orders"], "assets": ["x"]}, set()),
        ({"inlets": ["s3://bucket/orders"]}, set()),
        ({"inlets": []}, set()),
        ({"outlets": None}, set()),
        ({"outlets": "orders"}, set()),
        ({"outlets": [["orders"], 7, None, {"uri": "s3://bucket/orders"}]}, set()),
    ],
    ids=repr,
)
def test_assets_in_a_task_s_claims(claims: dict[str, Any], left: set[Access]) -> None:
    """Of the access that the directory grants, a task has what its claims leave it, and never more."""
    authorizer = DefaultAuthorizer(asset_inlets="read")
    grants: tuple[set[Access], ...] = (set(), {"inlet"}, {"outlet"}, {"inlet", "outlet"})
    for granted in grants:
        remaining = granted & left
        allowed = set(ACTIONS) if "outlet" in remaining else {"read"} if remaining else set()
        for action in ACTIONS:
            if action in allowed:
                authorizer.check_asset(worker(**claims), ASSET, frozenset(granted), action)
            else:
                with pytest.raises(ForbiddenError, match="Asset not registered with this task"):
                    authorizer.check_asset(worker(**claims), ASSET, frozenset(granted), action)


@pytest.mark.parametrize("bound", [2, 0, -1, 1.0, True, "1", None, [1], 2**63])
def test_another_attempt(bound: Any) -> None:
    """A worker that is bound to another attempt, or to what is none, is refused wherever attempts are counted."""
    authorizer = DefaultAuthorizer()
    assert authorizer.is_bound_to_attempt(worker(try_number=bound))
    with pytest.raises(ForbiddenError) as caught:
        authorizer.check_attempt(worker(try_number=bound), 1)
    assert caught.value.message == "Token is for another try of the task instance"
    authorizer.check_attempt(worker(try_number=bound), None)


def test_own_attempt() -> None:
    """A worker that is bound to the attempt that its task instance is at is let through, as one that is not bound."""
    DefaultAuthorizer().check_attempt(worker(try_number=1), 1)
    assert not DefaultAuthorizer().is_bound_to_attempt(worker(foo=1))


def test_all_assets_are_for_watchers() -> None:
    """That watchers reach all assets gives nothing to a task."""
    with pytest.raises(ForbiddenError):
        DefaultAuthorizer(watchers_reach_all_assets=True).check_asset(WORKER, ASSET, frozenset(), "read")


def test_public() -> None:
    """A permission must be among the identity's, to the letter."""
    DefaultAuthorizer().check_public(USER, "state:read")
    for identity, permission in ((USER, "state:write"), (USER, "state"), (WORKER, "state:read")):
        with pytest.raises(ForbiddenError) as caught:
            DefaultAuthorizer().check_public(identity, permission)
        assert caught.value.message == "Forbidden"


_MATCHING: list[Any] = [["*"], ["sales"], ["x", "s*s"], ["sale?"], ["[r-t]ales"], ("sales",)]
_NOT_MATCHING: list[Any] = [
    [],
    ["Sales"],
    ["SALES*"],
    ["sale"],
    ["?sales"],
    ["sales "],
    "sales",
    "*",
    None,
    7,
    [None, 7],
]


def _limited(**claims: Any) -> Identity:
    return Identity("ann", permissions=USER.permissions, claims=claims)


@pytest.mark.parametrize("globs", _MATCHING)
def test_dags_that_globs_name(globs: Any) -> None:
    """An identity reaches the dags that one of its globs names, and what concerns no dag."""
    identity = _limited(dags=globs)
    DefaultAuthorizer().check_public(identity, "state:read", dag_id="sales")
    DefaultAuthorizer().check_public(identity, "state:read")
    assert DefaultAuthorizer().limits_dags(identity)


@pytest.mark.parametrize("globs", _NOT_MATCHING)
def test_dags_that_no_glob_names(globs: Any) -> None:
    """An identity does not reach other dags; a claim that is no list of texts names none."""
    identity = _limited(dags=globs)
    with pytest.raises(ForbiddenError) as caught:
        DefaultAuthorizer().check_public(identity, "state:read", dag_id="sales")
    assert caught.value.message == "Forbidden"
    assert "sales" in caught.value.reason
    DefaultAuthorizer().check_public(identity, "state:read")


def test_globs_give_no_permission() -> None:
    """A dag that a glob names is reached with the permission only."""
    with pytest.raises(ForbiddenError):
        DefaultAuthorizer().check_public(_limited(dags=["*"]), "state:write", dag_id="sales")


@pytest.mark.parametrize("claims", [{}, {"assets": ["x"]}])
def test_no_globs_for_dags(claims: dict[str, Any]) -> None:
    """Without the claim there is no limit."""
    DefaultAuthorizer().check_public(_limited(**claims), "state:read", dag_id="sales")
    assert not DefaultAuthorizer().limits_dags(_limited(**claims))


@pytest.mark.parametrize("globs", [["orders"], ["ord*"], ["s3://bucket/*"], ["x", "*"], ["s3://bucket/orders"]])
def test_assets_that_globs_name(globs: Any) -> None:
    """An identity reaches the assets whose name or URI one of its globs names, active or not."""
    for asset in (ASSET, replace(ASSET, active=False)):
        DefaultAuthorizer().check_public_asset(_limited(assets=globs), "state:read", asset)


@pytest.mark.parametrize("globs", [[], ["Orders"], ["s3://*/x"], ["1"], "orders", None, [1], {"orders": 1}])
def test_assets_that_no_glob_names(globs: Any) -> None:
    """An identity does not reach other assets."""
    with pytest.raises(ForbiddenError) as caught:
        DefaultAuthorizer().check_public_asset(_limited(assets=globs), "state:read", ASSET)
    assert caught.value.message == "Forbidden"


def test_assets_that_do_not_exist() -> None:
    """Who is limited to some assets is refused one that does not exist; who is not limited is told."""
    with pytest.raises(ForbiddenError):
        DefaultAuthorizer().check_public_asset(_limited(assets=["*"]), "state:read", None)
    DefaultAuthorizer().check_public_asset(_limited(dags=[]), "state:read", None)


def test_unknown_setting() -> None:
    """A setting that does not exist is refused."""
    setting: Any = "both"
    with pytest.raises(ConfigurationError):
        DefaultAuthorizer(asset_inlets=setting)
