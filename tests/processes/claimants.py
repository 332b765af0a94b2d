"""Two processes that claim one key at the same moment, again and again: ``python -m tests.processes.claimants``."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from statemount.client import Claim, ClaimedError, StateClient

KEY = "lock"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Plan:
    """What the processes are told.

    Args:
        urls: Of a server for each of them.
        token: The worker's.
        rounds: How often they claim.
        results: Where each writes its tokens, in the order of rounds; 0 = it did not get the claim.
    """

    urls: tuple[str, str]
    token: str
    ti_id: str
    rounds: int
    results: tuple[str, str]


def claim_all(plan: Plan, number: int, other: socket.socket) -> list[int]:
    """Claim once in each round, which begins when both are ready, and ends when both know what came of it."""
    tokens = []
    transport = httpx.HTTPTransport(verify=False)  # certificates take longer to load than all the rounds
    with StateClient(plan.urls[number], token=plan.token, transport=transport) as client:
        state = client.task_instance(plan.ti_id)
        for _ in range(plan.rounds):
            claim = state.claim(KEY, ttl=3600)
            _meet(other)
            tokens.append(_token_of(claim))
            _meet(other)
            if tokens[-1]:
                claim.release()
    return tokens


def _token_of(claim: Claim) -> int:
    try:
        return claim.take().token
    except ClaimedError:
        return 0


def _meet(other: socket.socket) -> None:
    """Wait for the other process."""
    other.sendall(b".")
    if other.recv(1) != b".":
        raise RuntimeError("the other process has ended")


def main() -> None:
    """Be both of them."""
    told = json.loads(sys.argv[1])
    plan = Plan(**told)
    ends = socket.socketpair()
    for end in ends:
        end.settimeout(_PATIENCE)
    child = os.fork()
    number = 0 if child else 1
    ends[1 - number].close()
    tokens = claim_all(plan, number, ends[number])
    Path(plan.results[number]).write_text(json.dumps(tokens))
    if child and os.waitpid(child, 0)[1] != 0:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
