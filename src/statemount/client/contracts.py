"""How the two versions of the HTTP contract address the same things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from statemount.errors import ConfigurationError

ContractVersion: TypeAlias = Literal["airflow33", "aip103"]
"""Paths as Airflow 3.3 shipped them, or as AIP-103 first had them."""

EXECUTION = "/execution"
PUBLIC = "/api/v2"


@dataclass(frozen=True, slots=True)
class Contract:
    """The words of one version.

    Args:
        worker: Of the execution route set: what the paths begin with.
        public: What the state is called below its owner.
        task_entries: The name of a list of a task instance's entries.
        asset_entries: The name of a list of an asset's.
        has_asset_paths: Whether workers name an asset in the path, by its name alone, or in the query.
    """

    worker: str
    public: str
    task_entries: str
    asset_entries: str
    has_asset_paths: bool


AIRFLOW33: Contract = Contract(f"{EXECUTION}/store", "state-store", "task_state_store", "asset_state_store", False)
AIP103: Contract = Contract(f"{EXECUTION}/state", "states", "task_states", "asset_states", True)


def contract_of(version: ContractVersion) -> Contract:
    """Return the words of a version.

    Raises:
        ConfigurationError: There is no such version.
    """
    contracts: dict[str, Contract] = {"airflow33": AIRFLOW33, "aip103": AIP103}
    if version not in contracts:
        raise ConfigurationError(f"{version!r} is no contract version: {' or '.join(get_args(ContractVersion))}")
    return contracts[version]
