"""The HTTP client: task state and asset state of a server, for threads and for event loops, with the same names.

It needs httpx and tenacity, and nothing of the server: neither Starlette nor a database.
"""

from __future__ import annotations

from statemount.client.async_claim import AsyncClaim
from statemount.client.async_client import AsyncStateClient
from statemount.client.async_directory import AsyncDirectoryClient
from statemount.client.async_public import AsyncPublicAssetState, AsyncPublicClient, AsyncPublicTaskState
from statemount.client.async_scope import AsyncBatch
from statemount.client.async_watch import AsyncWatch
from statemount.client.async_worker import AsyncWorkerAssetState, AsyncWorkerTaskState
from statemount.client.contracts import ContractVersion
from statemount.client.correlation import correlation_id
from statemount.client.credentials import Token, token_file
from statemount.client.errors import ClaimedError, ClaimLostError, UnexpectedAnswerError
from statemount.client.events import EventKind, StateEvent
from statemount.client.retries import Retries
from statemount.client.sync_claim import Claim
from statemount.client.sync_client import StateClient
from statemount.client.sync_directory import DirectoryClient
from statemount.client.sync_public import PublicAssetState, PublicClient, PublicTaskState
from statemount.client.sync_scope import Batch
from statemount.client.sync_watch import Watch
from statemount.client.sync_worker import WorkerAssetState, WorkerTaskState
from statemount.client.values import (
    AssetPage,
    AssetReference,
    BatchOutcome,
    HistoryPage,
    OperationResult,
    Registration,
    StateChange,
    StateEntry,
    StatePage,
    StateValue,
)

__all__ = [
    "AssetPage",
    "AssetReference",
    "AsyncBatch",
    "AsyncClaim",
    "AsyncDirectoryClient",
    "AsyncPublicAssetState",
    "AsyncPublicClient",
    "AsyncPublicTaskState",
    "AsyncStateClient",
    "AsyncWatch",
    "AsyncWorkerAssetState",
    "AsyncWorkerTaskState",
    "Batch",
    "BatchOutcome",
    "Claim",
    "ClaimLostError",
    "ClaimedError",
    "ContractVersion",
    "DirectoryClient",
    "EventKind",
    "HistoryPage",
    "OperationResult",
    "PublicAssetState",
    "PublicClient",
    "PublicTaskState",
    "Registration",
    "Retries",
    "StateChange",
    "StateClient",
    "StateEntry",
    "StateEvent",
    "StatePage",
    "StateValue",
    "Token",
    "UnexpectedAnswerError",
    "Watch",
    "WorkerAssetState",
    "WorkerTaskState",
    "correlation_id",
    "token_file",
]
