"""`statemount token`: a token for a worker, or for the public API."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import click

from statemount.auth.tokens import TokenIssuer
from statemount.cli.issuer import issuer_of
from statemount.settings import Settings


@click.command(short_help="Print a token.")
@click.argument("task_instance_id", type=click.UUID, required=False)
@click.option("--public", metavar="SUBJECT", help="Instead of a worker's, a token for the public API.")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice(["state:read", "state:write", "state:delete", "directory:read", "directory:write"]),
    help="With --public: what the token permits. May be given several times.",
)
@click.option("--lifetime", type=click.IntRange(min=1), default=600, show_default=True, help="In seconds.")
@click.option(
    "--claim",
    "claims",
    metavar="NAME=VALUE",
    multiple=True,
    help="A further claim; the value is read as JSON, or else as text. May be given several times.",
)
def token(
    task_instance_id: UUID | None,
    public: str | None,
    permissions: tuple[str, ...],
    lifetime: int,
    claims: tuple[str, ...],
) -> None:
    """Print a token for the worker that runs TASK_INSTANCE_ID (a UUID), or for the public API.

    It is signed with STATEMOUNT_JWT_SIGNING_KEY, or else with STATEMOUNT_JWT_SECRET (or what is in the file that
    ..._FILE names).
    """
    further = dict(map(_claim, claims))
    if task_instance_id is not None and public is None and not permissions:
        click.echo(_issuer().worker(task_instance_id, lifetime=lifetime, claims=further))
    elif task_instance_id is None and public is not None:
        click.echo(_issuer().public(public, permissions, lifetime=lifetime, claims=further))
    else:
        raise click.UsageError("give a task instance's UUID alone, or --public SUBJECT, perhaps with --permission")


def _issuer() -> TokenIssuer:
    return issuer_of(Settings.from_environment())


def _claim(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--claim takes NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
