"""The plugins. A file in Airflow's plugins folder names one: ``from statemount.airflow.plugin import StatePlugin``.

Every component of Airflow imports its plugins; what these need is read and opened by the API server alone.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from airflow.configuration import conf
from jwt import ExpiredSignatureError
from jwt import InvalidTokenError as RefusedTokenError

from statemount.airflow.names import PREFIX
from statemount.airflow.options import AirflowOptions
from statemount.airflow.tokens import LateMiddleware, TokenMiddleware, with_first_credentials
from statemount.airflow.users import Method
from statemount.auth.jwt import JWTAuth
from statemount.errors import InvalidTokenError
from statemount.interfaces import AsgiScope
from statemount.settings import Settings
from statemount.web.below import AsgiApp
from statemount.web.requests import Receive, Send

if TYPE_CHECKING:
    from statemount.mount import StateMount

    class AirflowPlugin:
        """For type checkers: Airflow is not installed where they run."""

else:
    from airflow.plugins_manager import AirflowPlugin


def _listed(section: str, key: str) -> tuple[str, ...]:
    text = conf.get(section, key, fallback=None) or ""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def airflow_options() -> AirflowOptions:
    """Return what Airflow's configuration says."""
    algorithms = _listed("api_auth", "jwt_algorithm")
    return AirflowOptions(
        database_url=conf.get_mandatory_value("database", "sql_alchemy_conn"),
        audiences=_listed("execution_api", "jwt_audience"),
        lifetime=conf.getint("execution_api", "jwt_expiration_time"),
        leeway=conf.getfloat("api_auth", "jwt_leeway"),
        secret=conf.get("api_auth", "jwt_secret", fallback=None) or None,
        private_key_path=conf.get("api_auth", "jwt_private_key_path", fallback=None) or None,
        jwks=conf.get("api_auth", "trusted_jwks_url", fallback=None) or None,
        algorithms=() if algorithms == ("GUESS",) else algorithms,
        issuers=_listed("api_auth", "jwt_issuer"),
    )


class AuthManagerUsers:
    """Airflow's users, as the auth manager of the API server knows them."""

    async def user_of(self, token: str) -> Any:
        """Return the user whom Airflow's own API would take this token for."""
        try:
            return await _auth_manager().get_user_from_token(token)
        except RefusedTokenError as error:
            raise InvalidTokenError(str(error), expired=isinstance(error, ExpiredSignatureError)) from error

    def name_of(self, user: Any) -> str:
        """Return the user's name."""
        return str(user.get_name())

    def may_task_instances(self, user: Any, method: Method, dag_id: str | None) -> bool:
        """Ask the auth manager, as Airflow's own routes for task instances do."""
        from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails

        return bool(
            _auth_manager().is_authorized_dag(
                method=method,
                user=user,
                access_entity=DagAccessEntity.TASK_INSTANCE,
                details=None if dag_id is None else DagDetails(id=dag_id),
            )
        )

    def may_assets(self, user: Any, method: Method, asset_id: int | None) -> bool:
        """Ask the auth manager, as Airflow's own routes for assets do."""
        from airflow.api_fastapi.auth.managers.models.resource_details import AssetDetails

        details = None if asset_id is None else AssetDetails(id=str(asset_id))
        return bool(_auth_manager().is_authorized_asset(method=method, user=user, details=details))


def _auth_manager() -> Any:
    from airflow.api_fastapi.app import get_auth_manager

    return get_auth_manager()


class _Mounted(NamedTuple):
    state: StateMount
    auth: JWTAuth
    lifetime: int


@cache
def _mounted() -> _Mounted:
    """Return the app of this process, made when the API server starts."""
    options = airflow_options()
    auth = options.tokens()
    return _Mounted(options.mount(Settings.from_environment(), auth, AuthManagerUsers()), auth, options.lifetime)


class StateApp:
    """The app, which does not exist in Airflow's other components."""

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            scope = with_first_credentials(scope)
        await _mounted().state(scope, receive, send)


class StateTokenMiddleware(LateMiddleware):
    """The middleware of the API server in which the app is."""

    def __init__(self, app: AsgiApp) -> None:
        super().__init__(app, _with_state)


def _with_state(app: AsgiApp) -> AsgiApp:
    mounted = _mounted()
    return TokenMiddleware(app, state=mounted.state, auth=mounted.auth, lifetime=mounted.lifetime)


class StatePlugin(AirflowPlugin):
    """Mounts the app in Airflow's API server, under ``/statemount``, and gives tasks their tokens."""

    name: ClassVar[str] = "statemount"
    fastapi_apps: ClassVar[list[Any]] = [{"app": StateApp(), "url_prefix": PREFIX, "name": "statemount"}]
    fastapi_root_middlewares: ClassVar[list[Any]] = [{"middleware": StateTokenMiddleware, "name": "statemount tokens"}]


class OnlyTokenMiddleware(LateMiddleware):
    """The middleware where the app runs elsewhere."""

    def __init__(self, app: AsgiApp) -> None:
        super().__init__(app, _without_state)


def _without_state(app: AsgiApp) -> AsgiApp:
    options = airflow_options()
    return TokenMiddleware(app, state=None, auth=options.tokens(), lifetime=options.lifetime)


class StateTokenPlugin(AirflowPlugin):
    """Gives tasks their tokens for an app that runs elsewhere, and mounts nothing: ``STATEMOUNT_URL`` says where."""

    name: ClassVar[str] = "statemount tokens"
    fastapi_root_middlewares: ClassVar[list[Any]] = [{"middleware": OnlyTokenMiddleware, "name": "statemount tokens"}]
