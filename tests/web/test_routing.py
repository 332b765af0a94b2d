"""Paths: what is below the place where the app is mounted, and which route it means."""

from __future__ import annotations

from typing import Any

import pytest

from statemount.web.routing import RequestPath, Router, request_path

# Each case: what the server and whatever mounts us say, and the path that is meant.
_PLAIN: list[tuple[str, dict[str, Any], str]] = [
    ("standalone", {"path": "/a/b", "raw_path": b"/a/b"}, "/a/b"),
    ("no raw path", {"path": "/a/b"}, "/a/b"),
    ("raw path is None", {"path": "/a/b", "raw_path": None}, "/a/b"),
    ("raw path with a query", {"path": "/a/b", "raw_path": b"/a/b?x=%2F"}, "/a/b"),
    ("mounted", {"path": "/m/a", "root_path": "/m", "raw_path": b"/m/a"}, "/a"),
    ("mounted, root path with a slash", {"path": "/m/a", "root_path": "/m/", "raw_path": b"/m/a"}, "/a"),
    ("mounted at the root", {"path": "/a", "root_path": "/", "raw_path": b"/a"}, "/a"),
    ("mounted, only the prefix", {"path": "/m", "root_path": "/m", "raw_path": b"/m"}, ""),
    ("mounted, the prefix and a slash", {"path": "/m/", "root_path": "/m", "raw_path": b"/m/"}, "/"),
    ("path without the root path", {"path": "/a", "root_path": "/m", "raw_path": b"/a"}, "/a"),
    ("path that only begins like it", {"path": "/mount/a", "root_path": "/m", "raw_path": b"/mount/a"}, "/mount/a"),
    ("raw path without the root path", {"path": "/m/a", "root_path": "/m", "raw_path": b"/a"}, "/a"),
    ("prefix like the host's own", {"path": "/m/m/m/a", "root_path": "/m/m", "raw_path": b"/m/m/m/a"}, "/m/a"),
    ("shortened path", {"path": "/a", "root_path": "/m", "raw_path": b"/m/a"}, "/a"),
    ("shortened path that begins like it", {"path": "/m/a", "root_path": "/m", "raw_path": b"/m/m/a"}, "/m/a"),
    ("raw path of something else", {"path": "/m/a", "root_path": "/m", "raw_path": b"/x/y"}, "/a"),
    (
        "mounted, path without the server's root path",
        {"path": "/m/a", "root_path": "/p/m", "app_root_path": "/p"},
        "/a",
    ),
    ("mounted, path with the server's root path", {"path": "/p/m/a", "root_path": "/p/m", "app_root_path": "/p"}, "/a"),
    ("mounted, no root path of the server", {"path": "/m/a", "root_path": "/m", "app_root_path": ""}, "/a"),
    ("path without any root path", {"path": "/a", "root_path": "/p/m", "app_root_path": "/p"}, "/a"),
]

