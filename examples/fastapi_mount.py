"""Mounted in FastAPI, whose own routes hand out work: a task instance, its assets and a token for its worker."""

from __future__ import annotations

import os
from uuid import uuid4

from fastapi import FastAPI

from statemount import AssetScope, JWTAuth, StateMount, TaskInstance, TaskScope

auth = JWTAuth(secret=os.environ["STATEMOUNT_JWT_SECRET"])
state = StateMount("sqlite:///fastapi.db", auth=auth)
app = FastAPI(routes=[state.route("/state")], lifespan=state.lifespan)


@app.post("/runs/{run_id}/tasks/{task_id}")
async def start_task(run_id: str, task_id: str, outlet: str) -> dict[str, str]:
    """Register a task instance that writes to an asset; return what its worker needs."""
    asset = await state.directory.register_asset(name=outlet)
    task_instance = TaskInstance(uuid4(), TaskScope("etl", run_id, task_id), outlets=frozenset({asset.asset_id}))
    await state.directory.register_task_instances([task_instance])
    return {"task_instance_id": str(task_instance.id), "token": auth.tokens.worker(task_instance.id)}


@app.get("/assets/{asset_id}/watermark")
async def watermark(asset_id: int) -> dict[str, object]:
    """Read the state of an asset in process, as a page about its progress does."""
    entry = await state.service.assets.get(AssetScope(asset_id), "watermark")
    return {"watermark": entry.load()}
