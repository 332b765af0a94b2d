"""Every setting: its type, default, unit and meaning, and the environment variable that it comes from."""

from __future__ import annotations

import ast
import inspect
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    SecretStr,
    ValidationError,
)

from statemount.errors import ConfigurationError

_logger = logging.getLogger(__name__)

PREFIX = "STATEMOUNT_"
"""What the name of every environment variable begins with."""

_FILE = "_FILE"
_OF_CLIENTS = frozenset(f"{PREFIX}{name}" for name in ("URL", "TOKEN", "TOKEN_FILE", "WORKER_STATE_BACKEND"))
_MEBIBYTE = 1024 * 1024
_PASSWORD = re.compile(r"(?<=://)([^:/?#]*):.*(?=@[^@]*$)|(?<=[?&]password=)[^&]*")


class SecretUrl(SecretStr):
    """A database URL; whatever prints it leaves the password out."""

    def _display(self) -> str:
        return masked_url(self.get_secret_value())


def masked_url(url: str) -> str:
    """Return the URL with ``***`` for its password."""
    return _PASSWORD.sub(lambda match: f"{match[1]}:***" if match[1] is not None else "***", url)


def _split(value: object) -> object:
    """Read a list as the environment gives it: separated by commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _not_blank_secret(value: SecretStr) -> SecretStr:
    _not_blank(value.get_secret_value())
    return value


def _is_url(value: SecretUrl) -> SecretUrl:
    if "://" not in value.get_secret_value():
        raise ValueError("must be a URL such as sqlite:///statemount.db")
    return value


OFF = "off"
"""As a URL: none at all."""


def _is_url_or_off(value: SecretUrl | None) -> SecretUrl | None:
    return value if value is None or value.get_secret_value() == OFF else _is_url(value)


_Text = Annotated[str, AfterValidator(_not_blank)]
_Secret = Annotated[SecretStr, AfterValidator(_not_blank_secret)]
_Names = Annotated[tuple[_Text, ...], BeforeValidator(_split)]
_Contracts = Annotated[tuple[Literal["aip103", "airflow33"], ...], BeforeValidator(_split), Field(min_length=1)]


def _unit(name: str) -> dict[str, Any]:
    return {"unit": name}


class Settings(BaseModel):
    """What can be set, with its default. The environment variable of ``port`` is ``STATEMOUNT_PORT``, and so on."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: Annotated[SecretUrl, AfterValidator(_is_url)] = SecretUrl("sqlite:///statemount.db")
    """Where state is kept: `sqlite:///<file>`, `postgresql://...`, `mysql://...`, or `memory://` for tests."""

    store: _Text = "database"
    """What keeps the entries: `database`, `memory`, or the dotted path of a class or function that gives a store."""

    directory: _Text = "database"
    """What knows the task instances and assets: `database`, `memory`, `claims` (trust the token's claims), `airflow`
    (Airflow's own tables), `open` (accept whatever is addressed; for development only), or the dotted path of a class
    or function."""

    airflow_database_url: Annotated[SecretUrl, AfterValidator(_is_url)] | None = None
    """Airflow's metadata database, as its `[database] sql_alchemy_conn` names it, for the directory `airflow`. It is
    only read."""

    jwt_secret: _Secret | None = None
    """The secret that tokens of both route sets are signed with (HS256, HS384, HS512): 64 bytes or more with HS512."""

    jwt_allow_short_secret: bool = False
    """Whether a secret of 16 bytes is enough, such as one that Airflow has made up for itself."""

    jwt_public_key: _Secret | None = None
    """The public key, in PEM, that tokens are verified with, in place of a secret."""

    jwt_signing_key: _Secret | None = None
    """The private key, in PEM, that renewed tokens are signed with. Unset: the secret, if there is one; else no token
    is renewed."""

    jwt_jwks: _Text | None = None
    """The file or `https://` URL of a JSON Web Key Set that tokens are verified with, in place of a secret."""

    jwt_algorithms: _Names | None = None
    """The algorithms that a token may be signed with, separated by commas. Unset: HS512 for a secret; what the kind of
    key allows for a public key or a JWKS."""

    jwt_execution_audience: _Text = "urn:airflow.apache.org:task"
    """The audience of workers' tokens."""

    jwt_public_audience: _Text = "apache-airflow"
    """The audience of tokens for the public API."""

    jwt_issuer: _Text | None = None
    """The issuer that tokens must name. Unset: any."""

    jwt_leeway: Annotated[NonNegativeFloat, Field(json_schema_extra=_unit("seconds"))] = 10.0
    """How far the clocks of issuer and server may differ."""

    asset_inlets: Literal["write", "read"] = "write"
    """What a task may do to the state of its inlets: `write` (as of its outlets) or `read` only."""

    watchers: Literal["off", "claims", "all"] = "off"
    """Which assets a watcher (a trigger without a task instance) reaches: none (`off`: its token is refused), those in
    its token's `claims`, or `all`."""

    contracts: _Contracts = ("aip103", "airflow33")
    """The contract versions that are served, separated by commas."""

    default_retention_days: Annotated[
        NonNegativeFloat, Field(allow_inf_nan=False, le=36500, json_schema_extra=_unit("days"))
    ] = 30.0
    """How long a task's entry is kept that asks for the default; 0 = for ever."""

    clear_on_success: bool = False
    """Whether a task's state is cleared when the host reports its success."""

    asset_grace_days: Annotated[
        NonNegativeFloat, Field(allow_inf_nan=False, le=36500, json_schema_extra=_unit("days"))
    ] = 7.0
    """How long the state of a deactivated asset is kept, and the asset can be restored; 0 = for ever."""

    directory_retention_days: Annotated[
        NonNegativeFloat, Field(allow_inf_nan=False, le=36500, json_schema_extra=_unit("days"))
    ] = 90.0
    """How long a task instance is known after it was registered last; 0 = for ever. Its state stays."""

    history_retention_days: Annotated[
        NonNegativeFloat, Field(allow_inf_nan=False, le=36500, json_schema_extra=_unit("days"))
    ] = 7.0
    """How long the history keeps a change; 0 = for ever."""

    history_max_changes: Annotated[NonNegativeInt, Field(json_schema_extra=_unit("changes"))] = 1000
    """How many of its newest changes the history of one task instance or asset keeps, and up to a tenth and ten more;
    0 = all."""

    history_values: Literal["assets", "all", "none"] = "assets"
    """Whose values the history keeps: those of `assets`, of tasks too (`all`), or `none`. Who wrote what, and when, it
    keeps of all."""

    history_max_value_bytes: Annotated[PositiveInt, Field(json_schema_extra=_unit("bytes"))] = 8192
    """The longest value, as stored, that the history keeps."""

    sweep_interval_seconds: Annotated[
        NonNegativeFloat, Field(allow_inf_nan=False, le=86_400, json_schema_extra=_unit("seconds"))
    ] = 60.0
    """How often every process removes what is over: expired entries, assets after their grace period, task instances
    and changes of the history after their retention; 0 = it does not."""

    sweep_batch_size: Annotated[int, Field(ge=1, le=10_000, json_schema_extra=_unit("entries"))] = 1000
    """The most that is removed in one transaction."""

    max_value_storage_bytes: Annotated[NonNegativeInt, Field(json_schema_extra=_unit("bytes"))] = 65_535
    """The longest value, as stored, that the public API takes; 0 = no limit of its own."""

    max_body_bytes: Annotated[PositiveInt, Field(json_schema_extra=_unit("bytes"))] = 4 * _MEBIBYTE
    """The longest request body, and the longest value, as stored, that anybody may write."""

    body_timeout_seconds: Annotated[
        NonNegativeFloat, Field(allow_inf_nan=False, le=3600, json_schema_extra=_unit("seconds"))
    ] = 30.0
    """How long a request's body is waited for, from the first wait until it is complete: then it is answered with 408;
    0 = for ever."""

    max_entries_per_scope: Annotated[PositiveInt, Field(json_schema_extra=_unit("entries"))] = 10_000
    """The most entries of one task instance or asset."""

    max_bytes_per_scope: Annotated[PositiveInt, Field(json_schema_extra=_unit("bytes"))] = 64 * _MEBIBYTE
    """The most bytes, as stored, of one task instance or asset."""

    directory_cache_seconds: Annotated[
        NonNegativeFloat, Field(allow_inf_nan=False, le=3600, json_schema_extra=_unit("seconds"))
    ] = 5.0
    """How long an answer of the directory may be used again: within this time a removed task instance or a withdrawn
    grant is refused everywhere; 0 = ask every time."""

    watch_poll_interval_seconds: Annotated[
        float, Field(allow_inf_nan=False, ge=0.01, le=60, json_schema_extra=_unit("seconds"))
    ] = 0.25
    """How often every process asks the database for what other processes have changed, as long as somebody watches. On
    PostgreSQL, as long as they are heard (`watch_listen_url`), a tenth as often."""

    watch_heartbeat_seconds: Annotated[
        float, Field(allow_inf_nan=False, ge=0.1, le=600, json_schema_extra=_unit("seconds"))
    ] = 15.0
    """How often a watch is sent a sign of life; then it is also asked again whether it may go on."""

    watch_listen_url: Annotated[SecretUrl | None, AfterValidator(_is_url_or_off)] = None
    """Where to hear at once, on PostgreSQL, what other processes have changed: the database's URL without a
    transaction-pooling PgBouncer in between, or `off`. Unset: `database_url`, unless that has
    `statement_cache_size=0`."""

    max_watches: Annotated[PositiveInt, Field(json_schema_extra=_unit("watches"))] = 10_000
    """The most watches that one process serves at once; one more is answered with 503. It is never more than three
    quarters of the files that the process may have open."""

    max_watches_per_identity: Annotated[PositiveInt, Field(json_schema_extra=_unit("watches"))] = 1000
    """The most watches of one token's subject that one process serves at once; one more is answered with 429."""

    table_prefix: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,29}$")] = "statemount_"
    """What the names of tables and indexes begin with: small letters, digits and `_`, at most 30."""

    auto_migrate: bool | None = None
    """Whether the schema is brought up to date at the start. Unset: on SQLite only."""

    pool_size: Annotated[PositiveInt, Field(json_schema_extra=_unit("connections"))] = 10
    """The most connections to the database server that one process opens."""

    max_queue_length: Annotated[PositiveInt, Field(json_schema_extra=_unit("operations"))] = 1000
    """The most operations that may wait for the database; one more is answered with 503."""

    statement_timeout_seconds: Annotated[
        float, Field(allow_inf_nan=False, ge=0.1, le=600, json_schema_extra=_unit("seconds"))
    ] = 10.0
    """How long a statement may take on a database server. A server that does not answer at all is given up on two
    seconds later: what waits for it is answered with 503."""

    metrics: bool = False
    """Whether `/metrics` shows the metrics of its process, as Prometheus reads them; needs `statemount[metrics]`."""

    host: _Text = "127.0.0.1"
    """The address that `statemount serve` listens on."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """The port that `statemount serve` listens on."""

    workers: Annotated[PositiveInt, Field(json_schema_extra=_unit("processes"))] = 1
    """How many processes `statemount serve` runs."""

    server: Literal["granian", "uvicorn"] = "granian"
    """The server that `statemount serve` runs."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from environment variables; those of a secret may name a file (``..._FILE``).

        A variable with the prefix that is no setting is logged: it is likely a misspelt one.

        Args:
            environ: The variables; None = the process's own.

        Raises:
            ConfigurationError: A value cannot be used; the message names the variable.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, object] = {}
        known = set(_OF_CLIENTS)
        for setting in settings():
            known.update(setting.variables)
            value = _read(setting, environ)
            if value is not None:
                values[setting.name] = value
        for variable in sorted(environ):
            if variable.startswith(PREFIX) and variable not in known and not variable.startswith(f"{PREFIX}TEST_"):
                _logger.warning("the environment variable %s is no setting of statemount", variable)
        return cls.build(values, lambda name: f"{PREFIX}{name.upper()}")

    @classmethod
    def build(cls, values: Mapping[str, object], label: Callable[[str], str] = str) -> Settings:
        """Return settings, or say in one sentence what is wrong with them.

        Args:
            label: Turns the name of a setting into what the message calls it.

        Raises:
            ConfigurationError: A value cannot be used, or there is no such setting.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigurationError(_sentence(error, label)) from None

    def replace(self, values: Mapping[str, object]) -> Settings:
        """Return these settings with some of them replaced.

        Raises:
            ConfigurationError: A value cannot be used, or there is no such setting.
        """
        chosen = {name: getattr(self, name) for name in self.model_fields_set}
        return self.build({**chosen, **values})


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as documentation and command line show it.

    Args:
        variable: Its environment variable.
        default: As the environment would give it; None = unset.
        unit: What a number counts.
        is_secret: Its value is never shown, and may be in a file that ``<variable>_FILE`` names.
    """

    name: str
    variable: str
    default: str | None
    unit: str | None
    is_secret: bool

    @property
    def description(self) -> str:
        """What it means, in a line of Markdown; empty where the package was installed without its source files."""
        return _descriptions().get(self.name, "")

    @property
    def variables(self) -> tuple[str, ...]:
        """Every environment variable that it can come from."""
        return (self.variable, self.variable + _FILE) if self.is_secret else (self.variable,)


