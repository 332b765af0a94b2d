"""The app that somebody would write instead of using statemount: FastAPI, `databases` and PyJWT, used plainly.

One table, an upsert, the token checked at every request; no directory, no change log, no conditions. It is what the
benchmarks compare with, so it is neither slowed down nor tuned.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import jwt
from databases import Database
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel

URL = os.environ["BENCHMARK_DATABASE_URL"]
SECRET = os.environ["BENCHMARK_SECRET"]
database = Database(URL, timeout=30) if URL.startswith("sqlite") else Database(URL)
CREATE = """CREATE TABLE IF NOT EXISTS state (scope VARCHAR(250) NOT NULL, name VARCHAR(250) NOT NULL,
    value TEXT NOT NULL, updated_at VARCHAR(40) NOT NULL, expires_at VARCHAR(40), PRIMARY KEY (scope, name))"""
SELECT = """SELECT name, value, updated_at, expires_at FROM state WHERE scope = :scope AND name = :name
    AND (expires_at IS NULL OR expires_at > :now)"""
LIST = """SELECT name, value, updated_at, expires_at FROM state WHERE scope = :scope
    AND (expires_at IS NULL OR expires_at > :now) ORDER BY name LIMIT :limit OFFSET :offset"""
COUNT = "SELECT COUNT(*) FROM state WHERE scope = :scope AND (expires_at IS NULL OR expires_at > :now)"
UPSERT = "INSERT INTO state VALUES (:scope, :name, :value, :now, :expires_at) " + (
    "ON DUPLICATE KEY UPDATE value = VALUES(value), updated_at = VALUES(updated_at), expires_at = VALUES(expires_at)"
    if URL.startswith("mysql")
    else "ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at, "
    "expires_at = excluded.expires_at"
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with database:
        if URL.startswith("sqlite"):
            await database.execute("PRAGMA journal_mode = WAL")
        await database.execute(CREATE)
        yield


app = FastAPI(lifespan=lifespan)


class NewValue(BaseModel):
    value: Any
    expires_at: datetime | None = None


def claims(authorization: str, audience: str) -> dict[str, Any]:
    try:
        return jwt.decode(authorization.removeprefix("Bearer "), SECRET, ["HS512"], audience=audience)
    except jwt.InvalidTokenError:
        raise HTTPException(403, "Invalid auth token") from None


async def worker(authorization: Annotated[str, Header()]) -> str:
    subject: str = claims(authorization, "urn:airflow.apache.org:task")["sub"]
    return subject


async def user(authorization: Annotated[str, Header()]) -> list[str]:
    scopes: str = claims(authorization, "apache-airflow").get("scope", "")
    return scopes.split()


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def shown(row: Any) -> dict[str, Any]:
    return {**row._mapping, "key": row.name, "value": json.loads(row.value)}


async def read(scope: str, key: str) -> Any:
    row = await database.fetch_one(SELECT, {"scope": scope, "name": key, "now": now()})
    if row is None:
        raise HTTPException(404, f"Key {key!r} not found")
    return row


async def write(scope: str, key: str, body: NewValue) -> None:
    expires_at = body.expires_at and body.expires_at.astimezone(timezone.utc).isoformat()
    values = {"scope": scope, "name": key, "value": json.dumps(body.value), "now": now(), "expires_at": expires_at}
    await database.execute(UPSERT, values)


@app.get("/execution/store/ti/{task_instance_id}/{key:path}")
async def get_task(task_instance_id: str, key: str, subject: Annotated[str, Depends(worker)]) -> dict[str, Any]:
    if subject != task_instance_id:
        raise HTTPException(403, "Token subject does not match task instance ID")
    return {"value": json.loads((await read(task_instance_id, key)).value)}


@app.put("/execution/store/ti/{task_instance_id}/{key:path}", status_code=204)
async def put_task(
    task_instance_id: str, key: str, body: NewValue, subject: Annotated[str, Depends(worker)]
) -> Response:
    if subject != task_instance_id:
        raise HTTPException(403, "Token subject does not match task instance ID")
    await write(task_instance_id, key, body)
    return Response(status_code=204)


@app.get("/execution/store/asset/by-name/value", dependencies=[Depends(worker)])
async def get_asset(name: str, key: str) -> dict[str, Any]:
    return {"value": json.loads((await read(name, key)).value)}


PUBLIC = "/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/state-store"


@app.get(PUBLIC)
async def list_public(
    dag_id: str,
    run_id: str,
    task_id: str,
    permissions: Annotated[list[str], Depends(user)],
    map_index: int = -1,
    limit: int = 50,
    offset: int = 0,
) -> dict[str, Any]:
    if "state:read" not in permissions:
        raise HTTPException(403, "Forbidden")
    where = {"scope": f"{dag_id}/{run_id}/{task_id}/{map_index}", "now": now()}
    rows = await database.fetch_all(LIST, {**where, "limit": limit, "offset": offset})
    return {"task_state_store": [shown(row) for row in rows], "total_entries": await database.fetch_val(COUNT, where)}


@app.get(PUBLIC + "/{key:path}")
async def get_public(
    dag_id: str,
    run_id: str,
    task_id: str,
    key: str,
    permissions: Annotated[list[str], Depends(user)],
    map_index: int = -1,
) -> dict[str, Any]:
    if "state:read" not in permissions:
        raise HTTPException(403, "Forbidden")
    return shown(await read(f"{dag_id}/{run_id}/{task_id}/{map_index}", key))


@app.put(PUBLIC + "/{key:path}", status_code=204)
async def put_public(
    dag_id: str,
    run_id: str,
    task_id: str,
    key: str,
    body: NewValue,
    permissions: Annotated[list[str], Depends(user)],
    map_index: int = -1,
) -> Response:
    if "state:write" not in permissions:
        raise HTTPException(403, "Forbidden")
    default = datetime.now(timezone.utc) + timedelta(days=30)
    new = body if "expires_at" in body.model_fields_set else NewValue(value=body.value, expires_at=default)
    await write(f"{dag_id}/{run_id}/{task_id}/{map_index}", key, new)
    return Response(status_code=204)
