"""Whether what stands in the tables is what clients were told, in figures."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.clusters.clients import COUNTED, COUNTERS, WRITERS, Load
from tests.clusters.tallies import claim_faults, longest_gap
from tests.processes.checks import check_log
from tests.processes.linearizability import Race
from tests.processes.load import (
    CONTENDED_ASSETS,
    CONTENDED_TASK,
    OWN_MAP_INDICES,
    STABLE_ASSETS,
    Journal,
    Outcome,
    client_names,
)
from tests.processes.tables import Scope
from tests.registers import NotLinearizableError

Scopes = Mapping[tuple[str, "int | None"], Scope]

_SEARCH_SECONDS = 60.0


@dataclass
class Verdict:
    """What came of some rounds.

    Attributes:
        lost: How many acknowledged writes are in no log.
        without_writes: The longest times in which a server took no write, in seconds, one for each round and server, by
            what happened in the round.
        without_reads: Likewise, in which it answered no read.
        faults: What cannot be so, in words.
        conflicts: How many transactions the database rolled back for another one, if it counts them.
        calm: What came of the writes of rounds in which nothing happened, and how many seconds these took.
    """

    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    refused: int = 0
    unknown: int = 0
    increments: int = 0
    claims: int = 0
    calls: int = 0
    own_reads: int = 0
    stale_reads: int = 0
    without_writes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    without_reads: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    conflicts: int | None = None
    calm: Counter[Outcome] = field(default_factory=Counter)
    calm_seconds: float = 0.0

    def note_calm(self, outcomes: Mapping[Outcome, int], seconds: float) -> None:
        """Take in a round in which nothing happened."""
        self.calm.update(outcomes)
        self.calm_seconds += seconds


def look(load: Load, scopes: Scopes, verdict: Verdict, faults: Sequence[str], *, kind: str) -> list[str]:
    """Take the end of a round into a verdict, and return what is wrong with it.

    Args:
        faults: What is known to be wrong.
        kind: What happened in the round.
    """
    outcomes = load.journal.outcomes
    verdict.rounds += 1
    verdict.acknowledged = outcomes["done"]
    verdict.refused = outcomes["not done"]
    verdict.unknown = outcomes["unknown"]
    verdict.increments = sum(len(counted.sums) for counted in load.counted.values())
    verdict.claims = len(load.claims.holds)
    verdict.calls += sum(load.races[-1].statuses.values())
    verdict.own_reads, verdict.stale_reads = load.stale.reads, len(load.stale.examples)
    verdict.without_writes[kind] += [longest_gap(pulse.writes) for pulse in load.pulses]
    verdict.without_reads[kind] += [longest_gap(pulse.reads) for pulse in load.pulses]
    lost, ours = _journal_faults(load.journal, scopes)
    verdict.lost = len(lost)
    faults = [*faults, *ours]
    faults += _counter_faults(load, scopes)
    faults += claim_faults(load.claims.holds)
    faults += _race_faults(load.races[-1])
    if load.stale.examples:
        faults.append(f"{len(load.stale.examples)} reads of one's own writes were stale: {load.stale.examples[0]}")
    verdict.faults += faults
    return faults


def _journal_faults(journal: Journal, scopes: Scopes) -> tuple[list[str], list[str]]:
    """Return the acknowledged sets that are in no log, and everything that is wrong."""
    places: set[tuple[str, int | None]] = {(CONTENDED_TASK, -1)}
    places |= {(name, map_index) for name in client_names(WRITERS) for map_index in OWN_MAP_INDICES}
    places |= {(name, None) for name in (*STABLE_ASSETS, *CONTENDED_ASSETS)}
    logged = Counter(
        (*place, change.key.decode(), change.size)
        for place in places & set(scopes)
        for change in scopes[place].changes
        if change.kind == "set" and change.key is not None
    )
    sent = {(w.name, w.map_index, w.key, w.size): w.outcome for w in journal.writes if w.kind == "set"}
    lost = [str(write) for write, outcome in sent.items() if outcome == "done" and write not in logged]
    faults = [f"{len(lost)} acknowledged sets are lost, such as {lost[0]}"] if lost else []
    if twice := sum(count > 1 for count in logged.values()):
        faults.append(f"{twice} sets were done twice")
    if undone := sum(sent.get(write) == "not done" for write in logged):
        faults.append(f"{undone} sets were done that were answered as not done")
    try:
        check_log(journal, {place: scope for place, scope in scopes.items() if place in places}, clients=WRITERS)
    except AssertionError as error:
        faults.append(f"the log is not what clients were told: {str(error).splitlines()[0]}")
    return lost, faults


def _counter_faults(load: Load, scopes: Scopes) -> list[str]:
    scope = scopes.get((COUNTED, None))
    faults = []
    for name in COUNTERS:
        key = name.encode()
        changes = [] if scope is None else [change for change in scope.changes if change.key == key]
        logged = [int(change.value) for change in changes if change.value is not None]
        faults += [f"counter {name}: {fault}" for fault in load.counted[name].faults(logged)]
    return faults


def _race_faults(race: Race) -> list[str]:
    """Search for an order of all calls, for a limited time: where there is none, the search may be long."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    searching = context.Process(target=_search, args=(race, theirs))
    searching.start()
    theirs.close()
    try:
        if not ours.poll(_SEARCH_SECONDS):
            return [f"in {_SEARCH_SECONDS:.0f} s no order was found that explains all answers"]
        said: list[str] = ours.recv()
        return said
    finally:
        searching.kill()
        searching.join()


def _search(race: Race, told: multiprocessing.connection.Connection) -> None:
    try:
        race.check()
    except NotLinearizableError as error:
        told.send([f"what clients were told cannot have happened: {error}"])
    else:
        told.send([])


def compare(tables: Sequence[Scopes]) -> list[str]:
    """Return how many scopes are not the same in every one of several copies."""
    first, *others = tables
    differing = {
        place for other in others for place in first.keys() | other.keys() if first.get(place) != other.get(place)
    }
    if not differing:
        return []
    return [f"{len(differing)} scopes are not the same everywhere, such as {min(map(str, differing))}"]