# Likewise, with percent signs in the raw path, which is then given back for what is left of it.
_ENCODED: list[tuple[str, dict[str, Any], str, bytes | None]] = [
    ("standalone", {"path": "/a/b c", "raw_path": b"/a/b%20c"}, "/a/b c", b"/a/b%20c"),
    ("slash", {"path": "/a/b/c", "raw_path": b"/a/b%2Fc"}, "/a/b/c", b"/a/b%2Fc"),
    ("query", {"path": "/a b", "raw_path": b"/a%20b?x=1"}, "/a b", b"/a%20b"),
    ("mounted", {"path": "/m/b c", "root_path": "/m", "raw_path": b"/m/b%20c"}, "/b c", b"/b%20c"),
    ("encoded prefix", {"path": "/m ü/b c", "root_path": "/m ü", "raw_path": b"/m%20%C3%BC/b%20c"}, "/b c", b"/b%20c"),
    ("encoded prefix alone", {"path": "/m ü/b", "root_path": "/m ü", "raw_path": b"/m%20%C3%BC/b"}, "/b", b"/b"),
    ("encoded letter", {"path": "/mount/b", "root_path": "/mount", "raw_path": b"/m%6Funt/b"}, "/b", b"/b"),
    ("encoded slash of the prefix", {"path": "/m/n/b", "root_path": "/m/n", "raw_path": b"/m%2Fn/b"}, "/b", b"/b"),
    ("raw path without the root path", {"path": "/m/b c", "root_path": "/m", "raw_path": b"/b%20c"}, "/b c", b"/b%20c"),
    ("shortened path", {"path": "/b c", "root_path": "/m", "raw_path": b"/m/b%20c"}, "/b c", b"/b%20c"),
    ("shortened twice", {"path": "/b c", "root_path": "/n", "raw_path": b"/m/n/b%20c"}, "/b c", b"/b%20c"),
    ("shortened, begins like it", {"path": "/m/ ", "root_path": "/m", "raw_path": b"/m/m/%20"}, "/m/ ", b"/m/%20"),
    ("prefix like the host's", {"path": "/m/m/m/ ", "root_path": "/m/m", "raw_path": b"/m/m/m/%20"}, "/m/ ", b"/m/%20"),
    ("not UTF-8", {"path": "/a/\ufffd", "raw_path": b"/a/%FF"}, "/a/\udcff", b"/a/%FF"),
    ("not UTF-8, mounted", {"path": "/m/\ufffd", "root_path": "/m", "raw_path": b"/m/%FF"}, "/\udcff", b"/%FF"),
    ("half a character", {"path": "/a\ufffdb", "raw_path": b"/a%E2%82b"}, "/a\udce2\udc82b", b"/a%E2%82b"),
    ("no escape", {"path": "/%zz/%", "raw_path": b"/%zz/%"}, "/%zz/%", b"/%zz/%"),
    ("no escape before", {"path": "/%z/ ", "root_path": "/%z", "raw_path": b"/%z/%20"}, "/ ", b"/%20"),
    ("escaped percent", {"path": "/%2F", "raw_path": b"/%252F"}, "/%2F", b"/%252F"),
    ("raw path of something else", {"path": "/a", "raw_path": b"/%20"}, "/a", None),
    ("prefix that is not UTF-8", {"path": "/\ufffd/a", "root_path": "/\ufffd", "raw_path": b"/%FF/a"}, "/a", None),
]


@pytest.mark.parametrize(("asgi_scope", "text"), [case[1:] for case in _PLAIN], ids=[case[0] for case in _PLAIN])
def test_path_below_the_mount(asgi_scope: dict[str, Any], text: str) -> None:
    """The path is what is left below the root path, whatever the server makes of the raw path."""
    assert request_path(asgi_scope) == RequestPath(text)


@pytest.mark.parametrize(
    ("asgi_scope", "text", "raw"), [case[1:] for case in _ENCODED], ids=[case[0] for case in _ENCODED]
)
def test_encoded_path_below_the_mount(asgi_scope: dict[str, Any], text: str, raw: bytes | None) -> None:
    """What is left of the raw path is found by what it decodes to; bytes that are no UTF-8 stay recognisable."""
    assert request_path(asgi_scope) == RequestPath(text, raw)


def _router() -> Router[str]:
    router: Router[str] = Router()
    for template in (
        "/store/ti/{id}",
        "/store/ti/{id}/{key:path}",
        "/store/asset/value",
        "/assets/{name:encoded}",
        "/assets/{name:encoded}/{key:path}",
        "/dags/{dag}/runs/{run}/states",
        "/dags/{dag}/runs/latest",
        "/",
    ):
        router.add(template, {"GET": template})
    return router


