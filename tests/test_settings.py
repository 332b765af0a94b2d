"""Settings: from keywords, from the environment, from files; and what is said about them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from statemount.errors import ConfigurationError
from statemount.settings import SecretUrl, Settings, masked_url, settings

CHANGED: dict[str, tuple[str, object]] = {
    "database_url": ("postgresql://db/x", SecretUrl("postgresql://db/x")),
    "store": ("host.Store", "host.Store"),
    "directory": ("claims", "claims"),
    "airflow_database_url": ("mysql+mysqldb://db/x", SecretUrl("mysql+mysqldb://db/x")),
    "jwt_secret": ("secret", SecretStr("secret")),
    "jwt_allow_short_secret": ("true", True),
    "jwt_public_key": ("PEM", SecretStr("PEM")),
    "jwt_signing_key": ("PEM", SecretStr("PEM")),
    "jwt_jwks": ("https://keys.example/jwks", "https://keys.example/jwks"),
    "jwt_algorithms": ("RS256, ES256", ("RS256", "ES256")),
    "jwt_execution_audience": ("workers", "workers"),
    "jwt_public_audience": ("people", "people"),
    "jwt_issuer": ("issuer", "issuer"),
    "jwt_leeway": ("2.5", 2.5),
    "asset_inlets": ("read", "read"),
    "watchers": ("all", "all"),
    "contracts": ("airflow33", ("airflow33",)),
    "default_retention_days": ("0.5", 0.5),
    "clear_on_success": ("true", True),
    "asset_grace_days": ("0", 0.0),
    "directory_retention_days": ("1.5", 1.5),
    "history_retention_days": ("0", 0.0),
    "history_max_changes": ("0", 0),
    "history_values": ("all", "all"),
    "history_max_value_bytes": ("100", 100),
    "sweep_interval_seconds": ("0", 0.0),
    "sweep_batch_size": ("10", 10),
    "max_value_storage_bytes": ("0", 0),
    "max_body_bytes": ("1024", 1024),
    "body_timeout_seconds": ("1.5", 1.5),
    "max_entries_per_scope": ("5", 5),
    "max_bytes_per_scope": ("6", 6),
    "directory_cache_seconds": ("0", 0.0),
    "watch_poll_interval_seconds": ("1.5", 1.5),
    "watch_heartbeat_seconds": ("20", 20.0),
    "watch_listen_url": ("postgresql://db:5432/x", SecretUrl("postgresql://db:5432/x")),
    "max_watches": ("8", 8),
    "max_watches_per_identity": ("9", 9),
    "table_prefix": ("mine_", "mine_"),
    "auto_migrate": ("no", False),
    "pool_size": ("3", 3),
    "max_queue_length": ("7", 7),
    "statement_timeout_seconds": ("2.5", 2.5),
    "metrics": ("true", True),
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("1234", 1234),
    "workers": ("4", 4),
    "server": ("uvicorn", "uvicorn"),
}
"""A value for every setting other than its default: as the environment gives it, and as it is read."""


def test_every_setting_comes_from_its_environment_variable() -> None:
    """Each setting is read from STATEMOUNT_<NAME>, and from nowhere else."""
    assert [setting.name for setting in settings()] == list(CHANGED)
    environ = {f"STATEMOUNT_{name.upper()}": text for name, (text, _) in CHANGED.items()}
    read = Settings.from_environment(environ)
    assert dict(read) == {name: value for name, (_, value) in CHANGED.items()}
    for name in CHANGED:
        assert getattr(Settings(), name) != getattr(read, name)


def test_without_variables_every_setting_has_its_default() -> None:
    """An empty environment gives the defaults."""
    assert Settings.from_environment({}) == Settings()


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no variables given, those of the process are read."""
    monkeypatch.setenv("STATEMOUNT_PORT", "4321")
    assert Settings.from_environment().port == 4321


