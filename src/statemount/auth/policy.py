"""Who may do what: the default rules."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal
from uuid import UUID

from statemount.errors import ConfigurationError, ForbiddenError
from statemount.interfaces import Action, Authorizer, Identity
from statemount.model import MAX_ID_LENGTH, Access, Asset


class DefaultAuthorizer(Authorizer):
    """A worker reaches its own task instance and its assets; a public identity what its permissions name.

    A watcher reaches no task instance, and the assets that its claim ``assets`` lists by name or URI.

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
        if task_instance_id is None or identity.task_instance_id != task_instance_id:
            raise ForbiddenError(
                "Token subject does not match task instance ID",
                reason=f"{identity.subject!r} may not {action} the state of task instance {task_instance_id}",
            )

    def check_asset(self, identity: Identity, asset: Asset, access: frozenset[Access], action: Action) -> None:
        """Let a task act on its outlets and, as configured, its inlets; a watcher on the assets that it is given."""
        if identity.is_watcher:
            allowed = self._watchers_reach_all_assets or _names(identity, asset)
        elif identity.task_instance_id is None:
            allowed = False
        else:
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
