"""Which GETs are of a special kind, and that nobody sees the names of the kinds."""

from __future__ import annotations

import pytest

from statemount.web.requests import Message, Request
from statemount.web.routing import RequestPath, Router
from statemount.web.variants import variant_of
from tests.contract.transports import scope_of


async def _no_body() -> Message:
    raise AssertionError("the body is not read")


def _request(method: str, query: str) -> Request:
    return Request(scope_of(method, f"/a?{query}", {}), _no_body)


@pytest.mark.parametrize("query", ["list=true", "list=1&x=2", "list=false&list=yes", "l%69st=%74rue", "list=on"])
def test_a_list_is_asked_for(query: str) -> None:
    """Whatever reads as true asks for a list, with GET and HEAD, where there is one."""
    for method in ("GET", "HEAD"):
        assert variant_of(_request(method, query), {"LIST"}) == "LIST"
        assert variant_of(_request(method, query), {}) is None
    for method in ("LIST", "POST", "DELETE", "get"):
        assert variant_of(_request(method, query), {"LIST"}) is None


@pytest.mark.parametrize("query", ["", "list", "list=", "list=false", "list=0", "list=maybe", "List=true", "list=%FF"])
def test_no_list_is_asked_for(query: str) -> None:
    """Anything else is an ordinary request."""
    assert variant_of(_request("GET", query), {"LIST"}) is None


def test_a_kind_is_no_method() -> None:
    """A route keeps its kinds apart from its methods, and ``Allow`` leaves them out."""
    router: Router[int] = Router()
    router.add("/a", {"LIST": 1, "DELETE": 2})
    router.add("/b", {"GET": 3, "LIST": 4})
    for path, allow, variants in (("/a", b"DELETE", {"LIST": 1}), ("/b", b"GET, HEAD", {"LIST": 4})):
        match = router.match(RequestPath(path))
        assert match is not None
        assert (match[0].allow, match[0].variants) == (allow, variants)
        assert "LIST" not in match[0].endpoints
