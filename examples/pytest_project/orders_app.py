"""The application: it hands out work, and shows how far the orders are loaded."""

from __future__ import annotations

from uuid import uuid4

from fastapi import FastAPI

from statemount import AssetScope, JWTAuth, StateMount, TaskInstance, TaskScope


def create_app(state: StateMount, auth: JWTAuth) -> FastAPI:
    """Return the application, with the state that it is to use: a database's in production, the fixture's in tests."""
    app = FastAPI(lifespan=state.lifespan)
    app.mount("/state", state)

    @app.post("/runs/{run_id}")
    async def start_run(run_id: str) -> dict[str, str]:
        orders = await state.directory.register_asset(name="orders", uri="s3://bucket/orders")
        task_instance = TaskInstance(uuid4(), TaskScope("etl", run_id, "load"), outlets=frozenset({orders.asset_id}))
        await state.directory.register_task_instances([task_instance])
        return {"task_instance_id": str(task_instance.id), "token": auth.tokens.worker(task_instance.id)}

    @app.get("/progress")
    async def progress() -> dict[str, object]:
        orders = await state.directory.asset_by_name("orders")
        if orders is None:
            return {"loaded_until": None}
        entry = await state.service.assets.get(AssetScope(orders.asset_id), "watermark")
        return {"loaded_until": entry.load()}

    return app
