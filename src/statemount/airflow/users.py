"""Airflow's users on the public API, by its auth manager; its tasks on the Execution API, by their tokens."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal, Protocol

from statemount.auth.bearer import authorization_header, bearer_token
from statemount.auth.jwt import JWTAuth
from statemount.auth.policy import DefaultAuthorizer
from statemount.errors import ForbiddenError
from statemount.interfaces import AsgiScope, Authenticator, Identity, RouteSet
from statemount.model import Asset

Method = Literal["GET", "PUT", "DELETE"]

_METHODS: dict[str, Method] = {"state:read": "GET", "state:write": "PUT", "state:delete": "DELETE"}
_USER = "airflow_user"


class Users(Protocol):
    """What Airflow's auth manager says."""

    async def user_of(self, token: str) -> Any:
        """Return whose token this is.

        Raises:
            InvalidTokenError: Nobody's.
        """

    def name_of(self, user: Any) -> str:
        """Return what the audit log calls a user."""

    def may_task_instances(self, user: Any, method: Method, dag_id: str | None) -> bool:
        """Tell whether a user may do so to the task instances of a dag; None = of any dag."""

    def may_assets(self, user: Any, method: Method, asset_id: int | None) -> bool:
        """Tell whether a user may do so to an asset; None = to one that does not exist."""


class AirflowAuth(Authenticator):
    """Tokens of tasks for the Execution API, and of users for the public API: those that Airflow's own API takes.

    Args:
        workers: Verifies the tokens of tasks.
    """

    def __init__(self, workers: JWTAuth, users: Users) -> None:
        self._workers = workers
        self._users = users

    async def open(self) -> None:
        await self._workers.open()

    async def close(self) -> None:
        await self._workers.close()

    async def authenticate(self, asgi_scope: AsgiScope, route_set: RouteSet) -> Identity:
        """Return who is asking; see :class:`~statemount.interfaces.Authenticator`."""
        if route_set == "execution":
            return await self._workers.authenticate(asgi_scope, route_set)
        token = bearer_token(authorization_header(asgi_scope)).decode("latin-1")
        user = await self._users.user_of(token)
        return Identity(
            subject=self._users.name_of(user),
            permissions=frozenset(_METHODS),
            claims=MappingProxyType({_USER: user}),
        )

    def renew(self, identity: Identity) -> str | None:
        return self._workers.renew(identity)


class AirflowAuthorizer(DefaultAuthorizer):
    """As by default for tasks; for people, what they may do to task instances and assets in Airflow.

    Args:
        asset_inlets: As for :class:`~statemount.auth.policy.DefaultAuthorizer`.
    """

    def __init__(self, users: Users, *, asset_inlets: Literal["read", "write"] = "write") -> None:
        super().__init__(asset_inlets=asset_inlets)
        self._users = users

    def check_public(self, identity: Identity, permission: str, *, dag_id: str | None = None) -> None:
        """Let a user act on a dag's task instances whom Airflow lets; on assets, the next check decides."""
        super().check_public(identity, permission)
        if dag_id is None:
            return
        user = identity.claims[_USER]
        if not self._users.may_task_instances(user, _METHODS[permission], dag_id or None):
            raise ForbiddenError("Forbidden", reason=f"{identity.subject!r} may not {permission} in that dag")

    def limits_dags(self, identity: Identity) -> bool:
        return True

    def check_public_asset(self, identity: Identity, permission: str, asset: Asset | None) -> None:
        """Let a user act on an asset whom Airflow lets."""
        asset_id = None if asset is None else asset.asset_id
        if not self._users.may_assets(identity.claims[_USER], _METHODS[permission], asset_id):
            raise ForbiddenError("Forbidden", reason=f"{identity.subject!r} may not {permission} of that asset")
