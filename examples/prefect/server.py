"""Prefect's own server, with state for its tasks under /state: uvicorn --app-dir examples/prefect server:app."""

import base64
import hmac
import os
from uuid import UUID

from prefect.server import models
from prefect.server.api.server import create_app
from prefect.server.database import provide_database_interface
from prefect.server.schemas.states import StateType
from prefect.settings import get_current_settings
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from statemount import JWTAuth, StateMiddleware, StateMount, TaskInstance, TaskScope

auth = JWTAuth(secret=os.environ["STATEMOUNT_JWT_SECRET"])
state = StateMount(os.environ["STATEMOUNT_DATABASE_URL"], auth=auth)


class TaskRun(BaseModel):
    """A task run that begins.

    Args:
        task: Its key, which is the same when the flow run is run again. Prefect's own name of a task run is not.
        map_index: Which of several task runs of that task it is; -1 = the only one.
        assets: Keys of the assets that it writes.
    """

    task_run_id: UUID
    flow_run_id: UUID
    task: str
    map_index: int = -1
    assets: list[str] = []


async def begin(request: Request) -> JSONResponse:
    """Register a task run of a flow run that runs, and give it a token."""
    if not is_known(request):
        return JSONResponse({"detail": "Unauthorized"}, 401)
    try:
        task_run = TaskRun.model_validate_json(await request.body())
    except ValidationError as error:
        return JSONResponse({"detail": error.errors(include_url=False, include_input=False)}, 422)
    async with provide_database_interface().session_context() as session:
        flow_run = await models.flow_runs.read_flow_run(session=session, flow_run_id=task_run.flow_run_id)
        if flow_run is None or flow_run.state_type != StateType.RUNNING:
            return JSONResponse({"detail": "No such flow run runs"}, 409)
        flow = await models.flows.read_flow(session=session, flow_id=flow_run.flow_id)
    assets = [await state.directory.register_asset(name=key) for key in task_run.assets]
    await state.directory.register_task_instances(
        [
            TaskInstance(
                task_run.task_run_id,
                TaskScope(flow.name, str(flow_run.id), task_run.task, task_run.map_index),
                try_number=flow_run.run_count,
                outlets=frozenset(asset.asset_id for asset in assets),
            )
        ]
    )
    return JSONResponse({"token": auth.tokens.worker(task_run.task_run_id, lifetime=3600)})


def is_known(request: Request) -> bool:
    """Tell whether the caller may use Prefect's API: it has the same password, if one is set."""
    expected = get_current_settings().server.api.auth_string
    if expected is None:
        return True
    credentials = base64.b64encode(expected.get_secret_value().encode()).decode()
    return hmac.compare_digest(request.headers.get("authorization", ""), f"Basic {credentials}")


prefect = create_app()
prefect.router.routes.insert(0, Route("/task-runs", begin, methods=["POST"]))  # the UI, the last route, takes the rest
app = StateMiddleware(prefect, state=state, prefix="/state")
