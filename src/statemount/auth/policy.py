"""Who may do what: the default rules."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal
from uuid import UUID

from statemount.errors import ConfigurationError, ForbiddenError
from statemount.interfaces import Action, Authorizer, Identity
from statemount.model import MAX_ID_LENGTH, Access, Asset

_NO_ACCESS: frozenset[Access] = frozenset()
_ANY_ACCESS: frozenset[Access] = frozenset({"inlet", "outlet"})
_KINDS: tuple[tuple[Access, str], ...] = (("inlet", "inlets"), ("outlet", "outlets"))


class DefaultAuthorizer(Authorizer):
    """A worker reaches its own task instance and its assets; a public identity what its permissions name.

    A watcher reaches no task instance, and the assets that its claim ``assets`` lists by name or URI.

    Claims limit a worker further, whatever the directory says: ``try_number`` to an attempt of its task instance,
    ``assets`` to the assets that it lists by name or URI, ``inlets`` and ``outlets`` to those that they list, as
    :class:`~statemount.directory.claims.ClaimsDirectory` reads them. What is malformed lists nothing.

    Two claims limit a public identity, each a list of globs as :func:`fnmatch.fnmatchcase` reads them (``*``, ``?``,
    ``[a-z]``; capitals count): ``dags`` to the task instances of dags whose id matches one of them, ``assets`` to the
    assets whose name or URI does. Without the claim there is no limit; one that is no list of texts matches nothing.

    Args:
        asset_inlets: Whether a task may only ``read`` the assets that it has as inlets, or also ``write`` them.
        watchers_reach_all_assets: Whatever their claims say.
    """

    def __init__(
        self, *, asset_inlets: Literal["read", "write"] = "write", watchers_reach_all_assets: bool = False
    ) -> None:
        if asset_inlets not in ("read", "write"):
            raise ConfigurationError(f"asset_inlets must be 'read' or 'write', but is {asset_inlets!r}")
        self._writes_inlets = asset_inlets == "write"
        self._watchers_reach_all_assets = watchers_reach_all_assets

    def check_task_instance(self, identity: Identity, task_instance_id: UUID | None, action: Action) -> None:
        """Let a worker act on its own task instance only."""
        own = identity.task_instance_id
        if task_instance_id is None or (own is not task_instance_id and own != task_instance_id):
            raise ForbiddenError(
                "Token subject does not match task instance ID",
                reason=f"{identity.subject!r} may not {action} the state of task instance {task_instance_id}",
            )

    def is_bound_to_attempt(self, identity: Identity) -> bool:
        """Tell whether the claims name an attempt."""
        return "try_number" in identity.claims

    def check_attempt(self, identity: Identity, try_number: int | None) -> None:
        """Let a worker act that its claims bind to no attempt, or to this one."""
        bound = identity.claims.get("try_number")
        if try_number is not None and (type(bound) is not int or bound != try_number):
            raise ForbiddenError(
                "Token is for another try of the task instance",
                reason=f"{identity.subject!r} is at try {try_number}, and its token is for another",
            )

    def check_asset(self, identity: Identity, asset: Asset, access: frozenset[Access], action: Action) -> None:
        """Let a task act on its outlets and, as configured, its inlets; a watcher on the assets that it is given."""
        if identity.is_watcher:
            allowed = self._watchers_reach_all_assets or _names(identity, asset)
        elif identity.task_instance_id is None:
            allowed = False
        else:
            access = access & _claimed_access(identity, asset)
            allowed = "outlet" in access or ("inlet" in access and (action == "read" or self._writes_inlets))
        if not allowed:
            registered = ", ".join(sorted(access)) or "not registered"
            raise ForbiddenError(
                "Asset not registered with this task",
                reason=f"{identity.subject!r} may not {action} the state of asset {asset.asset_id} ({registered})",
            )

    def check_public(self, identity: Identity, permission: str, *, dag_id: str | None = None) -> None:
        """Let an identity act that has the permission, on a dag that its claims do not leave out."""
        if permission not in identity.permissions:
            raise ForbiddenError("Forbidden", reason=f"{identity.subject!r} lacks the permission {permission}")
        if dag_id is not None and "dags" in identity.claims and not _matches(identity.claims["dags"], dag_id):
            raise ForbiddenError(
                "Forbidden", reason=f"{identity.subject!r} may not reach the dag {dag_id[:MAX_ID_LENGTH]!r}"
            )

    def limits_dags(self, identity: Identity) -> bool:
        """Tell whether the claims leave out dags."""
        return "dags" in identity.claims

    def check_public_asset(self, identity: Identity, permission: str, asset: Asset | None) -> None:
        """Let an identity act on an asset that its claims do not leave out."""
        if "assets" not in identity.claims:
            return
        globs = identity.claims["assets"]
        if asset is None or not (_matches(globs, asset.name) or _matches(globs, asset.uri)):
            what = "an asset that does not exist" if asset is None else f"asset {asset.asset_id}"
            raise ForbiddenError("Forbidden", reason=f"{identity.subject!r} may not reach {what} ({permission})")


def _matches(globs: object, text: str) -> bool:
    return isinstance(globs, (list, tuple)) and any(isinstance(glob, str) and fnmatchcase(text, glob) for glob in globs)


def _names(identity: Identity, asset: Asset) -> bool:
    assets = identity.claims.get("assets")
    return isinstance(assets, (list, tuple)) and (asset.name in assets or asset.uri in assets)


def _claimed_access(identity: Identity, asset: Asset) -> frozenset[Access]:
    """Return how a task may have an asset at most, by its claims."""
    claims = identity.claims
    if "assets" in claims and not _names(identity, asset):
        return _NO_ACCESS
    if "inlets" not in claims and "outlets" not in claims:
        return _ANY_ACCESS
    return frozenset(kind for kind, claim in _KINDS if _lists(claims.get(claim), asset.name))


def _lists(items: object, name: str) -> bool:
    return isinstance(items, (list, tuple)) and any(
        (item.get("name") if isinstance(item, Mapping) else item) == name for item in items
    )
