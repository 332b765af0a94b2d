"""Run the Django example, which is set up once in a process: ``python -m tests.hosts.django_example``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

from statemount import TaskInstance, TaskScope

_KEY = "/state/api/v2/dags/dag/dagRuns/run/taskInstances/task/state-store/key"


def main() -> None:
    """Let a worker and three users try to write, and print what they are told."""
    import django_site  # in the directory of the examples
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    users: dict[str, dict[str, str]] = {"nobody": {}}
    for name, is_staff in (("staff", True), ("customer", False)):
        client = Client()
        client.force_login(User.objects.create_user(name, is_staff=is_staff))
        users[name] = {"cookie": f"sessionid={client.cookies['sessionid'].value}"}
    asyncio.run(_write(django_site, users))


async def _write(site: Any, users: Mapping[str, Mapping[str, str]]) -> None:
    task_instance = TaskInstance(uuid4(), TaskScope("dag", "run", "task"))
    await site.state.directory.register_task_instances([task_instance])
    worker = {"authorization": f"Bearer {site.workers.tokens.worker(task_instance.id)}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="http://localhost") as client:
        print("hello:", (await client.get("/hello")).json())
        own = f"/state/execution/store/ti/{task_instance.id}/key"
        print("worker:", (await client.put(own, json={"value": 1}, headers=worker)).status_code)
        for name, headers in users.items():
            print(f"{name}:", (await client.put(_KEY, json={"value": 2}, headers=dict(headers))).status_code)
        print("value:", (await client.get(own, headers=worker)).json())
    await site.state.stop()


if __name__ == "__main__":
    main()
