"""A process that keeps a value of 100 MB and gets it back, and prints how much memory that took.

Its argument is the URL of the place. It prints by how many bytes its largest resident size grew until the
set was done, and until the get was.
"""

from __future__ import annotations

import resource
import sys

from statemount.model import TaskScope
from statemount.worker.object_storage import ObjectStorageBackend

LENGTH = 100_000_000
SCOPE = TaskScope("dag", "run", "task")


def largest_resident_size() -> int:
    """Return the largest resident size of this process so far, in bytes (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(place: str) -> None:
    """Set and get."""
    backend = ObjectStorageBackend(place)
    backend.serialize_task_state_store_to_ref(value="x" * 100_000, key="small", scope=SCOPE)
    value = "0123456789" * (LENGTH // 10)
    before = largest_resident_size()
    reference = backend.serialize_task_state_store_to_ref(value=value, key="large", scope=SCOPE)
    after_set = largest_resident_size()
    length, end = len(value), value[-10:]
    del value
    loaded = backend.deserialize_task_state_store_from_ref(reference)
    assert (len(loaded), loaded[-10:]) == (length, end)
    print(after_set - before, largest_resident_size() - before)


if __name__ == "__main__":
    main(sys.argv[1])
