"""Dagster's own webserver, with state for its steps under /state: python server.py definitions.py."""

import os
import sys
from functools import partial
from pathlib import Path
from uuid import UUID, uuid5

import uvicorn
from anyio.to_thread import run_sync
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from statemount import JWTAuth, StateMiddleware, StateMount, TaskInstance, TaskScope

auth = JWTAuth(secret=os.environ["STATEMOUNT_JWT_SECRET"])
state = StateMount(os.environ["STATEMOUNT_DATABASE_URL"], auth=auth)


def step_of(
    context: WorkspaceProcessContext, run_id: str, step_key: str
) -> tuple[TaskScope, set[str], set[str]] | None:
    """Return the scope of a step of a run that runs, and the asset keys that it reads and writes, as Dagster has them.

    A run that is executed again has the scope of the first one.
    """
    run = context.instance.get_run_by_id(run_id)
    if run is None or run.status is not DagsterRunStatus.STARTED:
        return None
    op = step_key.partition("[")[0]
    inlets, outlets = set(), set()
    for node in context.create_request_context().asset_graph.asset_nodes:
        if node.is_materializable and op in node.resolve_to_singular_repo_scoped_node().asset_node_snap.op_names:
            outlets.add(node.key.to_user_string())
            inlets.update(key.to_user_string() for key in node.parent_keys)
    return TaskScope(run.job_name, run.root_run_id or run.run_id, step_key), inlets, outlets


async def begin(context: WorkspaceProcessContext, request: Request) -> JSONResponse:
    """Register a step and give it a token."""
    run_id, step_key = request.path_params["run_id"], request.path_params["step_key"]
    step = await run_sync(step_of, context, str(run_id), step_key)
    if step is None:
        return JSONResponse({"detail": "No such run runs"}, 409)
    scope, *keys = step
    inlets, outlets = [
        frozenset([(await state.directory.register_asset(name=name)).asset_id for name in names]) for names in keys
    ]
    step_id: UUID = uuid5(run_id, step_key)
    await state.directory.register_task_instances([TaskInstance(step_id, scope, inlets=inlets, outlets=outlets)])
    return JSONResponse({"id": str(step_id), "token": auth.tokens.worker(step_id, lifetime=3600)})


def main(file: str, port: int) -> None:
    """Serve."""
    target = PythonFileTarget(file, None, str(Path.cwd()), None)
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, target, version=__version__) as context,
    ):
        webserver = create_app_from_workspace_process_context(context)
        begins = Route("/steps/{run_id:uuid}/{step_key}", partial(begin, context), methods=["POST"])
        webserver.router.routes.insert(0, begins)  # the UI, the last route, takes the rest
        uvicorn.run(StateMiddleware(webserver, state=state, prefix="/state"), port=port)


if __name__ == "__main__":
    main(sys.argv[1], int(os.environ.get("PORT", "3000")))
