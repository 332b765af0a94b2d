"""What a task may not do, in a dag of its own. It prints one line of JSON for each attempt."""

import json

import httpx
from airflow.configuration import conf
from airflow.sdk import Asset, Connection, dag, task

from statemount.airflow import current_worker
from statemount.errors import StateMountError

mine = Asset("mine", uri="s3://lake/mine")
read = Asset("read", uri="s3://lake/read")
other = Asset("other", uri="s3://lake/other")


def outcome(call) -> str:
    """Return what became of a call."""
    try:
        call()
    except StateMountError as error:
        return type(error).__name__
    return "done"


@dag(schedule=None, catchup=False)
def checks():
    """Try."""

    @task(outlets=[other])
    def declares_other():
        """Makes the asset known."""

    @task(inlets=[read], outlets=[mine])
    def tries(ti=None):
        with current_worker() as worker:
            for name in ("mine", "read", "other", "nowhere"):
                result = outcome(lambda name=name: worker.asset_state(name=name).set("key", 1))
                print(json.dumps({"asset": name, "result": result}))
            worker.task_state.set("key", {"value": [1, "é"]})
            print(json.dumps({"task": worker.task_state.get("key")}))
        connection = Connection.get("statemount")
        print(f"masked: {connection.password}")
        server = conf.get("core", "execution_api_server_url").rstrip("/").removesuffix("/execution")
        headers = {"Authorization": f"Bearer {connection.password}"}
        for url, name in (
            (f"{server}/execution/variables/any", "execution"),
            (f"{server}/api/v2/dags", "public"),
            (f"{worker._url}/api/v2/assets/1/state-store", "our public"),
            (f"{worker._url}/execution/store/ti/00000000-0000-7000-8000-000000000000/key", "another task"),
        ):
            status = httpx.get(url, headers=headers).status_code
            print(json.dumps({"api": name, "status": status}))

    @task
    def doubles(number):
        with current_worker() as worker:
            worker.task_state.set("number", number)

    doubles.expand(number=[10, 20])
    declares_other()
    tries()


checks()