def test_every_setting_is_described() -> None:
    """Each setting has a sentence, its variable, its default as the environment would give it, and perhaps a unit."""
    described = {setting.name: setting for setting in settings()}
    assert all(setting.description.endswith(".") for setting in described.values())
    assert all(setting.variable == f"STATEMOUNT_{name.upper()}" for name, setting in described.items())
    defaults = {setting.variable: setting.default for setting in described.values() if setting.default is not None}
    assert Settings.from_environment(defaults) == Settings()
    assert described["contracts"].default == "aip103,airflow33"
    assert described["jwt_secret"].default is None
    assert described["max_body_bytes"].unit == "bytes"
    assert described["host"].unit is None


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    """A secret and the database URL may be in a file, whose last line break does not count."""
    for setting in settings():
        if setting.is_secret:
            text, value = CHANGED[setting.name]
            file = tmp_path / setting.name
            file.write_text(f"{text}\r\n")
            assert getattr(Settings.from_environment({f"{setting.variable}_FILE": str(file)}), setting.name) == value
    assert {setting.name for setting in settings() if setting.is_secret} == {
        "airflow_database_url",
        "database_url",
        "jwt_secret",
        "jwt_public_key",
        "jwt_signing_key",
        "watch_listen_url",
    }


def test_a_secret_and_its_file_do_not_go_together(tmp_path: Path) -> None:
    """To give both is refused: nobody could know which one counts."""
    environ = {"STATEMOUNT_JWT_SECRET": "a", "STATEMOUNT_JWT_SECRET_FILE": str(tmp_path / "secret")}
    with pytest.raises(ConfigurationError, match="^STATEMOUNT_JWT_SECRET and STATEMOUNT_JWT_SECRET_FILE are both set"):
        Settings.from_environment(environ)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, or one that is no text, is refused by the variable's name and the file's."""
    missing, binary = tmp_path / "missing", tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\xfd")
    for file, reason in ((missing, "No such file or directory"), (binary, "it is not UTF-8")):
        with pytest.raises(ConfigurationError) as caught:
            Settings.from_environment({"STATEMOUNT_JWT_SECRET_FILE": str(file)})
        assert str(caught.value) == f"STATEMOUNT_JWT_SECRET_FILE: {file} cannot be read: {reason}"


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("PORT", "http", "input should be a valid integer"),
        ("PORT", "65536", "input should be less than or equal to 65535"),
        ("PORT", "", "input should be a valid integer"),
        ("SERVER", "gunicorn", "input should be 'granian' or 'uvicorn'"),
        ("DEFAULT_RETENTION_DAYS", "-1", "input should be greater than or equal to 0"),
        ("DEFAULT_RETENTION_DAYS", "nan", "input should be a finite number"),
        ("DEFAULT_RETENTION_DAYS", "inf", "input should be a finite number"),
        ("MAX_BODY_BYTES", "0", "input should be greater than 0"),
        ("CONTRACTS", "airflow34", "input should be 'aip103' or 'airflow33'"),
        ("CONTRACTS", " , ", "should have at least 1 item"),
        ("TABLE_PREFIX", "a-b", "should match pattern"),
        ("TABLE_PREFIX", "a\n", "should match pattern"),
        ("AUTO_MIGRATE", "perhaps", "input should be a valid boolean"),
        ("JWT_SECRET", " ", "must not be empty"),
        ("JWT_ISSUER", "", "must not be empty"),
        ("DATABASE_URL", "", "must be a URL"),
        ("DATABASE_URL", "state.db", "must be a URL"),
        ("WATCH_POLL_INTERVAL_SECONDS", "0", "input should be greater than or equal to 0.01"),
        ("WATCH_HEARTBEAT_SECONDS", "nan", "input should be a finite number"),
        ("WATCH_LISTEN_URL", "on", "must be a URL"),
        ("MAX_WATCHES", "0", "input should be greater than 0"),
        ("WATCHERS", "yes", "input should be 'off', 'claims' or 'all'"),
    ],
)
def test_a_bad_value_is_named_in_one_sentence(variable: str, text: str, message: str) -> None:
    """A value that cannot be used is one line that begins with its variable."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({f"STATEMOUNT_{variable}": text})
    assert str(caught.value).startswith(f"STATEMOUNT_{variable}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_several_bad_values_are_all_named() -> None:
    """Every variable that is wrong is named at once."""
    with pytest.raises(ConfigurationError, match=r"^STATEMOUNT_PORT: .*; STATEMOUNT_SERVER: "):
        Settings.from_environment({"STATEMOUNT_PORT": "x", "STATEMOUNT_SERVER": "x"})


def test_a_bad_secret_is_not_told() -> None:
    """The message about a value that is refused never holds a secret."""
    for values in ({"jwt_secret": ["hidden"]}, {"database_url": "user:hidden@host"}, {"jwt_public_key": 17171}):
        with pytest.raises(ConfigurationError) as caught:
            Settings.build(values)
        assert not {"hidden", "17171"} & set(str(caught.value).replace("'", " ").split())
        assert caught.value.__cause__ is None


def test_a_misspelt_variable_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A variable with our prefix that is no setting is a warning; one with another prefix is nobody's business."""
    Settings.from_environment({"STATEMOUNT_PROT": "1", "STATEMOUNT_PORT_FILE": "x", "OTHER": "1", "STATEMOUNT": "1"})
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.WARNING, "the environment variable STATEMOUNT_PORT_FILE is no setting of statemount"),
        (logging.WARNING, "the environment variable STATEMOUNT_PROT is no setting of statemount"),
    ]


