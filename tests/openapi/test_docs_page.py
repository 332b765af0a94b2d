"""The page of each route set for people."""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from typing_extensions import override

from statemount.web.docs_page import docs_page
from tests.contract.transports import ask
from tests.openapi.test_document import PREFIXES, ROUTE_SETS, STATE, operations_of

pytestmark = pytest.mark.anyio


class Elements(HTMLParser):
    """Notes every element with its attributes, and that each is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", ROUTE_SETS)
async def test_page(name: str) -> None:
    """The page has every operation and every schema, and each of its links leads somewhere."""
    document = ROUTE_SETS[name].documentation.document
    answer = await ask(STATE, "GET", f"{PREFIXES[name]}/docs", {}, None)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = answer.body.decode()
    elements = Elements(page)
    assert elements.open == []
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    operations = [operation["operationId"] for _, _, operation in operations_of(document)]
    assert sorted(map(str, ids)) == sorted([*operations, *document["components"]["schemas"]])
    links = {attributes["href"] for tag, attributes in elements.found if tag == "a"}
    assert links <= {"openapi.json", *(f"#{name}" for name in ids)}
    assert all(path in unescape(page) for path in document["paths"])


@pytest.mark.parametrize("name", ROUTE_SETS)
async def test_nothing_is_loaded(name: str) -> None:
    """The page has no script and loads nothing, and its policy allows its own style alone."""
    answer = await ask(STATE, "GET", f"{PREFIXES[name]}/docs", {}, None)
    page = answer.body.decode()
    elements = Elements(page)
    assert {tag for tag, _ in elements.found}.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert not any(
        name in {"src", "style", "srcset"} or name.startswith("on") for _, all in elements.found for name in all
    )
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", f"style-src 'sha256-{digest}'"} <= set(policy)


def test_texts_are_escaped() -> None:
    """What a document says is shown as text, whatever it is."""
    evil = "<script>\"'&"
    document = {
        "info": {"title": evil, "version": evil, "description": evil},
        "tags": [{"name": evil}],
        "paths": {
            f"/{evil}": {
                "get": {
                    "operationId": evil,
                    "summary": evil,
                    "description": evil,
                    "tags": [evil],
                    "parameters": [{"name": evil, "in": "path", "required": True, "schema": {"const": evil}}],
                    "responses": {"200": {"description": evil}},
                }
            }
        },
        "components": {"schemas": {evil: {"description": evil}}},
    }
    page = docs_page(document, evil)
    assert "<script" not in page
    assert Elements(page).open == []
