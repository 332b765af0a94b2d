"""An OpenAPI document as one HTML page, with no script and nothing that is loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from statemount.web.openapi import Json

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
code, pre { font: 13px/1.4 ui-monospace, monospace; }
code { overflow-wrap: anywhere; }
a { color: inherit; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.5rem; }
h4 { margin: 1rem 0 0.3rem; }
details { border: 1px solid var(--line); border-radius: 4px; margin: 0.4rem 0; padding: 0 0.8rem; }
details[open] { padding-bottom: 0.8rem; }
summary { cursor: pointer; padding: 0.4rem 0; }
summary b { display: inline-block; min-width: 4.2rem; }
summary span { opacity: 0.75; }
table { border-collapse: collapse; width: 100%; }
th, td { border-top: 1px solid var(--line); padding: 0.25rem 0.6rem 0.25rem 0; text-align: left; vertical-align: top; }
pre { background: var(--soft); overflow: auto; padding: 0.6rem; }
"""

POLICY = "; ".join(
    [
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ]
)
"""The page's ``Content-Security-Policy``: its own style, and nothing else."""


def docs_page(document: Json, address: str) -> str:
    """Return the page.

    Args:
        address: Of the document, relative to the page.
    """
    info = document["info"]
    title = escape(info["title"])
    return "\n".join(
        [
            f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>',
            f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>',
            f"<h1>{title}</h1>\n<p>{escape(info['description'])}</p>",
            f'<p>Version {escape(info["version"])}. <a href="{escape(address)}">OpenAPI document</a></p>',
            *_groups(document),
            "<h2>Schemas</h2>",
            *(_schema(name, schema) for name, schema in document["components"]["schemas"].items()),
            "</html>\n",
        ]
    )


def _groups(document: Json) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    yield _operation(document, path, method, operation)


def _operation(document: Json, path: str, method: str, operation: Json) -> str:
    name, summary = escape(operation["operationId"]), escape(operation["summary"])
    parts = [
        f'<details id="{name}">',
        f"<summary><b>{method.upper()}</b> <code>{escape(path)}</code> <span>{summary}</span></summary>",
        f"<p><code>{name}</code>. {escape(operation.get('description', ''))}</p>",
    ]
    if "parameters" in operation:
        parameters = (
            (
                f"<code>{escape(one['name'])}</code>",
                one["in"] + ("" if one["required"] else ", optional"),
                _type(one["schema"]),
                escape(one.get("description", "")),
            )
            for one in operation["parameters"]
        )
        parts += ["<h4>Parameters</h4>", _table(parameters)]
    if "requestBody" in operation:
        parts += ["<h4>Body</h4>", f"<p>{_contents(operation['requestBody'])}</p>"]
    responses = ((status, _resolved(document, response)) for status, response in operation["responses"].items())
    rows = ((status, escape(response["description"]), _contents(response)) for status, response in responses)
    parts += ["<h4>Answers</h4>", _table(rows), "</details>"]
    return "\n".join(parts)


def _resolved(document: Json, response: Json) -> Json:
    if "$ref" not in response:
        return response
    found: Json = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return found


def _contents(holder: Json) -> str:
    contents = holder.get("content", {}).items()
    return "<br>".join(f"<code>{escape(kind)}</code>: {_type(content['schema'])}" for kind, content in contents)


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    shown = {key: value for key, value in schema.items() if key != "description"}
    return f"<code>{escape(json.dumps(shown))}</code>"


def _schema(name: str, schema: Json) -> str:
    text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
    return f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>\n<pre>{text}</pre></details>'


def _table(rows: Iterable[tuple[Any, ...]]) -> str:
    return f"<table>{''.join('<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>' for row in rows)}</table>"
