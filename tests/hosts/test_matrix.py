"""The page of what was tried is made of the frameworks, servers and checks that there are."""

from __future__ import annotations

import re

from tests.hosts.frameworks import FRAMEWORKS
from tests.hosts.matrix import PAGE, packages, page, summaries
from tests.hosts.pythons import PYTHONS
from tests.hosts.servers import SERVERS
from tests.resolving.neighbours import NEIGHBOURS
from tests.resolving.neighbours import PYTHONS as RESOLVED

HINT = "the page is stale: python -m tests.hosts writes it"


def shape(text: str) -> list[str]:
    """Return a page without what changes from run to run: versions, and how many tests passed."""
    rows = re.sub(r"^\| ([\w-]+) \| [\w., ]*\d[\w., ]* \|$", r"| \1 |", text, flags=re.MULTILINE)
    rows = re.sub(r"^(\| [^|]+ \| 3\.\d+ \|) [^|]+ \|$", r"\1", rows, flags=re.MULTILINE)
    rows = re.sub(r"^\| (3\.\d+) \| .* \|$", r"| \1 |", rows, flags=re.MULTILINE)
    return rows.splitlines()


def test_the_page_has_the_shape_of_a_new_one() -> None:
    """The page has every framework, server, check and reason, in the words of the tests; each check has passed."""
    everything = {
        (name, place, check): True for name in FRAMEWORKS for place in ("in process", *SERVERS) for check in summaries()
    }
    neighbours = {
        (neighbour.title, python): ["some 1.0"]
        for neighbour in NEIGHBOURS
        for python in RESOLVED
        if neighbour.is_possible
    }
    expected = page(everything, dict.fromkeys(PYTHONS, "1 passed, with Python 3.0.0"), neighbours)
    assert shape(PAGE.read_text("utf-8")) == shape(expected), HINT


def test_what_has_not_passed_is_not_counted() -> None:
    """A check that failed, or that was not run, is missing from the count."""
    name = next(iter(FRAMEWORKS))
    text = page({(name, "uvicorn", "state"): True, (name, "uvicorn", "keys"): False}, {}, {})
    count = len(summaries()) - len(FRAMEWORKS[name].lacks)
    assert f"| {FRAMEWORKS[name].title} | 0 of {count - 2} | 1 of {count} | 0 of {count} | 0 of {count} |" in text


def test_the_versions_of_all_packages_are_told() -> None:
    """The page names the version of each framework and each server."""
    written = dict(re.findall(r"^\| ([\w-]+) \| (\d[\w.]*) \|$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert {"Python", *packages()} <= set(written), HINT
