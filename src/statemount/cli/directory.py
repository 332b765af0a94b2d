"""`statemount directory`: register task instances and assets by hand."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import click

from statemount.cli.in_process import on_state
from statemount.errors import TaskInstanceNotFoundError
from statemount.model import NOT_MAPPED, Asset, AssetScope, Run, TaskInstance, TaskScope
from statemount.mount import StateMount

_PAGE = 1000

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_task_instance_id = click.argument("task_instance_id", metavar="UUID", type=click.UUID)
_asset_id = click.argument("asset_id", metavar="ASSET_ID", type=click.INT)


def _group(name: str, help_text: str) -> click.Group:
    """Return a group of commands, which prints its help if none of them is named."""

    def show_help(context: click.Context) -> None:
        if context.invoked_subcommand is None:
            click.echo(context.get_help())

    group = click.group(name, help=help_text, short_help=help_text, invoke_without_command=True)
    return group(click.pass_context(show_help))


directory: click.Group = _group("directory", "Register task instances and assets by hand.")
_task_instance = _group("task-instance", "Task instances: what a worker's token names.")
_asset = _group("asset", "Assets: what has state across runs.")
_run = _group("run", "Runs: all task instances of one run of a dag.")
for _each in (_task_instance, _asset, _run):
    directory.add_command(_each)


@_task_instance.command("add")
@click.option("--dag-id", required=True)
@click.option("--run-id", required=True)
@click.option("--task-id", required=True)
@click.option("--map-index", type=click.IntRange(min=NOT_MAPPED), default=NOT_MAPPED, help="-1 = not mapped.")
@click.option("--try-number", type=click.IntRange(min=0), default=1)
@click.option("--id", "task_instance_id", metavar="UUID", type=click.UUID, help="Unless it is given, a new one.")
@click.option("--inlet", "inlets", metavar="NAME_OR_URI", multiple=True, help="May be given several times.")
@click.option("--outlet", "outlets", metavar="NAME_OR_URI", multiple=True, help="May be given several times.")
@on_state
async def _add_task_instance(
    state: StateMount,
    *,
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: int,
    try_number: int,
    task_instance_id: UUID | None,
    inlets: tuple[str, ...],
    outlets: tuple[str, ...],
) -> None:
    """Register a task instance, and print its UUID. It replaces one that has the same ids."""
    task_instance = TaskInstance(
        task_instance_id or uuid4(),
        TaskScope(dag_id, run_id, task_id, map_index),
        try_number,
        await state.service.host.asset_ids(AssetScope(name=text, uri=text) for text in inlets),
        await state.service.host.asset_ids(AssetScope(name=text, uri=text) for text in outlets),
    )
    await state.directory.register_task_instances([task_instance])
    click.echo(str(task_instance.id))


@_task_instance.command("show")
@_task_instance_id
@_as_json
@on_state
async def _show_task_instance(state: StateMount, *, task_instance_id: UUID, as_json: bool) -> None:
    """Print how a task instance is registered."""
    _print(_told_task_instance(await _registered(state, task_instance_id)), as_json=as_json)


@_task_instance.command("remove")
@_task_instance_id
@on_state
async def _remove_task_instance(state: StateMount, *, task_instance_id: UUID) -> None:
    """Forget a task instance. Its state stays."""
    await _registered(state, task_instance_id)
    await state.directory.remove_task_instance(task_instance_id)
    click.echo(f"removed task instance {task_instance_id}")


@directory.command("revoke")
@click.option("--task-instance", "task_instance_id", metavar="UUID", type=click.UUID, help="Every token of it.")
@click.option("--jti", help="The token with this jti, and those that it is renewed to.")
@on_state
async def _revoke(state: StateMount, *, task_instance_id: UUID | None, jti: str | None) -> None:
    """Refuse tokens from now on, for 30 days: those of a task instance, or one. State and registrations stay."""
    if task_instance_id is not None and jti is None:
        await state.revoke_task_instance(task_instance_id)
        click.echo(f"revoked the tokens of task instance {task_instance_id}")
    elif task_instance_id is None and jti:
        await state.revoke_token(jti)
        click.echo(f"revoked the token {_one_line(jti)}")
    else:
        raise click.UsageError("Give either --task-instance or --jti.")


@_asset.command("add")
@click.argument("name")
@click.option("--uri", help="Unless it is given, the name.")
@click.option("--group", default="asset", show_default=True)
@on_state
async def _add_asset(state: StateMount, *, name: str, uri: str | None, group: str) -> None:
    """Register an asset, and print its id."""
    click.echo(str((await state.directory.register_asset(name=name, uri=uri, group=group)).asset_id))


@_asset.command("list")
@_as_json
@on_state
async def _list_assets(state: StateMount, *, as_json: bool) -> None:
    """Print all assets by id: id, whether it is active, name, URI and group, separated by tabs."""
    assets: list[Asset] = []
    while page := await state.directory.assets(limit=_PAGE, offset=len(assets)):
        assets += page
    if as_json:
        click.echo(json.dumps([_told_asset(asset) for asset in assets], indent=2))
        return
    for asset in assets:
        status = "active" if asset.active else "inactive"
        click.echo("\t".join([str(asset.asset_id), status, *map(_one_line, (asset.name, asset.uri, asset.group))]))


@_asset.command("deactivate")
@_asset_id
@on_state
async def _deactivate_asset(state: StateMount, *, asset_id: int) -> None:
    """Hide an asset from workers. Its state is kept for the grace period."""
    await state.service.host.deactivate_asset(asset_id)
    click.echo(f"deactivated asset {asset_id}")


@_asset.command("restore")
@_asset_id
@on_state
async def _restore_asset(state: StateMount, *, asset_id: int) -> None:
    """Make an inactive asset active again, with its state."""
    await state.service.host.restore_asset(asset_id)
    click.echo(f"restored asset {asset_id}")


@_run.command("drop")
@click.argument("dag_id")
@click.argument("run_id")
@on_state
async def _drop_run(state: StateMount, *, dag_id: str, run_id: str) -> None:
    """Forget the task instances of a run, and remove their state."""
    await state.service.host.drop_run(Run(dag_id, run_id))
    click.echo(f"dropped run {_one_line(run_id)} of dag {_one_line(dag_id)}")


async def _registered(state: StateMount, task_instance_id: UUID) -> TaskInstance:
    task_instance = await state.directory.task_instance(task_instance_id)
    if task_instance is None:
        raise TaskInstanceNotFoundError(f"Task instance {task_instance_id} not found")
    return task_instance


def _told_task_instance(task_instance: TaskInstance) -> dict[str, Any]:
    scope = task_instance.scope
    return {
        "id": str(task_instance.id),
        "dag_id": scope.dag_id,
        "run_id": scope.run_id,
        "task_id": scope.task_id,
        "map_index": scope.map_index,
        "try_number": task_instance.try_number,
        "inlets": sorted(task_instance.inlets),
        "outlets": sorted(task_instance.outlets),
    }


def _told_asset(asset: Asset) -> dict[str, Any]:
    return {
        "asset_id": asset.asset_id,
        "name": asset.name,
        "uri": asset.uri,
        "group": asset.group,
        "active": asset.active,
    }


def _print(fields: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(fields, indent=2))
        return
    for name, value in fields.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        click.echo(f"{name}: {_one_line(text)}")


def _one_line(text: str) -> str:
    """Return a text with its control characters spelt out."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
