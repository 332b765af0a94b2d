"""What `statemount serve --dev` puts in place of settings that are missing, and what it prints."""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from pathlib import Path
from uuid import uuid4

from statemount.cli.issuer import issuer_of
from statemount.settings import Settings

_KEYS = tuple(f"STATEMOUNT_JWT_{name}" for name in ("SECRET", "PUBLIC_KEY", "SIGNING_KEY", "JWKS"))
_A_DAY = 24 * 60 * 60

_INVITATION = """\
statemount, for development: every task instance and asset that is addressed exists. State is in {database}.
Copy these lines to another terminal:

  export TOKEN={token}
  export TASK={base}/ti/{task_instance_id}
  export ASSET={base}/asset/by-name

  curl -X PUT "$TASK/job_id" -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
    -d '{{"value": "job-42"}}'
  curl "$TASK/job_id" -H "Authorization: Bearer $TOKEN"
  curl -X PUT "$ASSET/value?name=orders&key=watermark" -H "Authorization: Bearer $TOKEN" \\
    -H "Content-Type: application/json" -d '{{"value": "2026-01-01"}}'
  curl "$ASSET/value?name=orders&key=watermark" -H "Authorization: Bearer $TOKEN"
"""


def develop(environ: MutableMapping[str, str], directory: Path) -> None:
    """Add what is missing for a first try: an open directory, a secret, a SQLite file.

    Args:
        environ: Environment variables.
        directory: Where the file may be.
    """
    environ.setdefault("STATEMOUNT_DIRECTORY", "open")
    if "STATEMOUNT_DATABASE_URL_FILE" not in environ:
        environ.setdefault("STATEMOUNT_DATABASE_URL", f"sqlite:///{directory / 'state.db'}")
    if not any(name in environ or f"{name}_FILE" in environ for name in _KEYS):
        environ["STATEMOUNT_JWT_SECRET"] = secrets.token_urlsafe(48)


def invitation(settings: Settings) -> str:
    """Return a worker's token with commands that use it.

    Raises:
        ConfigurationError: The settings name no secret to sign it with.
    """
    task_instance_id = uuid4()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return _INVITATION.format(
        database=settings.database_url,
        token=issuer_of(settings).worker(task_instance_id, lifetime=_A_DAY),
        base=f"http://{host}:{settings.port}/execution/store",
        task_instance_id=task_instance_id,
    )