_MATCHES: list[tuple[str, str | None, str, dict[str, str]]] = [
    ("/store/ti/1", None, "/store/ti/{id}", {"id": "1"}),
    ("/store/ti/1/", None, "/store/ti/{id}/{key:path}", {"id": "1", "key": ""}),
    ("/store/ti/1/a/b", None, "/store/ti/{id}/{key:path}", {"id": "1", "key": "a/b"}),
    ("/store/ti/1//", None, "/store/ti/{id}/{key:path}", {"id": "1", "key": "/"}),
    ("/store/ti/1/a\nb", None, "/store/ti/{id}/{key:path}", {"id": "1", "key": "a\nb"}),
    ("/store/asset/value", None, "/store/asset/value", {}),
    ("/dags/d/runs/r/states", None, "/dags/{dag}/runs/{run}/states", {"dag": "d", "run": "r"}),
    ("/dags/d/runs/latest", None, "/dags/{dag}/runs/latest", {"dag": "d"}),
    ("/", None, "/", {}),
    ("/assets/a", None, "/assets/{name:encoded}", {"name": "a"}),
    ("/assets/a/k", None, "/assets/{name:encoded}/{key:path}", {"name": "a", "key": "k"}),
    ("/assets/s3://x/k", None, "/assets/{name:encoded}/{key:path}", {"name": "s3:", "key": "/x/k"}),
    ("/assets/s3://x", "/assets/s3%3A%2F%2Fx", "/assets/{name:encoded}", {"name": "s3://x"}),
    (
        "/assets/s3://x/k/l",
        "/assets/s3:%2F%2fx/k%2Fl",
        "/assets/{name:encoded}/{key:path}",
        {"name": "s3://x", "key": "k/l"},
    ),
    ("/assets/ä/ü/k", "/assets/%C3%A4%2F%C3%BC/k", "/assets/{name:encoded}/{key:path}", {"name": "ä/ü", "key": "k"}),
    ("/assets//k", "/assets//%6B", "/assets/{name:encoded}/{key:path}", {"name": "", "key": "k"}),
    ("/assets/", None, "/assets/{name:encoded}", {"name": ""}),
    ("/assets/a", "/%61ssets/%61", "/assets/{name:encoded}", {"name": "a"}),
    ("/assets/a/k", "/assets%2Fa/k", "/assets/{name:encoded}/{key:path}", {"name": "a", "key": "k"}),
]


@pytest.mark.parametrize(("text", "raw", "template", "parameters"), _MATCHES)
def test_match(text: str, raw: str | None, template: str, parameters: dict[str, str]) -> None:
    """A path finds its route and parameters; an encoded parameter keeps its slashes where the raw path is known."""
    match = _router().match(RequestPath(text, None if raw is None else raw.encode()))
    assert match is not None
    route, values = match
    assert route.endpoints["GET"] == template
    assert dict(zip(route.parameters, values, strict=True)) == parameters


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "/x",
        "/store",
        "/store/",
        "/store/ti",
        "/store/ti/",
        "/store/ti//",
        "/store/asset/value/",
        "/store/asset",
        "/dags//runs/r/states",
        "/dags/d/runs/r",
        "/dags/d/runs/latest/states",
        "/assets",
        "//",
    ],
)
def test_no_match(text: str) -> None:
    """A path without a route has none, and no parameter of a single segment is empty."""
    assert _router().match(RequestPath(text)) is None


def test_match_below_a_prefix() -> None:
    """A route is looked for from where a path begins for the router."""
    match = _router().match(RequestPath("/execution/assets/a/b", b"/execution/assets/a%2Fb"), len("/execution"))
    assert match is not None
    assert match[1] == ["a/b"]


def test_allow_lists_every_method() -> None:
    """``Allow`` names every method of a route in order, HEAD wherever there is GET."""
    router: Router[int] = Router()
    router.add("/a", {"PUT": 1, "GET": 2, "DELETE": 3})
    router.add("/b", {"DELETE": 4})
    for path, allow in (("/a", b"DELETE, GET, HEAD, PUT"), ("/b", b"DELETE")):
        match = router.match(RequestPath(path))
        assert match is not None
        assert match[0].allow == allow
