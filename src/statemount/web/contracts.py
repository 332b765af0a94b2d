"""What the two contract versions call the same things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from statemount.web.answers import (
    AssetStateCollectionResponse,
    AssetStateResponse,
    AssetStateStoreCollectionResponse,
    AssetStateStoreResponse,
    TaskStateCollectionResponse,
    TaskStateStoreCollectionResponse,
    TaskStateStoreResponse,
)

ContractVersion = Literal["airflow33", "aip103"]
"""Paths as Airflow 3.3 shipped them, or as AIP-103 first had them."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a contract version calls the state of a task instance, or of an asset.

    Args:
        key: Begins the message about a missing key.
        tag: The group of its operations.
        operation: Ends the ids of its operations; ``operations`` that of its list.
        entries: The list's name in an answer.
        entry_model: Of one entry of the public API.
        page_model: Of its list.
        shows_writer: Whether an entry says who wrote it.
    """

    key: str
    tag: str
    operation: str
    operations: str
    entries: str
    entry_model: type[BaseModel]
    page_model: type[BaseModel]
    shows_writer: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """The words of one contract version.

    Args:
        segment: Of the public paths: what the state is below its owner.
    """

    version: ContractVersion
    segment: str
    tasks: Words
    assets: Words


CONTRACTS: dict[ContractVersion, Contract] = {
    "airflow33": Contract(
        "airflow33",
        "state-store",
        Words(
            key="Task state store key",
            tag="Task State Store",
            operation="task_state_store",
            operations="task_state_store",
            entries="task_state_store",
            entry_model=TaskStateStoreResponse,
            page_model=TaskStateStoreCollectionResponse,
        ),
        Words(
            key="Asset state store key",
            tag="Asset State Store",
            operation="asset_state_store",
            operations="asset_state_store",
            entries="asset_state_store",
            entry_model=AssetStateStoreResponse,
            page_model=AssetStateStoreCollectionResponse,
            shows_writer=True,
        ),
    ),
    "aip103": Contract(
        "aip103",
        "states",
        Words(
            key="Task state key",
            tag="Task State",
            operation="task_state",
            operations="task_states",
            entries="task_states",
            entry_model=TaskStateStoreResponse,
            page_model=TaskStateCollectionResponse,
        ),
        Words(
            key="Asset state key",
            tag="Asset State",
            operation="asset_state",
            operations="asset_states",
            entries="asset_states",
            entry_model=AssetStateResponse,
            page_model=AssetStateCollectionResponse,
        ),
    ),
}
"""Both, by name."""