def settings() -> Iterator[Setting]:
    """Return every setting, in the order of :class:`Settings`."""
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        yield Setting(
            name=name,
            variable=f"{PREFIX}{name.upper()}",
            default=_shown(field.default),
            unit=str(extra["unit"]) if isinstance(extra, dict) and "unit" in extra else None,
            is_secret=_is_secret(field.annotation),
        )


@cache
def _descriptions() -> Mapping[str, str]:
    """Return the text below each field of :class:`Settings`; pydantic would read the source at every import."""
    try:
        source = ast.parse(inspect.getsource(Settings))
    except OSError:
        return {}
    body = next(node.body for node in ast.walk(source) if isinstance(node, ast.ClassDef))
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _is_secret(annotation: object) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, SecretStr):
        return True
    return any(_is_secret(part) for part in get_args(annotation))


def _shown(default: object) -> str | None:
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    return None if default is None else str(default)


def _read(setting: Setting, environ: Mapping[str, str]) -> str | None:
    value = environ.get(setting.variable)
    file = environ.get(setting.variable + _FILE) if setting.is_secret else None
    if file is None:
        return value
    if value is not None:
        raise ConfigurationError(f"{setting.variable} and {setting.variable}{_FILE} are both set: set one of them")
    try:
        return Path(file).read_text("utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{setting.variable}{_FILE}: {file} cannot be read: {reason}") from error


def _sentence(error: ValidationError, label: Callable[[str], str]) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(problem["loc"][0])
        if problem["type"] == "extra_forbidden":
            parts.append(f"{label(name)} is no setting")
            continue
        message = problem["msg"].removeprefix("Value error, ")
        parts.append(f"{label(name)}: {message[:1].lower()}{message[1:]}")
    return "; ".join(parts)
