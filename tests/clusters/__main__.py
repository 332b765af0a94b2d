"""Write to a database that has copies, while its servers are killed: is anything lost that was acknowledged?

``python -m tests.clusters postgresql`` starts a primary and a synchronous replica, and two processes of the app with
both in their URL. Clients write, count, claim, and race for the same keys; meanwhile the primary is killed, the replica
is promoted, and the one that was killed is made the new replica, with pg_rewind and with pg_basebackup in turns. In
other rounds the replica is cut off for longer than a statement may take, before the primary is killed; and the primary
stands still, so that it takes connections and does not answer.

``python -m tests.clusters galera`` starts three nodes of a MariaDB Galera cluster, and the app on one of them
(``--writers one``: behind a proxy that leads to another node when the first is killed) or one process on each
(``--writers several``). Four kinds of rounds take turns: a node is killed and brought back, with what it has and then
with nothing; all nodes but one stand still, so that this one has no majority; nothing happens.

Each round ends with a look at every table of every copy: what was acknowledged must be there, once, and in an order
that explains what clients were told. The end is a table of figures; the status is 1 if something was lost or cannot
have happened, and 2 if a server could not be started.

The servers are started here, on free ports, below a folder that is removed; those that the machine runs are left alone.
They write through the operating system's cache alone, which a killed server loses nothing of: that a machine is
switched off is not tried. Needed are Debian's packages ``postgresql``, or ``mariadb-server``, ``galera-4`` and
``rsync``; nothing is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.clusters.programs import ClusterError
from tests.clusters.rounds import galera, postgresql
from tests.clusters.verdict import Verdict


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.clusters", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cluster", choices=("postgresql", "galera"))
    parser.add_argument("--minutes", type=float, default=5.0, help="at least one round; default: 5")
    parser.add_argument("--seed", default=str(time.time_ns()), help="of what the clients do")
    parser.add_argument(
        "--commit", choices=("on", "remote_apply", "local"), default="on", help="PostgreSQL's synchronous_commit"
    )
    parser.add_argument(
        "--writers", choices=("one", "several"), default="one", help="nodes of Galera that are written to; default: one"
    )
    return parser


def main() -> int:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # which ends the servers, too
    with tempfile.TemporaryDirectory(prefix="statemount-cluster-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # servers run as users of their own
        if arguments.cluster == "postgresql":
            running = postgresql(folder, minutes=arguments.minutes, seed=arguments.seed, commit=arguments.commit)
        else:
            several = arguments.writers == "several"
            running = galera(folder, minutes=arguments.minutes, seed=arguments.seed, several=several)
        try:
            verdict = asyncio.run(running)
        except ClusterError as error:
            print(error, file=sys.stderr)
            return 2
    _print(verdict)
    return 1 if verdict.faults else 0


def _print(verdict: Verdict) -> None:
    rows: dict[str, object] = {
        "rounds": verdict.rounds,
        "acknowledged writes": verdict.acknowledged,
        "of these lost": verdict.lost,
        "writes answered with 503": verdict.refused,
        "writes of unknown outcome": verdict.unknown,
        "increments acknowledged": verdict.increments,
        "claims held": verdict.claims,
        "calls checked for an order": verdict.calls,
        "reads of one's own writes": verdict.own_reads,
        "of these stale": verdict.stale_reads,
        "things that cannot be so": len(verdict.faults),
    }
    if verdict.conflicts is not None:
        rows["transactions rolled back for one of another node"] = verdict.conflicts
    if verdict.calm_seconds:
        rows["writes/s where nothing happens"] = round(verdict.calm["done"] / verdict.calm_seconds)
        rows["503 where nothing happens"] = verdict.calm["not done"] + verdict.calm["unknown"]
    for kind, writes in verdict.without_writes.items():
        rows[f"{kind}: longest time without writes, and without reads"] = (
            f"{_spread(writes)} s, {_spread(verdict.without_reads[kind])} s"
        )
    print("\n| | |\n|---|---|")
    for name, figure in rows.items():
        print(f"| {name} | {format(figure, ',') if isinstance(figure, int) else figure} |")
    for fault in verdict.faults:
        print(f"- {fault}")


def _spread(seconds: list[float]) -> str:
    return f"{min(seconds):.1f} to {max(seconds):.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
