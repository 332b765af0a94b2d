"""What Airflow's configuration says, as values, and the app that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statemount.airflow.names import AUDIENCE
from statemount.airflow.users import AirflowAuth, AirflowAuthorizer, Users
from statemount.auth.jwt import JWTAuth
from statemount.errors import ConfigurationError
from statemount.settings import Settings

if TYPE_CHECKING:
    from statemount.mount import StateMount


@dataclass(frozen=True)
class AirflowOptions:
    """What the app takes over from Airflow's configuration.

    Args:
        database_url: ``[database] sql_alchemy_conn``.
        audiences: ``[execution_api] jwt_audience``.
        lifetime: Of a task's token, in seconds: ``[execution_api] jwt_expiration_time``.
        leeway: ``[api_auth] jwt_leeway``, in seconds.
        secret: ``[api_auth] jwt_secret``.
        private_key_path: ``[api_auth] jwt_private_key_path``; comes before the secret.
        jwks: ``[api_auth] trusted_jwks_url``.
        algorithms: ``[api_auth] jwt_algorithm``; empty = what the key allows.
        issuers: ``[api_auth] jwt_issuer``; empty = any.
    """

    database_url: str
    audiences: tuple[str, ...]
    lifetime: int
    leeway: float
    secret: str | None = None
    private_key_path: str | None = None
    jwks: str | None = None
    algorithms: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()

    def tokens(self) -> JWTAuth:
        """Return what verifies Airflow's tokens for tasks and ours, and signs ours with Airflow's own key.

        Raises:
            ConfigurationError: No key of Airflow's signs, or one of them is not acceptable.
        """
        if not (self.private_key_path or self.secret):
            raise ConfigurationError("Airflow has no key that signs: set [api_auth] jwt_secret or jwt_private_key_path")
        return JWTAuth(
            secret=None if self.private_key_path else self.secret,
            signing_key=self.private_key_path,
            jwks=self.jwks,
            algorithms=self.algorithms or None,
            execution_audience=(AUDIENCE, *self.audiences),
            issuer=self.issuers or None,
            leeway=self.leeway,
            renewal_lifetime=self.lifetime,
            allow_short_secret=True,  # as Airflow does, whose own is of 24 bytes
        )

    def mount(self, settings: Settings, tokens: JWTAuth, users: Users) -> StateMount:
        """Return the app for Airflow's API server.

        Args:
            settings: Those of the environment. Airflow's database is the directory's, unless they name another.
            tokens: As of :meth:`tokens`.
            users: Airflow's, for the public API.

        Raises:
            ConfigurationError: The settings name no database of their own, or cannot work.
        """
        if "database_url" not in settings.model_fields_set:
            raise ConfigurationError("set STATEMOUNT_DATABASE_URL: state is kept in a database of its own")
        from statemount.mount import StateMount

        chosen: dict[str, object] = {}
        if "directory" not in settings.model_fields_set:
            chosen["directory"] = "airflow"
        if settings.airflow_database_url is None:
            chosen["airflow_database_url"] = self.database_url
        return StateMount(
            settings=settings.replace(chosen),
            auth=AirflowAuth(tokens, users),
            authorizer=AirflowAuthorizer(users, asset_inlets=settings.asset_inlets),
        )