def test_variables_of_clients_are_known(caplog: pytest.LogCaptureFixture) -> None:
    """The variables of clients and workers change nothing here, and nobody is warned of them."""
    names = ("URL", "TOKEN", "TOKEN_FILE", "WORKER_STATE_BACKEND")
    assert Settings.from_environment({f"STATEMOUNT_{name}": "x" for name in names}) == Settings()
    assert caplog.records == []


def test_secrets_are_masked_wherever_they_are_printed() -> None:
    """No secret and no password of a URL is in a repr, a text, a log line or a dump."""
    made = Settings(
        database_url=SecretUrl("postgresql://user:hidden-1@db:5432/name?sslmode=require"),
        jwt_secret=SecretStr("hidden-2"),
        jwt_public_key=SecretStr("hidden-3"),
        jwt_signing_key=SecretStr("hidden-4"),
    )
    printed = f"{made!r} {made} {made.model_dump()} {made.model_dump_json()} {made.database_url} {made.database_url!r}"
    assert "hidden" not in printed
    assert "postgresql://user:***@db:5432/name?sslmode=require" in repr(made)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///state.db", "sqlite:///state.db"),
        ("sqlite:////srv/a@b/state.db", "sqlite:////srv/a@b/state.db"),
        ("postgresql://user@db/name", "postgresql://user@db/name"),
        ("postgresql://user:@db/name", "postgresql://user:***@db/name"),
        ("postgresql://user:p@ss:w/rd?#@db/name", "postgresql://user:***@db/name"),
        ("mysql+asyncmy://:secret@db:3306/name", "mysql+asyncmy://:***@db:3306/name"),
        ("postgresql://db/name?user=u&password=s%20ecret&x=1", "postgresql://db/name?user=u&password=***&x=1"),
        ("postgresql://u:secret@a:1,b:2/name?password=p", "postgresql://u:***@a:1,b:2/name?password=***"),
    ],
)
def test_the_password_of_a_url_is_masked(url: str, shown: str) -> None:
    """Wherever a password stands in a URL, it is left out; the rest stays as it is."""
    assert masked_url(url) == shown


def test_settings_do_not_change() -> None:
    """A setting cannot be assigned."""
    made: Any = Settings()
    with pytest.raises(ValidationError):
        made.port = 1


def test_settings_are_replaced_one_by_one() -> None:
    """Some settings are replaced, the others stay; what is wrong is named as it was given."""
    made = Settings(port=1234, host="::1").replace({"port": 4321, "contracts": ["aip103"]})
    assert (made.port, made.host, made.contracts) == (4321, "::1", ("aip103",))
    with pytest.raises(ConfigurationError, match="^prot is no setting$"):
        made.replace({"prot": 1})
    with pytest.raises(ConfigurationError, match="^port: input should be a valid integer"):
        made.replace({"port": "x"})
